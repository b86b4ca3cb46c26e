//! What names one durable commit, and its text form, which is a backup's receipt.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// Bytes of a file's and of a lineage's random identity.
pub const MARK_ID_BYTES: usize = 16;

/// What the text form begins with; the digit is its version.
const PREFIX: &str = "mark1";
/// Bytes of SHA-256 that end the text form: enough against slips of hand. Nothing authenticates a
/// receipt, and nothing must: one that was made up can only keep a store closed.
const CHECK_BYTES: usize = 8;
/// Longest text form in bytes: two identities, two numbers of at most 20 digits, the check, and
/// what is between them.
pub const MARK_TEXT_BYTES: usize = PREFIX.len() + 5 + 4 * MARK_ID_BYTES + 2 * 20 + 2 * CHECK_BYTES;
/// The last second that a date is shown for (31 December 9999, 23:59:59 UTC).
const LAST_SECOND: u64 = 253_402_300_799;

/// Names one durable commit of one store.
///
/// Of two marks of the same file and lineage the one with the higher generation is newer and
/// holds all that the other does. Its text form (`Display`, `FromStr`) serves as a backup's
/// receipt: `mark1-FILE-LINEAGE-GENERATION-AT-CHECK`, see FORMAT.md, "Marks".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The file's random identity.
    pub file: [u8; MARK_ID_BYTES],
    /// The random identity of this course of the file's history: a new one whenever an older
    /// copy was accepted, since from there on equal generations may hold unequal content.
    pub lineage: [u8; MARK_ID_BYTES],
    /// The number of the commit, rising with each; numbers may be skipped.
    pub generation: u64,
    /// When it was committed, in seconds since 1970 (UTC), by the clock of that machine.
    pub at: u64,
}

impl Mark {
    /// When it was committed, for people: `Fri, 20 Nov 2026 14:03:00 GMT`.
    #[must_use]
    pub fn when(&self) -> String {
        let since = Duration::from_secs(self.at.min(LAST_SECOND));
        httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since)
    }

    /// The text form but for the last dash and the check.
    fn unchecked(&self) -> String {
        format!(
            "{PREFIX}-{}-{}-{}-{}",
            HEXLOWER.encode(&self.file),
            HEXLOWER.encode(&self.lineage),
            self.generation,
            self.at
        )
    }
}

/// The end of the text form, over what comes before.
fn check(unchecked: &str) -> String {
    let digest = Sha256::digest(unchecked);
    HEXLOWER.encode(digest.get(..CHECK_BYTES).unwrap_or_default())
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unchecked = self.unchecked();
        write!(f, "{unchecked}-{}", check(&unchecked))
    }
}

/// A text that is no mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// Not of the form of one.
    #[error(
        "this is no receipt of a store, which begins with \"mark1-\" and has six parts: \
         nothing can be compared with it, give the whole text that the backup printed"
    )]
    Form,
    /// Of the form of one, with a check that does not fit.
    #[error(
        "this receipt was changed or mistyped: nothing can be compared with it, \
         give the whole text that the backup printed"
    )]
    Check,
}

impl FromStr for Mark {
    type Err = MarkError;

    /// Reads the text form. Of each mark there is one text alone.
    fn from_str(text: &str) -> Result<Self, MarkError> {
        if text.len() > MARK_TEXT_BYTES {
            return Err(MarkError::Form);
        }
        let mut parts = text.split('-');
        let mut part = || parts.next().ok_or(MarkError::Form);
        if part()? != PREFIX {
            return Err(MarkError::Form);
        }
        let mark = Self {
            file: identity(part()?)?,
            lineage: identity(part()?)?,
            generation: number(part()?)?,
            at: number(part()?)?,
        };
        let given = part()?;
        if parts.next().is_some() {
            return Err(MarkError::Form);
        }
        let unchecked = mark.unchecked();
        // Leading zeros and signs are not of the form.
        if text.get(..unchecked.len()) != Some(&unchecked) {
            return Err(MarkError::Form);
        }
        if given != check(&unchecked) {
            return Err(MarkError::Check);
        }
        Ok(mark)
    }
}

fn identity(text: &str) -> Result<[u8; MARK_ID_BYTES], MarkError> {
    let bytes = HEXLOWER
        .decode(text.as_bytes())
        .map_err(|_| MarkError::Form)?;
    bytes.try_into().map_err(|_| MarkError::Form)
}

fn number(text: &str) -> Result<u64, MarkError> {
    text.parse().map_err(|_| MarkError::Form)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_mark() -> impl Strategy<Value = Mark> {
        (
            any::<[u8; 16]>(),
            any::<[u8; 16]>(),
            any::<u64>(),
            any::<u64>(),
        )
            .prop_map(|(file, lineage, generation, at)| Mark {
                file,
                lineage,
                generation,
                at,
            })
    }

    fn sample() -> Mark {
        Mark {
            file: std::array::from_fn(|i| 0xa0 + u8::try_from(i).unwrap()),
            lineage: std::array::from_fn(|i| 0xb0 + u8::try_from(i).unwrap()),
            generation: 1214,
            at: 1_795_183_380,
        }
    }

    #[test]
    fn the_form_is_as_specified() {
        assert_eq!(
            sample().to_string(),
            "mark1-a0a1a2a3a4a5a6a7a8a9aaabacadaeaf-b0b1b2b3b4b5b6b7b8b9babbbcbdbebf\
             -1214-1795183380-2411e0f6c76076ef"
        );
        assert_eq!(sample().when(), "Fri, 20 Nov 2026 14:03:00 GMT");
    }

    #[test]
    fn the_last_time_of_all_can_be_shown() {
        let mark = Mark {
            at: u64::MAX,
            ..sample()
        };
        assert_eq!(mark.when(), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert!(mark.to_string().len() <= MARK_TEXT_BYTES);
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = sample().to_string();
        for bad in [
            good.to_uppercase(),
            good.replace("-1214-", "-01214-"),
            good.replace("-1214-", "-+1214-"),
            format!("{good}-"),
            good.replace("mark1", "mark2"),
            String::new(),
            "-".repeat(MARK_TEXT_BYTES),
        ] {
            assert_eq!(bad.parse::<Mark>(), Err(MarkError::Form), "{bad:?}");
        }
        assert_eq!(format!("{good}\n").parse::<Mark>(), Err(MarkError::Check));
        let typo = good.replace("-1214-", "-1215-");
        assert_eq!(typo.parse::<Mark>(), Err(MarkError::Check));
    }

    proptest! {
        #[test]
        fn a_mark_survives_its_text(mark in any_mark()) {
            let text = mark.to_string();
            prop_assert!(text.len() <= MARK_TEXT_BYTES);
            prop_assert_eq!(text.parse::<Mark>(), Ok(mark));
        }

        #[test]
        fn one_changed_byte_is_noticed(mark in any_mark(), at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f) {
            let text = mark.to_string();
            let mut changed = text.clone().into_bytes();
            let at = at.index(changed.len());
            changed[at] = byte;
            let changed = String::from_utf8(changed).unwrap();
            prop_assert_eq!(changed.parse::<Mark>().is_ok(), changed == text);
        }

        #[test]
        fn hostile_text_does_no_harm(text in ".{0,200}") {
            prop_assert!(text.parse::<Mark>().is_err());
        }
    }
}
