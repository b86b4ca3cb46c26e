//! What the store holds: tables, keys and records.
//!
//! A record begins with its version, so that a later release reads what an earlier one wrote.

use guard_api::{Ban, Past};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::Table;

use crate::decide::never::{Process, Session};
use crate::decide::score::Kept;
use crate::journal::cursor::Cursors;
use crate::prefix::Prefix;

/// Bans in force, by prefix ([`Prefix::to_bytes`]).
pub const BANS: Table = Table::new("bans");
/// Bans that are only reported (`dry_run`), likewise. They stay apart, so that neither kind takes the other's place.
pub const DRY: Table = Table::new("dry");
/// Bans that have ended, by the time of their end and their prefix ([`past_key`]).
pub const PAST: Table = Table::new("past");
/// What there is one of: [`PROGRESS`], [`SESSIONS`].
pub const SINGLE: Table = Table::new("single");

/// [`Progress`] in [`SINGLE`].
pub const PROGRESS: &[u8] = b"progress";
/// [`Sessions`] in [`SINGLE`].
pub const SESSIONS: &[u8] = b"sessions";

/// The table of bans in force, or of those that are only reported.
#[must_use]
pub const fn bans(dry_run: bool) -> Table {
    if dry_run { DRY } else { BANS }
}

/// The version of records that this release writes.
const VERSION: u8 = 1;

/// How far the journal was read, and the scores that came of it: stored together, so that no line counts twice and
/// none is lost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// How far.
    pub cursors: Cursors,
    /// Scores, by the name of the rule and how fast it lets them fade.
    pub scores: Vec<(String, Vec<Kept>)>,
    /// The half-life of each of these rules, in seconds: with another, the scores mean nothing.
    pub half_lives: Vec<(String, u64)>,
}

/// Who is logged in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// By the process that serves them.
    pub sessions: Vec<(Process, Session)>,
}

/// A record that cannot be read, though the store vouches that its bytes are those that were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Written by a later release.
    #[error(
        "a record has version {0}, which this release does not know; use the release that wrote it"
    )]
    Version(u8),
    /// Not what this release writes.
    #[error("a record of the store is malformed")]
    Record,
}

/// The key of a ban that ended at `ended`, in seconds since 1970.
#[must_use]
pub fn past_key(ended: u64, prefix: Prefix) -> [u8; 25] {
    let mut key = [0; 25];
    key[..8].copy_from_slice(&ended.to_be_bytes());
    key[8..].copy_from_slice(&prefix.to_bytes());
    key
}

/// A record of what is written.
#[must_use]
pub fn write<T: Serialize>(what: &T) -> Vec<u8> {
    let mut record = vec![VERSION];
    // Structures of strings, numbers and lists always serialise.
    let _ = serde_json::to_writer(&mut record, what);
    record
}

/// What was written.
///
/// # Errors
/// As [`Malformed`] lists.
pub fn read<T: DeserializeOwned>(record: &[u8]) -> Result<T, Malformed> {
    match record.split_first() {
        Some((&VERSION, body)) => serde_json::from_slice(body).map_err(|_| Malformed::Record),
        Some((&version, _)) => Err(Malformed::Version(version)),
        None => Err(Malformed::Record),
    }
}

/// A ban of the store.
///
/// # Errors
/// As [`Malformed`] lists.
pub fn ban(record: &[u8]) -> Result<Ban, Malformed> {
    read(record)
}

/// A ban of the store that has ended.
///
/// # Errors
/// As [`Malformed`] lists.
pub fn past(record: &[u8]) -> Result<Past, Malformed> {
    read(record)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_others_are_refused() {
        let sessions = Sessions {
            sessions: vec![(
                Process {
                    boot: [7; 16],
                    number: 7,
                },
                Session {
                    address: [203, 0, 113, 7].into(),
                    begun: 1,
                },
            )],
        };
        let record = write(&sessions);
        assert_eq!(read::<Sessions>(&record).unwrap(), sessions);
        assert_eq!(read::<Sessions>(&[2]), Err(Malformed::Version(2)));
        assert_eq!(read::<Sessions>(&record[..9]), Err(Malformed::Record));
        assert_eq!(read::<Sessions>(&[]), Err(Malformed::Record));
    }
}
