//! Proof that hyper reads what the scanner takes exactly as the scanner does, and that neither depends
//! on how the bytes arrive. Built for tests and fuzzing alone.

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod grammar;
mod pipe;

use std::collections::BTreeMap;

use super::{Reason, Scanner, Witness};

/// A request as one of the two read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) is_http11: bool,
    /// By name in lower case, in order.
    pub(super) fields: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    pub(super) body: Vec<u8>,
    pub(super) is_whole: bool,
}

/// What a scanner made of a connection's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    pub(super) requests: Vec<Seen>,
    /// How many bytes passed.
    pub(super) taken: usize,
    pub(super) refused: Option<Reason>,
}

#[derive(Default)]
struct Notes {
    requests: Vec<Seen>,
    next: Seen,
}

impl Witness for Notes {
    fn line(&mut self, method: &[u8], target: &[u8], is_http11: bool) {
        self.next = Seen {
            method: method.to_owned(),
            target: without_case_of_scheme(target),
            is_http11,
            ..Seen::default()
        };
    }

    fn field(&mut self, name: &[u8], value: &[u8]) {
        let values = self.next.fields.entry(name.to_ascii_lowercase());
        values.or_default().push(value.to_owned());
    }

    fn head(&mut self) {
        self.requests.push(std::mem::take(&mut self.next));
    }

    fn body(&mut self, piece: &[u8]) {
        if let Some(last) = self.requests.last_mut() {
            last.body.extend_from_slice(piece);
        }
    }

    fn end(&mut self) {
        if let Some(last) = self.requests.last_mut() {
            last.is_whole = true;
        }
    }
}

/// As `http::Uri` keeps a target: all but the case of a scheme.
fn without_case_of_scheme(target: &[u8]) -> Vec<u8> {
    let mut target = target.to_owned();
    if target.first() != Some(&b'/') {
        let scheme = memchr::memchr(b':', &target).unwrap_or(0);
        target[..scheme].make_ascii_lowercase();
    }
    target
}

/// Cuts `bytes` into pieces whose lengths `seed` decides; 0 leaves them whole.
pub(super) fn pieces(mut bytes: &[u8], mut seed: u64) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while seed != 0 && !bytes.is_empty() {
        // Marsaglia's xorshift: never zero again.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let most = if seed & 0x100 == 0 { 3 } else { 64 };
        let length = usize::try_from(seed % most).unwrap_or(0) + 1;
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    if !bytes.is_empty() {
        pieces.push(bytes);
    }
    pieces
}

/// Scans a connection whose bytes come in `pieces`; requests to upgrade are not answered with 101.
pub(super) fn scan(pieces: &[&[u8]]) -> Scanned {
    let mut scanner = Scanner::new();
    let mut notes = Notes::default();
    let mut held = Vec::new();
    let mut taken = 0;
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let scan = scanner.scan(&held, &mut notes);
            held.drain(..scan.taken);
            taken += scan.taken;
            if scan.refused.is_some() {
                return Scanned {
                    requests: notes.requests,
                    taken,
                    refused: scan.refused,
                };
            }
            if !scanner.is_waiting() {
                break;
            }
            scanner.answered(false);
        }
    }
    Scanned {
        requests: notes.requests,
        taken,
        refused: None,
    }
}

/// Compares the scanner, the scanner with the bytes cut up, hyper behind the scanner, and hyper
/// behind the guard. How many requests there were.
///
/// # Panics
/// When two of them differ.
pub fn compare(bytes: &[u8], seed: u64) -> usize {
    let whole = scan(&[bytes]);
    let cut = pieces(bytes, seed);
    assert_eq!(scan(&cut), whole, "cut up: {}", bytes.escape_ascii());
    let taken = &bytes[..whole.taken];
    let (read, _) = pipe::hyper(&[taken], false);
    assert_eq!(read, whole.requests, "hyper: {}", bytes.escape_ascii());
    let (guarded, answers) = pipe::hyper(&cut, true);
    assert_eq!(guarded, whole.requests, "guard: {}", bytes.escape_ascii());
    if let Some(reason) = whole.refused {
        let status = format!("HTTP/1.1 {} ", reason.status().as_u16());
        let last = memchr::memmem::rfind(&answers, b"HTTP/1.1 ").map(|at| &answers[at..]);
        assert!(
            last.is_some_and(|last| last.starts_with(status.as_bytes())),
            "{reason}: {}\nanswered with {}",
            bytes.escape_ascii(),
            answers.escape_ascii()
        );
    }
    whole.requests.len()
}
