//! Streams from a stand-in store, whole, in pieces, damaged and made up.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod chain;
mod hostile;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::format::{CHUNK_BYTES_MAX, MAGIC, header_hash, next_hash};
use super::restore::apply;
use super::stream::{Block, Source, stream};
use super::{BLOCK_BYTES, Fault, HEADER_BYTES, Item, Parser, verify};
use crate::error::Error;
use crate::layout::{POOL_AT, SLOTS, offset, slot_copies};
use crate::mark::Mark;
use crate::tests::simulated::Simulated;
use crate::watch::Step;

/// A store whose blocks are given.
#[derive(Debug, Clone, Default)]
struct Fake {
    generation: u64,
    lineage: u8,
    /// The generation and the first byte of each block by address.
    blocks: BTreeMap<u64, (u64, u8)>,
}

impl Source for Fake {
    fn mark(&self) -> Mark {
        Mark {
            file: std::array::from_fn(|at| 0xa0 + u8::try_from(at).unwrap()),
            lineage: [self.lineage; 16],
            generation: self.generation,
            at: 1_795_183_380,
        }
    }

    fn superblock(&self) -> &Block {
        &[0x5b; BLOCK_BYTES]
    }

    fn slot(&self) -> &Block {
        const ROOT: Block = filled(7);
        &ROOT
    }

    fn walk(
        &self,
        since: u64,
        visit: &mut dyn FnMut(u64, &Block) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (address, (generation, byte)) in self.blocks.iter().rev() {
            if *generation > since {
                visit(*address, &filled(*byte))?;
            }
        }
        Ok(())
    }
}

impl Fake {
    fn commit(&mut self, changes: &[(u64, u8)]) {
        self.generation += 1;
        for (address, byte) in changes {
            let block = (self.generation, *byte);
            self.blocks.insert(POOL_AT + address, block);
        }
    }

    fn taken(&self, base: Option<&Mark>) -> Vec<u8> {
        let mut out = Vec::new();
        let mark = stream(self, base, &mut out, &mut go_on()).unwrap();
        assert_eq!(mark, self.mark());
        out
    }
}

/// The bytes `first`, `first + 1`, …
const fn filled(first: u8) -> Block {
    let mut block = [first; BLOCK_BYTES];
    let mut at = 1;
    while at < BLOCK_BYTES {
        block[at] = block[at - 1].wrapping_add(1);
        at += 1;
    }
    block
}

fn go_on() -> impl FnMut(&Step) -> ControlFlow<()> {
    |_| ControlFlow::Continue(())
}

/// What a stream says, byte by byte, where it is whole.
fn summed(bytes: &[u8]) -> Result<super::Summary, Error> {
    verify(&mut &*bytes, &mut go_on())
}

fn fault(error: Error) -> Fault {
    match error {
        Error::Snapshot(fault) => fault,
        other => panic!("{other}"),
    }
}

/// A stream with a made-up middle whose hashes fit.
fn made_up(header: impl FnOnce(&mut Vec<u8>), chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut fake = Fake::default();
    fake.commit(&[]);
    let mut bytes = fake.taken(None);
    bytes.truncate(HEADER_BYTES);
    header(&mut bytes);
    let mut hash = header_hash(&bytes);
    bytes.extend(hash);
    for chunk in chunks {
        bytes.extend(chunk);
        hash = next_hash(&hash, &[chunk]);
        bytes.extend(hash);
    }
    bytes
}

