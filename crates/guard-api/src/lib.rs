//! What operators ask of `guard`: who is banned and why, to ban and to let go.
//!
//! HTTP over the Unix socket [`SOCKET`], which root and the group `casemate-operator` may open.
//! Times are seconds since 1970 (UTC).

mod ban;
mod client;
pub mod limits;
mod sighting;
mod state;

pub use ban::{Asked, Ban, BanRequest, Bans, By, Evidence, Lifted, UnbanRequest};
pub use client::{Client, Error};
pub use sighting::{Explanation, Past, Sighting, Sightings, Standing};
pub use state::{ListState, State};

/// Where guard listens.
pub const SOCKET: &str = "/run/casemate/guard-operator/guard.sock";

/// `GET`: [`Bans`], from `?after=PREFIX` on. `POST`: [`BanRequest`], answered with [`Asked`]. `DELETE`:
/// [`UnbanRequest`], answered with [`Lifted`].
pub const BANS_PATH: &str = "/v1/bans";

/// `GET`: [`Sightings`], the latest first.
pub const EVENTS_PATH: &str = "/v1/events";

/// `GET`, with an address after a slash: [`Explanation`].
pub const EXPLAIN_PATH: &str = "/v1/explain";

/// `GET`: [`State`].
pub const STATE_PATH: &str = "/v1/state";

/// The header in which a command names the address that its operator works from. That address is not
/// banned while the operator works ([`limits::OPERATOR_SECONDS`]).
pub const OPERATOR_HEADER: &str = "casemate-operator-address";
