//! What tests and benchmarks need, and no product: a confined thread to serve on, a clock that stands still, folders with
//! sockets, stand-ins for an AI provider, for a bot and for who decides on bans, a bot that says again what it hears, and crowds of visitors.
//!
//! Serving takes a [`sandbox::Confined`], and only confinement makes one. So a test serves as the product does:
//!
//! ```
//! testkit::confined(|confined| async move {
//!     assert!(confined.report().landlock_abi > 0);
//! });
//! ```

mod any_authority;
pub mod backend;
mod clock;
mod confined;
pub mod decider;
pub mod echo;
pub mod edge;
mod folder;
pub mod load;
pub mod provider;
mod records;

pub use clock::Clock;
pub use confined::{confined, confined_with};
pub use folder::Folder;
pub use records::{Record, Records};
