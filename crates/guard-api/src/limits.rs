//! Bounds of the calls.

use std::time::Duration;

/// Longest request body in bytes.
pub const REQUEST_BYTES: usize = 4 * 1024;

/// Longest reply in bytes: a page of bans with their evidence.
pub const REPLY_BYTES: usize = 16 * 1024 * 1024;

/// How long a call may take.
pub const REPLY_TIME: Duration = Duration::from_secs(10);

/// Bans in one page of a listing.
pub const BANS_A_PAGE: usize = 1000;

/// Sightings in one reply.
pub const SIGHTINGS_MAX: usize = 1000;

/// Longest reason that an operator gives, in bytes.
pub const REASON_BYTES: usize = 200;

/// Longest time that an operator may ban for, in seconds (ten years).
pub const BAN_SECONDS_MAX: u64 = 10 * 366 * 24 * 3600;

/// How long the address of an operator is not banned after a command from there, in seconds.
pub const OPERATOR_SECONDS: u64 = 3600;
