//! What the firewall takes at most.

use std::time::Duration;

/// Shortest IPv4 prefix that is banned or blocked, in bits.
pub const IPV4_BITS_MIN: u8 = 8;

/// Shortest IPv6 prefix that is banned or blocked, in bits: what the largest providers hold in one piece.
pub const IPV6_BITS_MIN: u8 = 19;

/// Longest ban, in seconds: ten years. A longer one has to be put again some day.
pub const SECONDS_MAX: u32 = 10 * 365 * 24 * 60 * 60;

/// Most bans in one call.
pub const BANS_PER_CALL: usize = 5_000;

/// Longest body of a call about bans, in bytes: that many of the longest prefixes, with their JSON.
pub const BANS_BYTES: usize = BANS_PER_CALL * 96;

/// Most bans in force at once; more are refused.
pub const BANS_MAX: usize = 250_000;

/// Most prefixes of one block list, before overlaps are merged.
pub const BLOCK_PREFIXES_MAX: usize = 1_000_000;

/// Most entries of all block lists together, after overlaps are merged: the kernel counts its memory for them to the
/// firewall's unit, which is bounded.
pub const BLOCK_ENTRIES_MAX: usize = 1_000_000;

/// Longest body of one block list, in bytes.
pub const BLOCK_BYTES: u64 = 64 * 1024 * 1024;

/// Longest line of a block list, in bytes, comment included.
pub const LINE_BYTES: usize = 256;

/// Most block lists at once.
pub const BLOCKS_MAX: usize = 16;

/// Longest name of a block list, in bytes.
pub const NAME_BYTES: usize = 32;

/// Most refusals that one answer names; it counts the rest.
pub const REFUSED_MAX: usize = 100;

/// Longest answer but that to `GET /v1/bans`, in bytes.
pub const ANSWER_BYTES: usize = 64 * 1024;

/// How long a client waits for an answer about bans or the state.
pub const CALL_TIME: Duration = Duration::from_secs(5);

/// How long a block list may take, from its first byte to the answer.
pub const BLOCK_TIME: Duration = Duration::from_secs(60);
