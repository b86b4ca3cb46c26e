//! A text in a stream that comes in pieces.

/// Looks for one text.
#[derive(Debug, Clone)]
pub(super) struct Seek<'a> {
    wanted: &'a [u8],
    /// The end of what was fed: too short to hold the text, long enough for its beginning.
    tail: Vec<u8>,
    found: bool,
}

impl<'a> Seek<'a> {
    /// Looks for `wanted`; an empty text is found at once.
    pub(super) fn new(wanted: &'a str) -> Self {
        Self {
            wanted: wanted.as_bytes(),
            tail: Vec::new(),
            found: wanted.is_empty(),
        }
    }

    /// Takes the next piece; true from the piece on that completes the text.
    pub(super) fn feed(&mut self, piece: &[u8]) -> bool {
        if self.found {
            return true;
        }
        self.tail.extend_from_slice(piece);
        self.found = self
            .tail
            .windows(self.wanted.len())
            .any(|window| window == self.wanted);
        let kept = self.wanted.len() - 1;
        self.tail.drain(..self.tail.len().saturating_sub(kept));
        self.found
    }

    /// Whether it was there.
    pub(super) fn found(&self) -> bool {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_everywhere_and_half_is_nowhere() {
        assert!(Seek::new("").found());
        let mut seek = Seek::new("event: done");
        assert!(!seek.feed(b"event: do"));
        assert!(!seek.clone().feed(b"event: do"));
        assert!(seek.feed(b"ne\n") && seek.feed(b"more") && seek.found());
    }

    proptest! {
        #[test]
        fn it_is_found_however_the_stream_is_cut(
            text in "[ab]{0,40}", wanted in "[ab]{1,4}", cuts in prop::collection::vec(1_usize..6, 1..60),
        ) {
            let mut seek = Seek::new(&wanted);
            let mut rest = text.as_bytes();
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                seek.feed(piece);
                rest = after;
            }
            prop_assert_eq!(seek.found(), text.contains(&wanted));
        }
    }
}
