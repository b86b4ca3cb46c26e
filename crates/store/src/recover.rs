//! What a file holds: making a new one, and finding the newest whole state of one
//! (FORMAT.md, "Opening").

use std::sync::Arc;

use secret::Key;
use zeroize::Zeroizing;

use crate::anchor::{Admitted, admit};
use crate::commit::now;
use crate::disk::Disk;
use crate::entry::{Entry, FAN_OUT, Node};
use crate::error::Error;
use crate::layout::{
    BLOCK_BYTES, Block, POOL_AT, SLOTS, SUPERBLOCKS, offset, slot_copies, slot_of,
};
use crate::medium::Medium;
use crate::options::Options;
use crate::random;
use crate::seal::{KEY_BYTES, Place};
use crate::slot::Root;
use crate::space::Space;
use crate::superblock::{self, DataKey, Superblock};

/// A store that was found on a medium.
pub(crate) struct Recovered {
    pub(crate) disk: Disk,
    pub(crate) superblock: Superblock,
    pub(crate) root: Root,
    pub(crate) space: Space,
    /// The highest generation that any slot names; it may be newer than the root.
    pub(crate) newest: u64,
    /// Blocks that an older data key seals.
    pub(crate) outdated: u64,
    /// Whether the root's history is to go on under another name.
    pub(crate) forked: bool,
}

impl Recovered {
    /// Holds the state that was found against what is known outside the file. An older one that is
    /// accepted goes on under a new name, so that the two can be told apart from then on.
    pub(crate) fn admit(&mut self, options: &Options, writable: bool) -> Result<(), Error> {
        let found = self.root.mark(self.disk.keyring().file());
        match admit(&found, self.root.anchored, options, writable)? {
            Admitted::Newest => {}
            Admitted::Accepted => {
                self.root.lineage = random::bytes()?;
                self.forked = true;
            }
        }
        Ok(())
    }
}

/// Makes an empty store on `medium`, durably.
pub(crate) fn format(medium: &Arc<dyn Medium>, key: &Key) -> Result<(), Error> {
    let superblock = Superblock {
        file: random::bytes()?,
        sequence: 1,
        keys: vec![data_key(1)?],
    };
    let disk = Disk::new(Arc::clone(medium), superblock.keyring());
    let root = Root::first(random::bytes()?, now());
    let sealed = root
        .seal(&disk.keyring(), random::bytes()?)
        .map_err(|_| Error::Inconsistent("the first root could not be sealed".into()))?;
    disk.set_blocks(POOL_AT)?;
    for address in slot_copies(slot_of(root.generation)) {
        disk.write(address, &sealed)?;
    }
    write_superblock(&disk, &superblock, key)
}

/// A new data key.
pub(crate) fn data_key(epoch: u16) -> Result<DataKey, Error> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    random::fill(key.as_mut_slice())?;
    Ok(DataKey { epoch, key })
}

/// Writes both copies of the superblock, one after the other, so that one is always whole.
pub(crate) fn write_superblock(
    disk: &Disk,
    superblock: &Superblock,
    key: &Key,
) -> Result<(), Error> {
    let sealed = superblock
        .seal(key, random::bytes()?)
        .map_err(|_| Error::TooManyDataKeys)?;
    for address in SUPERBLOCKS {
        disk.write(address, &sealed)?;
        disk.sync()?;
    }
    Ok(())
}

/// Finds the newest whole state on `medium`. What an earlier process left in the cache is made
/// durable first, and what did not become durable is forgotten. Unless the medium is `writable` it
/// is only read. With `acceptable`, an older state is taken where the newest is damaged.
pub(crate) fn recover(
    medium: Arc<dyn Medium>,
    key: &Key,
    writable: bool,
    acceptable: bool,
) -> Result<Recovered, Error> {
    let synced = medium.sync();
    if writable {
        synced.map_err(|e| Error::io("syncing the store", e))?;
    }
    medium
        .forget()
        .map_err(|e| Error::io("dropping the store's cache", e))?;
    let length = medium.len();
    let length = length.map_err(|e| Error::io("measuring the store", e))?;
    let mut copies = [[0; BLOCK_BYTES]; 2];
    for (copy, address) in copies.iter_mut().zip(SUPERBLOCKS) {
        read_available(&*medium, length, address, copy)?;
    }
    let (superblock, good) = superblock::open(&copies, key)?;
    let disk = Disk::new(medium, superblock.keyring());
    if copies[0] != copies[1] && writable {
        tracing::warn!("one copy of the store's superblock was damaged; writing it again");
        disk.write(SUPERBLOCKS[1 - good], &copies[good])?;
    }
    let roots = read_roots(&disk, length)?;
    let newest = roots.first().ok_or(Error::DamagedHeader)?.generation;
    let root = choose(&disk, roots, acceptable)?;
    let mut space = Space::new();
    let mut outdated = 0;
    match survey(&disk, &root, &mut space, &mut outdated) {
        Ok(()) => {}
        Err(error @ Error::Damaged { .. }) => {
            tracing::error!("{error}; what else the store holds stays of use, the file only grows");
            space.grow_only(disk.blocks()?);
        }
        Err(error) => return Err(error),
    }
    if offset(space.blocks()) > length {
        return Err(Error::Truncated {
            expected: offset(space.blocks()),
            found: length,
        });
    }
    space.cover(disk.blocks()?);
    Ok(Recovered {
        disk,
        superblock,
        root,
        space,
        newest,
        outdated,
        forked: false,
    })
}

