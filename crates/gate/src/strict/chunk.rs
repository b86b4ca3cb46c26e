//! Pure: the chunked transfer coding (RFC 9112, section 7.1) without extensions and trailers. Nothing
//! behind the gate reads either, and both are where parsers disagree about where a chunk ends.

use super::{BODY_BYTES_MAX, CHUNK_DIGITS, Reason, Witness};

/// Where in a chunked body the scanner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Before a chunk's size.
    Size,
    /// Before the chunk's data that is still to come, in bytes.
    Data(u64),
    /// Before the line end behind a chunk's data.
    DataEnd,
    /// Behind the last chunk's size, before the empty line that ends the body.
    Last,
    /// Behind the body.
    End,
}

impl Chunk {
    /// Takes as much of `bytes` as is whole, and returns how much that is, in bytes.
    ///
    /// # Errors
    /// Why what comes next is refused.
    pub(super) fn step(
        &mut self,
        bytes: &[u8],
        witness: &mut impl Witness,
    ) -> Result<usize, Reason> {
        let (taken, next) = match *self {
            Self::Size => match size(bytes)? {
                Some((taken, 0)) => (taken, Self::Last),
                Some((taken, size)) => (taken, Self::Data(size)),
                None => return Ok(0),
            },
            Self::Data(left) => {
                let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                witness.body(&bytes[..taken]);
                match left - taken as u64 {
                    0 => (taken, Self::DataEnd),
                    left => (taken, Self::Data(left)),
                }
            }
            Self::DataEnd => match line_end(bytes, Reason::ChunkEnd)? {
                Some(taken) => (taken, Self::Size),
                None => return Ok(0),
            },
            Self::Last => match line_end(bytes, Reason::Trailer)? {
                Some(taken) => (taken, Self::End),
                None => return Ok(0),
            },
            Self::End => return Ok(0),
        };
        *self = next;
        Ok(taken)
    }
}

/// A chunk's size line: how long it is and what it says, in bytes; none when it is not whole.
fn size(bytes: &[u8]) -> Result<Option<(usize, u64)>, Reason> {
    let mut size = 0_u64;
    for (at, byte) in bytes.iter().enumerate() {
        let Some(digit) = char::from(*byte).to_digit(16) else {
            return match byte {
                _ if at == 0 => Err(Reason::ChunkSize),
                b'\r' => Ok(line_end(&bytes[at..], Reason::ChunkEnd)?.map(|end| (at + end, size))),
                b'\n' => Err(Reason::ChunkEnd),
                b';' | b' ' | b'\t' => Err(Reason::ChunkExtension),
                _ => Err(Reason::ChunkSize),
            };
        };
        if at == CHUNK_DIGITS || size > BODY_BYTES_MAX >> 4 {
            return Err(Reason::ChunkSizeTooLarge);
        }
        size = size << 4 | u64::from(digit);
    }
    Ok(None)
}

/// The length of the line end that `bytes` begin with; none when it is not whole.
fn line_end(bytes: &[u8], otherwise: Reason) -> Result<Option<usize>, Reason> {
    match bytes {
        [] | [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some(2)),
        [b'\r' | b'\n', ..] => Err(Reason::ChunkEnd),
        _ => Err(otherwise),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_plain_hexadecimal() {
        assert_eq!(size(b"1aF\r\nx"), Ok(Some((5, 0x1af))));
        assert_eq!(size(b"0000000000000001\r\n"), Ok(Some((18, 1))));
        let most = b"7fffffffffffffff\r\n";
        assert_eq!(size(most), Ok(Some((18, BODY_BYTES_MAX))));
        for whole in ["", "1", "1\r"] {
            assert_eq!(size(whole.as_bytes()), Ok(None), "{whole:?}");
        }
        for (bytes, reason) in [
            ("\r\n", Reason::ChunkSize),
            ("x", Reason::ChunkSize),
            ("-1", Reason::ChunkSize),
            ("+1", Reason::ChunkSize),
            (" 1", Reason::ChunkSize),
            ("0x1", Reason::ChunkSize),
            ("1_0", Reason::ChunkSize),
            ("1;a", Reason::ChunkExtension),
            ("1 \r\n", Reason::ChunkExtension),
            ("1\n", Reason::ChunkEnd),
            ("1\rx", Reason::ChunkEnd),
            ("00000000000000001", Reason::ChunkSizeTooLarge),
            ("8000000000000000", Reason::ChunkSizeTooLarge),
            ("ffffffffffffffffff", Reason::ChunkSizeTooLarge),
        ] {
            assert_eq!(size(bytes.as_bytes()), Err(reason), "{bytes:?}");
        }
    }
}
