//! Reads the lines of a block list as they arrive.

use firewall_api::Prefix;
use firewall_api::limits::{BLOCK_PREFIXES_MAX, LINE_BYTES};

/// What was read so far.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
    /// A line that is too long is passed over to its end.
    passing: bool,
    prefixes: Vec<Prefix>,
    unreadable: usize,
}

/// The list has more than [`BLOCK_PREFIXES_MAX`] prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the list has more than {BLOCK_PREFIXES_MAX} prefixes")]
pub struct TooMany;

impl Lines {
    /// Reads what has arrived.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), TooMany> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            if !self.passing {
                if ends && self.rest.is_empty() {
                    self.line(piece)?;
                    continue;
                }
                if self.rest.len() + piece.len() > LINE_BYTES {
                    self.unreadable += 1;
                    self.passing = true;
                } else {
                    self.rest.extend_from_slice(piece);
                }
            }
            if ends {
                let line = std::mem::take(&mut self.rest);
                if !self.passing {
                    self.line(&line)?;
                }
                self.passing = false;
            }
        }
        Ok(())
    }

    /// The prefixes, and how many lines could not be read.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn end(mut self) -> Result<(Vec<Prefix>, usize), TooMany> {
        let line = std::mem::take(&mut self.rest);
        if !self.passing {
            self.line(&line)?;
        }
        Ok((self.prefixes, self.unreadable))
    }

    fn line(&mut self, line: &[u8]) -> Result<(), TooMany> {
        if line.len() > LINE_BYTES {
            self.unreadable += 1;
            return Ok(());
        }
        let comment = line.iter().position(|byte| matches!(byte, b'#' | b';'));
        let text = line[..comment.unwrap_or(line.len())].trim_ascii();
        if text.is_empty() {
            return Ok(());
        }
        let prefix = std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok());
        match prefix {
            None => self.unreadable += 1,
            Some(_) if self.prefixes.len() == BLOCK_PREFIXES_MAX => return Err(TooMany),
            Some(prefix) => self.prefixes.push(prefix),
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn comments_and_empty_lines_are_none() {
        let mut lines = Lines::default();
        lines
            .read(b"# a list\r\n\r\n192.0.2.0/24 ; SBL1\n 2001:db8::/32\n\nwhat\n192.0.2.")
            .unwrap();
        lines.read(b"77").unwrap();
        let (prefixes, unreadable) = lines.end().unwrap();
        let texts: Vec<_> = prefixes.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["192.0.2.0/24", "2001:db8::/32", "192.0.2.77"]);
        assert_eq!(unreadable, 1);
    }

    #[test]
    fn a_long_line_is_one_that_cannot_be_read() {
        let long = [&[b' '; LINE_BYTES + 9][..], b"192.0.2.1\n192.0.2.2\n"].concat();
        for size in [1, 7, 100, long.len()] {
            let mut lines = Lines::default();
            for piece in long.chunks(size) {
                lines.read(piece).unwrap();
            }
            let (prefixes, unreadable) = lines.end().unwrap();
            assert_eq!((prefixes.len(), unreadable), (1, 1), "{size}");
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "([0-9./:a#; ]{0,20}\n?|\\PC{0,20}\n){0,20}", size in 1_usize..40) {
            let mut whole = Lines::default();
            whole.read(text.as_bytes()).unwrap();
            let mut pieces = Lines::default();
            for piece in text.as_bytes().chunks(size) {
                pieces.read(piece).unwrap();
            }
            prop_assert_eq!(whole.end().unwrap(), pieces.end().unwrap());
        }
    }
}