/// Reads one block; what lies beyond the end of the file stays zero.
pub(crate) fn read_available(
    medium: &dyn Medium,
    length: u64,
    address: u64,
    out: &mut Block,
) -> Result<(), Error> {
    let there = usize::try_from(length.saturating_sub(offset(address))).unwrap_or(BLOCK_BYTES);
    let out = &mut out[..there.min(BLOCK_BYTES)];
    if out.is_empty() {
        return Ok(());
    }
    let read = medium.read_at(offset(address), out);
    read.map_err(|e| Error::io("reading the store", e))
}

/// The roots of all slots that open, the newest first.
fn read_roots(disk: &Disk, length: u64) -> Result<Vec<Root>, Error> {
    let mut roots: Vec<Root> = Vec::new();
    for slot in 0..SLOTS {
        for address in slot_copies(slot) {
            let mut bytes = [0; BLOCK_BYTES];
            read_available(&*disk.medium, length, address, &mut bytes)?;
            if let Some(root) = Root::open(&disk.keyring(), slot, &bytes)
                && slot_of(root.generation) == slot
            {
                match roots
                    .iter_mut()
                    .find(|other| other.generation == root.generation)
                {
                    Some(other) => other.settled |= root.settled,
                    None => roots.push(root),
                }
            }
        }
    }
    roots.sort_unstable_by_key(|root| std::cmp::Reverse(root.generation));
    Ok(roots)
}

/// The newest root all of whose own blocks are there. A root that was written together with its
/// blocks may have reached the disk before them; then its commit was never acknowledged. A settled
/// root is taken as it is, whatever was damaged since, unless an older state is `acceptable`.
fn choose(disk: &Disk, roots: Vec<Root>, acceptable: bool) -> Result<Root, Error> {
    let mut first = None;
    for root in roots {
        let whole = match root.entry {
            Some(entry) if !root.settled || acceptable => whole(disk, &root, root.level, 0, &entry),
            _ => Ok(()),
        };
        match whole {
            Ok(()) => return Ok(root),
            Err(error @ (Error::Damaged { .. } | Error::Truncated { .. })) => {
                tracing::info!("commit {} was cut off: {error}", root.generation);
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(first.unwrap_or(Error::DamagedHeader))
}

/// Opens every block that the root's own generation wrote.
fn whole(disk: &Disk, root: &Root, level: u8, index: u64, entry: &Entry) -> Result<(), Error> {
    if entry.generation() != root.generation {
        return Ok(());
    }
    let node = Node::from_bytes(disk.fetch(Place::Node { level, index }, entry)?);
    for (child, entry) in node.children() {
        let index = index * FAN_OUT + child;
        if level > 0 {
            whole(disk, root, level - 1, index, &entry)?;
        } else if entry.generation() == root.generation {
            disk.fetch(Place::Data(index), &entry)?;
        }
    }
    Ok(())
}

/// Learns from the tree which blocks are in use, and how many an older data key seals.
pub(crate) fn survey(
    disk: &Disk,
    root: &Root,
    space: &mut Space,
    outdated: &mut u64,
) -> Result<(), Error> {
    let epoch = disk.keyring().epoch();
    let mut note = |entry: &Entry| {
        *outdated += u64::from(entry.epoch != epoch);
        if space.occupy(entry.address) {
            Ok(())
        } else {
            let address = entry.address;
            Err(Error::Inconsistent(format!(
                "block {address} of the file has two uses"
            )))
        }
    };
    root.entry.map_or(Ok(()), |entry| {
        survey_node(disk, root.level, 0, &entry, &mut note)
    })
}

fn survey_node(
    disk: &Disk,
    level: u8,
    index: u64,
    entry: &Entry,
    note: &mut dyn FnMut(&Entry) -> Result<(), Error>,
) -> Result<(), Error> {
    note(entry)?;
    let node = Node::from_bytes(disk.fetch(Place::Node { level, index }, entry)?);
    for (child, entry) in node.children() {
        if level > 0 {
            survey_node(disk, level - 1, index * FAN_OUT + child, &entry, note)?;
        } else {
            note(&entry)?;
        }
    }
    Ok(())
}
