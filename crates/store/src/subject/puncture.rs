//! The keys of all subjects in little room, and how one is destroyed. Pure.
//!
//! A subject's key is a leaf of the binary tree of Goldreich, Goldwasser and Micali ("How to
//! construct random functions", J. ACM 33, 1986): a node's children are a pseudorandom function
//! of it, here HMAC-SHA-256 (RFC 2104), because its crate wipes its state and the workspace has
//! SHA-256 anyway. Destroying keys is puncturing (Boneh and Waters, ASIACRYPT 2013; for forward
//! secrecy Green and Miers, IEEE S&P 2015): what is kept is the smallest set of nodes, the cover,
//! under which every leaf lies but the destroyed ones. No destroyed leaf can be computed from it,
//! and leaves destroyed side by side cost no more than one.

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secret::Key;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Levels below the root. 2^40 subjects last for 34 years at a thousand a second.
pub(crate) const LEVELS: u32 = 40;
/// Subjects that there can be: numbers are below this.
pub(crate) const NUMBERS: u64 = 1 << LEVELS;
/// Nodes that a cover may have: 2^20, which take 38 MiB on the disk. Every second of two million
/// subjects can be erased before this is reached, and any number side by side.
pub(crate) const NODES_MAX: usize = 1 << 20;
/// Bytes of one encoded node: its place (6) and its key.
pub(crate) const NODE_BYTES: usize = 6 + secret::KEY_BYTES;

/// Where a node stands: so many levels above the leaves, over the leaves from `first` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    height: u32,
    first: u64,
}

impl Place {
    const fn last(self) -> u64 {
        self.first + ((1 << self.height) - 1)
    }

    /// Left and right child; `None` for a leaf.
    const fn children(self) -> Option<[Self; 2]> {
        let Some(height) = self.height.checked_sub(1) else {
            return None;
        };
        let right = self.first + (1 << height);
        Some([
            Self { height, ..self },
            Self {
                height,
                first: right,
            },
        ])
    }

    /// Number in the tree: the root is 1, the children of n are 2n and 2n + 1.
    const fn number(self) -> u64 {
        (NUMBERS + self.first) >> self.height
    }

    fn numbered(number: u64) -> Option<Self> {
        let level = number.checked_ilog2()?;
        let height = LEVELS.checked_sub(level)?;
        let first = (number << height) - NUMBERS;
        Some(Self { height, first })
    }
}

/// The keys of all subjects but the destroyed ones. Wiped when dropped.
///
/// Each node is boxed so that what moves within the map is its address and never its key.
pub(crate) struct Cover(BTreeMap<u64, (u32, Box<Key>)>);

impl fmt::Debug for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cover")
            .field("nodes", &self.0.len())
            .finish_non_exhaustive()
    }
}

/// Bytes that are no cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoCover;

impl Cover {
    /// All keys, none destroyed.
    pub(crate) fn whole(root: Box<Key>) -> Self {
        Self(BTreeMap::from([(0, (LEVELS, root))]))
    }

    /// How many nodes it has.
    pub(crate) fn nodes(&self) -> usize {
        self.0.len()
    }

    /// How many subjects' keys are destroyed.
    pub(crate) fn destroyed(&self) -> u64 {
        let left: u64 = self.0.values().map(|(height, _)| 1 << height).sum();
        NUMBERS - left
    }

    /// How many it will have once this subject's key is destroyed too.
    pub(crate) fn nodes_without(&self, number: u64) -> usize {
        match self.over(number) {
            Some((place, _)) => self.nodes() - 1 + place.height as usize,
            None => self.nodes(),
        }
    }

    /// The node over a leaf.
    fn over(&self, number: u64) -> Option<(Place, &Key)> {
        let (&first, (height, key)) = self.0.range(..=number).next_back()?;
        let place = Place {
            height: *height,
            first,
        };
        (number <= place.last()).then_some((place, key))
    }

