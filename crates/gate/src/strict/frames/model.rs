//! What must hold of any bytes. The fuzz target and the property tests hold [`Frames`] to it.

use super::{Fault, Frames, Next, Sent};

/// What h2 reads of some bytes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Read {
    /// The bytes that pass.
    pub passed: Vec<u8>,
    /// The streams that end with an error, and before how many of those bytes.
    pub resets: Vec<(usize, u32)>,
    /// Bytes that are for nobody.
    pub dropped: usize,
    /// Why the connection ends.
    pub fault: Option<Fault>,
    /// Bytes that wait for more.
    pub waiting: usize,
}

/// Shows these pieces to new [`Frames`], one after another.
#[must_use]
pub fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let (mut frames, mut read, mut held) = (Frames::default(), Read::default(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        while read.fault.is_none() {
            let scan = frames.scan(&held);
            read.passed.extend(held.drain(..scan.pass));
            match scan.next {
                Next::More => break,
                Next::Drop(bytes) => read.dropped += held.drain(..bytes).len(),
                Next::Reset(stream) => read.resets.push((read.passed.len(), stream)),
                Next::End(fault) => read.fault = Some(fault),
            }
        }
    }
    read.waiting = held.len();
    read
}

/// The codes of GOAWAY among bytes that are sent in pieces.
fn codes<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut sent, mut codes) = (Sent::default(), Vec::new());
    for mut piece in pieces {
        while !piece.is_empty() {
            let followed = sent.follow(piece);
            codes.extend(followed.code);
            piece = &piece[followed.bytes..];
        }
    }
    codes
}

/// Where `seed` cuts bytes.
fn split(bytes: &[u8], mut seed: u64) -> Vec<&[u8]> {
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        seed = seed
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        // Mostly a few bytes.
        let most = if seed >> 63 == 0 { 4 } else { 64 };
        let (piece, behind) = rest.split_at(rest.len().min(1 + (seed >> 33) as usize % most));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// Shows what a client sends behind the beginning of its connection, whole and as `seed` cuts it.
///
/// # Panics
/// When the two are not read alike, or bytes are lost.
pub fn compare(bytes: &[u8], seed: u64) {
    let mut stream = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    stream.extend_from_slice(bytes);
    let whole = read([&stream[..]]);
    let pieces = split(&stream, seed);
    let mut parts = read(pieces.iter().copied());
    if whole.fault.is_some() {
        // How much comes behind the end is no matter.
        parts.waiting = whole.waiting;
    }
    assert_eq!(parts, whole);
    let all = whole.passed.len() + whole.dropped + whole.waiting;
    assert_eq!(all, stream.len());
    if whole.fault.is_none() && whole.dropped == 0 {
        assert_eq!(whole.passed, stream[..whole.passed.len()]);
        assert!(whole.waiting < super::head::HEAD_BYTES);
    }
    assert_eq!(codes(split(bytes, seed)), codes([bytes]));
}