fn commits() -> impl Strategy<Value = Vec<Vec<(u64, u8)>>> {
    let commit = prop::collection::vec((0_u64..600, any::<u8>()), 0..300);
    prop::collection::vec(commit, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_full_stream_and_the_changes_after_it_restore_each_commit(commits in commits()) {
        let mut fake = Fake::default();
        let disk = Simulated::recording();
        let mut base = None;
        for changes in commits {
            fake.commit(&changes);
            let bytes = fake.taken(base.as_ref());
            let summary = apply(&*disk, base.as_ref(), &mut bytes.as_slice(), &mut go_on()).unwrap();
            prop_assert_eq!(summary.mark, fake.mark());
            prop_assert_eq!(summary.base, base.map_or(0, |base: Mark| base.generation));
            prop_assert_eq!(summary.bytes, bytes.len() as u64);
            prop_assert_eq!(summed(&bytes).unwrap(), summary);
            let image = disk.image();
            let at = |address: u64| {
                let from = usize::try_from(offset(address)).unwrap();
                image[from..from + BLOCK_BYTES].to_vec()
            };
            for (address, (_, byte)) in &fake.blocks {
                prop_assert_eq!(at(*address), filled(*byte).to_vec());
            }
            for slot in 0..SLOTS {
                let own = slot == fake.generation % SLOTS;
                let expected = if own { filled(7) } else { [0; BLOCK_BYTES] };
                for copy in slot_copies(slot) {
                    prop_assert_eq!(at(copy), expected.to_vec());
                }
            }
            prop_assert_eq!(at(0), fake.superblock().to_vec());
            prop_assert_eq!(at(1), fake.superblock().to_vec());
            base = Some(summary.mark);
        }
    }

    #[test]
    fn pieces_of_any_size_say_the_same(
        changes in prop::collection::vec((0_u64..600, any::<u8>()), 0..600),
        sizes in prop::collection::vec(1_usize..70_000, 1..20),
    ) {
        let mut fake = Fake::default();
        fake.commit(&changes);
        let bytes = fake.taken(None);
        let mut parser = Parser::new();
        let mut found = BTreeMap::new();
        let mut rest = bytes.as_slice();
        for size in sizes.iter().cycle() {
            let (now, later) = rest.split_at((*size).min(rest.len()));
            parser.push::<Fault>(now, &mut |item| {
                if let Item::Block { address, block } = item {
                    found.insert(address, block[0]);
                }
                Ok(())
            }).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let totals = parser.finish().unwrap();
        prop_assert_eq!(totals.blocks, fake.blocks.len() as u64);
        let expected: BTreeMap<_, _> =
            fake.blocks.iter().map(|(address, (_, byte))| (*address, *byte)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn one_changed_byte_is_noticed_and_not_restored(
        blocks in 0_u64..400, at in any::<prop::sample::Index>(), change in 1_u8..,
    ) {
        let mut fake = Fake::default();
        fake.commit(&(0..blocks).map(|block| (block, 3)).collect::<Vec<_>>());
        let mut bytes = fake.taken(None);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        let disk = Simulated::recording();
        prop_assert!(apply(&*disk, None, &mut bytes.as_slice(), &mut go_on()).is_err());
        // What is there of it is no store: it has no superblock.
        let image = disk.image();
        prop_assert!(image.iter().take(BLOCK_BYTES).all(|byte| *byte == 0));
        prop_assert!(summed(&bytes).is_err());
    }

    #[test]
    fn every_cut_is_noticed(blocks in 0_u64..300, at in any::<prop::sample::Index>()) {
        let mut fake = Fake::default();
        fake.commit(&(0..blocks).map(|block| (block, 3)).collect::<Vec<_>>());
        let bytes = fake.taken(None);
        let at = at.index(bytes.len());
        let cut = fault(summed(&bytes[..at]).unwrap_err());
        let named = match cut {
            Fault::Truncated { bytes } => bytes == at as u64,
            Fault::Foreign => at < 10,
            _ => false,
        };
        prop_assert!(named, "{cut}");
    }

    #[test]
    fn hostile_bytes_do_no_harm(
        start in prop_oneof![
            Just(Vec::new()),
            Just(MAGIC.to_vec()),
            Just([MAGIC.as_slice(), &[1, 0]].concat()),
            Just(made_up(|_| (), &[])),
        ],
        bytes in prop::collection::vec(any::<u8>(), 0..4000),
    ) {
        let bytes = [start, bytes].concat();
        let mut parser = Parser::new();
        let pushed = parser.push::<Fault>(&bytes, &mut |_| Ok(()));
        let refused = pushed.is_err();
        prop_assert!(parser.held() <= CHUNK_BYTES_MAX);
        // Once refused, always refused.
        if refused {
            prop_assert!(parser.push::<Fault>(&[0], &mut |_| Ok(())).is_err());
        }
        prop_assert!(parser.finish().is_err());
    }
}