    /// Whether a subject's key has not been destroyed.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.over(number).is_some()
    }

    /// A subject's key, or `None` where it was destroyed or there can be no such subject.
    pub(crate) fn derive(&self, number: u64) -> Option<Key> {
        let (place, key) = self.over(number)?;
        let mut key = key.clone();
        for level in (0..place.height).rev() {
            key = child(&key, (number >> level) & 1 == 1);
        }
        Some(key)
    }

    /// Destroys one subject's key. True where it was still there.
    pub(crate) fn puncture(&mut self, number: u64) -> bool {
        self.puncture_range(number, number)
    }

    /// Destroys the keys of the subjects from `first` to `last`, both included. True where one of
    /// them was still there.
    pub(crate) fn puncture_range(&mut self, first: u64, last: u64) -> bool {
        if first > last {
            return false;
        }
        let before = self.0.range(..first).next_back().map(|(at, _)| *at);
        let start = before.unwrap_or(first);
        let struck: Vec<u64> = self.0.range(start..=last).map(|(at, _)| *at).collect();
        let mut any = false;
        for at in struck {
            let Some((height, key)) = self.0.remove(&at) else {
                continue;
            };
            let place = Place { height, first: at };
            any |= place.last() >= first;
            self.carve(place, key, first, last);
        }
        any
    }

    /// Keeps of a node what lies outside `first..=last`.
    fn carve(&mut self, place: Place, key: Box<Key>, first: u64, last: u64) {
        if place.last() < first || place.first > last {
            self.0.insert(place.first, (place.height, key));
            return;
        }
        if first <= place.first && place.last() <= last {
            return;
        }
        if let Some([left, right]) = place.children() {
            let (of_left, of_right) = (child(&key, false), child(&key, true));
            drop(key);
            self.carve(left, Box::new(of_left), first, last);
            self.carve(right, Box::new(of_right), first, last);
        }
    }

    /// Its bytes: one node after the other, in the order of their leaves.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for (&first, (height, key)) in &self.0 {
            let height = *height;
            let number = Place { height, first }.number();
            out.extend_from_slice(&number.to_le_bytes()[..6]);
            out.extend_from_slice(key.expose());
        }
    }

    /// Reads it back. There is one encoding of each cover: what is out of order, overlaps or could
    /// never have come of puncturing is refused.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, NoCover> {
        let (nodes, []) = bytes.as_chunks::<NODE_BYTES>() else {
            return Err(NoCover);
        };
        if nodes.len() > NODES_MAX {
            return Err(NoCover);
        }
        let mut cover = BTreeMap::new();
        let mut before: Option<Place> = None;
        for node in nodes {
            let (number, key) = node.split_first_chunk::<6>().ok_or(NoCover)?;
            let mut wide = [0; 8];
            wide[..6].copy_from_slice(number);
            let place = Place::numbered(u64::from_le_bytes(wide)).ok_or(NoCover)?;
            if let Some(before) = before {
                let twins = before.height == place.height && before.number() ^ 1 == place.number();
                if place.first <= before.last() || twins {
                    return Err(NoCover);
                }
            }
            before = Some(place);
            let mut bytes = Zeroizing::new([0; secret::KEY_BYTES]);
            bytes.copy_from_slice(key);
            cover.insert(place.first, (place.height, Box::new(Key::new(*bytes))));
        }
        Ok(Self(cover))
    }
}

/// The left or the right child of a node.
fn child(parent: &Key, right: bool) -> Key {
    prf(parent, &[u8::from(right)])
}

/// HMAC-SHA-256.
pub(crate) fn prf(key: &Key, message: &[u8]) -> Key {
    // HMAC fills a key up to a block of its hash with zeros itself (RFC 2104, section 2).
    let mut block = Zeroizing::new([0; 64]);
    block[..secret::KEY_BYTES].copy_from_slice(key.expose());
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(message);
    let out = Zeroizing::new(<[u8; secret::KEY_BYTES]>::from(mac.finalize().into_bytes()));
    Key::new(*out)
}

#[cfg(test)]
#[path = "puncture_tests.rs"]
mod tests;
