//! Pure: where scores stand, and which of them goes when one more comes.

use std::hash::{BuildHasher as _, RandomState};

use super::pieces::Piece;
use crate::prefix::Prefix;

/// Rows of one set: a client's row is in the one set that its address leads to.
pub(super) const WAYS: usize = 8;

/// Sets that the clients of one IPv6 /48, or one IPv4 /16, are spread over.
const GROUP_SETS: u64 = 64;

/// Bits of a client's number within its group: of 64 for IPv6, of 32 for IPv4.
const GROUP_SHIFT: u32 = 16;

/// Rows of a full set that one group may have. Together with [`GROUP_SETS`] it leaves one /48 or /16 that floods a
/// full table 256 of the rows, and whoever else is in those sets keeps theirs.
const GROUP_WAYS: usize = WAYS / 2;

/// Who has a score: an IPv4 prefix, or an IPv6 prefix of up to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    number: u64,
    class: u8,
}

impl Client {
    /// An IPv6 prefix beyond 64 bits is its /64: that is one client.
    pub(super) fn of(prefix: &Prefix) -> Self {
        let prefix = if prefix.is_ipv4() {
            *prefix
        } else {
            prefix.widened(super::super::CLIENT_BITS)
        };
        Self {
            number: prefix.number(),
            class: prefix.class_byte(),
        }
    }

    pub(super) fn prefix(self) -> Option<Prefix> {
        Prefix::numbered(self.number, self.class)
    }

    /// The /48 or /16 that it is in. Of IPv6, whose numbers shift to 48 bits, and of IPv4, there are no equal ones.
    const fn group(self) -> u64 {
        let four = Prefix::is_class_of_ipv4(self.class) as u64;
        four << (u64::BITS - 1) | self.number >> GROUP_SHIFT
    }

    /// A few bits that tell clients apart, though not all.
    pub(super) fn tag(self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the halves are meant")]
        let folded = (self.number >> 32) as u32 ^ self.number as u32;
        folded
    }
}

/// One client's score by one rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    client: Client,
    pub(super) rule: u8,
    /// Pieces of evidence that there were, counted up to [`super::EVIDENCE_MAX`]; none for no row.
    pub(super) count: u8,
    /// When it was last added to, as the how manieth of all.
    pub(super) touched: u32,
    pub(super) level: f64,
    pub(super) first: Piece,
    /// The latest piece of evidence but the first.
    pub(super) latest: u32,
}

impl Row {
    const NONE: Self = Self {
        client: Client {
            number: 0,
            class: 0,
        },
        rule: 0,
        count: 0,
        touched: 0,
        level: 0.0,
        first: Piece::NONE,
        latest: 0,
    };

    pub(super) fn new(client: Client, rule: u8, level: f64, first: Piece, touched: u32) -> Self {
        Self {
            client,
            rule,
            count: 1,
            touched,
            level,
            first,
            latest: 0,
        }
    }

    pub(super) const fn client(&self) -> Client {
        self.client
    }

    const fn is_none(&self) -> bool {
        self.count == 0
    }

    fn is(&self, client: Client, rule: u8) -> bool {
        self.client == client && self.rule == rule && !self.is_none()
    }
}

type Set = [Row; WAYS];

/// All rows: a table of sets, as in a processor's cache. To find, to add and to make room are a look at one set, which
/// is allocated when it is first used and never again.
#[derive(Debug)]
pub(super) struct Rows {
    sets: Vec<Option<Box<Set>>>,
    /// Nobody outside can know which clients share a set.
    key: RandomState,
    len: usize,
}

impl Rows {
    pub(super) fn new(room: usize) -> Self {
        let sets = (room / WAYS).max(1);
        Self {
            sets: (0..sets).map(|_| None).collect(),
            key: RandomState::new(),
            len: 0,
        }
    }

    fn place(&self, client: Client) -> usize {
        /// The golden ratio of 2^64: its multiples spread (Knuth).
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let group = self.key.hash_one(client.group());
        let mixed = (client.number ^ group.rotate_left(32)).wrapping_mul(SPREAD);
        let within = mixed >> (u64::BITS - GROUP_SETS.trailing_zeros());
        let sets = self.sets.len() as u64;
        usize::try_from((group % sets + within) % sets).unwrap_or_default()
    }

    pub(super) fn get(&self, client: Client, rule: u8) -> Option<&Row> {
        let set = self.sets.get(self.place(client))?.as_deref()?;
        set.iter().find(|row| row.is(client, rule))
    }

    /// Changes the row, or puts `new` where there is none. `worth` says how near a ban a row is.
    pub(super) fn change(
        &mut self,
        client: Client,
        rule: u8,
        change: impl FnOnce(&mut Row),
        new: impl FnOnce() -> Row,
        worth: impl Fn(&Row) -> f64,
    ) {
        let place = self.place(client);
        let Some(set) = self.sets.get_mut(place) else {
            return;
        };
        let set = set.get_or_insert_with(|| Box::new([Row::NONE; WAYS]));
        if let Some(row) = set.iter_mut().find(|row| row.is(client, rule)) {
            return change(row);
        }
        let new = new();
        let free = set.iter().position(Row::is_none);
        self.len += usize::from(free.is_some());
        let at = free.unwrap_or_else(|| goes(set, &new, worth));
        if let Some(row) = set.get_mut(at) {
            *row = new;
        }
    }

    /// Forgets a client's rows of all rules.
    pub(super) fn forget(&mut self, client: Client) {
        let place = self.place(client);
        let set = self.sets.get_mut(place).and_then(Option::as_deref_mut);
        for row in set.into_iter().flatten() {
            if row.client == client && !row.is_none() {
                *row = Row::NONE;
                self.len -= 1;
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Row> {
        let sets = self.sets.iter().flatten();
        sets.flat_map(|set| set.iter()).filter(|row| !row.is_none())
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

/// Which row of a full set goes for a new one, which always comes in: were it kept out because all others have more
/// points, nobody new could ever gain any while somebody keeps the table full.
///
/// Those that may go are all, or, where one group would have more than [`GROUP_WAYS`] rows, that group's. The half of
/// them that is nearest to a ban stays, whatever comes: to push that out takes as many points. Of the others, the one
/// goes that was added to the longest ago; so a newcomer has time to gain points until as many other newcomers as the
/// other half has rows have come to this one of the sets.
fn goes(set: &Set, new: &Row, worth: impl Fn(&Row) -> f64) -> usize {
    let groups = set.map(|row| row.client.group());
    let own = new.client.group();
    let (mut crowd, mut most) = (None, GROUP_WAYS);
    for group in groups {
        let size =
            groups.iter().filter(|other| **other == group).count() + usize::from(group == own);
        if size > most {
            (crowd, most) = (Some(group), size);
        }
    }
    let mut may = [(0.0, 0); WAYS];
    let mut count = 0;
    for (at, row) in set.iter().enumerate() {
        if crowd.is_none_or(|crowd| groups[at] == crowd) {
            may[count] = (worth(row), at);
            count += 1;
        }
    }
    let may = &mut may[..count];
    may.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let low = may.get(..count.div_ceil(2)).unwrap_or_default();
    let oldest = low
        .iter()
        .max_by_key(|(_, at)| new.touched.wrapping_sub(set[*at].touched));
    oldest.map_or(0, |(_, at)| *at)
}
