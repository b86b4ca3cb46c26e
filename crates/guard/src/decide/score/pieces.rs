//! Pure: what led to scores, in few bytes each.

use std::net::IpAddr;

use guard_api::Evidence;

use super::rows::Client;
use crate::names::{Name, Names};
use crate::prefix::Prefix;

/// Pieces of evidence that are kept of all clients together, but for the first of each, which stays as long as its
/// score. The earliest go.
pub(super) const PIECES_MAX: usize = 8192;

/// One thing that was seen and counted. The client is that of the row, but for the bits of its address beyond.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// The lower half of an IPv6 address, or an IPv4 address.
    low: [u8; 8],
    /// Seconds since 1970, until 2106.
    at: u32,
    times: u32,
    kind: Name,
    unit: Name,
}

impl Piece {
    pub(super) const NONE: Self = Self {
        low: [0; 8],
        at: 0,
        times: 0,
        kind: Name::NONE,
        unit: Name::NONE,
    };

    pub(super) fn new(client: IpAddr, at: u64, times: u32, kind: Name, unit: Name) -> Self {
        Self {
            low: Prefix::host(client).low().to_be_bytes(),
            at: u32::try_from(at).unwrap_or(u32::MAX),
            times,
            kind,
            unit,
        }
    }

    pub(super) const fn unit(&self) -> Name {
        self.unit
    }

    fn shown(&self, of: Client, kinds: &Names, units: &Names) -> Option<Evidence> {
        Some(Evidence {
            at: self.at.into(),
            kind: kinds.text(self.kind).to_owned(),
            client: of.prefix()?.with_low(u64::from_be_bytes(self.low)),
            unit: units.text(self.unit).to_owned(),
            times: self.times,
        })
    }
}

/// A piece that is not its row's first.
#[derive(Debug, Clone, Copy)]
struct Later {
    piece: Piece,
    /// The piece of the same row before this one.
    before: u32,
    /// Whose it is: numbers are used again, after 2^32 pieces.
    tag: u32,
}

/// The later pieces of all rows, each of which leads to the one before.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    ring: Vec<Later>,
    next: u32,
}

impl Pieces {
    /// Takes one more, and gives its number.
    pub(super) fn put(&mut self, of: Client, piece: Piece, before: u32) -> u32 {
        let later = Later {
            piece,
            before,
            tag: of.tag(),
        };
        if self.ring.len() < PIECES_MAX {
            self.ring.reserve_exact(PIECES_MAX - self.ring.len());
            self.ring.push(later);
        } else if let Some(earliest) = self.ring.get_mut(self.next as usize % PIECES_MAX) {
            *earliest = later;
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        number
    }

    fn get(&self, number: u32, of: Client) -> Option<&Later> {
        let still = (1..=PIECES_MAX).contains(&(self.next.wrapping_sub(number) as usize));
        let later = self.ring.get(number as usize % PIECES_MAX);
        later.filter(|later| still && later.tag == of.tag())
    }

    /// The first piece, and up to `most` later ones, the earliest first.
    pub(super) fn shown(
        &self,
        of: Client,
        first: &Piece,
        latest: u32,
        most: usize,
        (kinds, units): (&Names, &Names),
    ) -> Vec<Evidence> {
        let mut later = Vec::new();
        let mut number = latest;
        while later.len() < most
            && let Some(one) = self.get(number, of)
        {
            later.extend(one.piece.shown(of, kinds, units));
            number = one.before;
        }
        later.extend(first.shown(of, kinds, units));
        later.reverse();
        later
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Piece> {
        self.ring.iter().map(|later| &later.piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_small_and_bounded_and_lead_to_no_one_else() {
        assert!(size_of::<Later>() <= 28, "{}", size_of::<Later>());
        let mut pieces = Pieces::default();
        let client = |number: u32| Client::of(&Prefix::host(IpAddr::V4(number.into())));
        let piece = |at| Piece::new([203, 0, 113, 7].into(), at, 1, Name::NONE, Name::NONE);
        let first = pieces.put(client(1), piece(1), 0);
        let second = pieces.put(client(1), piece(2), first);
        for at in 3..PIECES_MAX as u64 {
            pieces.put(client(2), piece(at), 0);
        }
        let names = Names::default();
        let times = |pieces: &Pieces, of| -> Vec<u64> {
            let shown = pieces.shown(of, &piece(0), second, 2, (&names, &names));
            shown.iter().map(|one| one.at).collect()
        };
        assert_eq!(times(&pieces, client(1)), [0, 1, 2]);
        assert_eq!(times(&pieces, client(2)), [0]);
        pieces.put(client(2), piece(9), 0);
        pieces.put(client(2), piece(9), 0);
        assert_eq!(times(&pieces, client(1)), [0, 2]);
        pieces.next = u32::MAX;
        assert_eq!(times(&pieces, client(1)), [0]);
        assert_eq!(pieces.ring.len(), PIECES_MAX);
    }
}
