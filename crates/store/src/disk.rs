//! Sealed blocks on a medium: reading and opening, gathering and writing.

use std::sync::{Arc, PoisonError, RwLock};

use crate::entry::Entry;
use crate::error::Error;
use crate::layout::{BLOCK, BLOCK_BYTES, Block, offset};
use crate::medium::Medium;
use crate::random;
use crate::seal::{Keyring, Place, RANDOM_BYTES, nonce};

/// Blocks that are gathered for one write (256 KiB).
const GATHER_BLOCKS: usize = 64;

/// The medium and the keys for it.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) medium: Arc<dyn Medium>,
    keyring: RwLock<Arc<Keyring>>,
}

impl Disk {
    pub(crate) fn new(medium: Arc<dyn Medium>, keyring: Keyring) -> Self {
        Self {
            medium,
            keyring: RwLock::new(Arc::new(keyring)),
        }
    }

    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_keyring(&self, keyring: Keyring) {
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
    }

    /// Length in whole blocks.
    pub(crate) fn blocks(&self) -> Result<u64, Error> {
        let bytes = self.medium.len();
        Ok(bytes.map_err(|e| Error::io("measuring the store", e))? / BLOCK)
    }

    pub(crate) fn set_blocks(&self, blocks: u64) -> Result<(), Error> {
        let changed = self.medium.set_len(offset(blocks));
        changed.map_err(|e| Error::io("changing the store's length", e))
    }

    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.medium
            .sync()
            .map_err(|e| Error::io("syncing the store", e))
    }

    /// Reads consecutive blocks as they are.
    pub(crate) fn read(&self, address: u64, out: &mut [u8]) -> Result<(), Error> {
        match self.medium.read_at(offset(address), out) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                let found = self.medium.len();
                Err(Error::Truncated {
                    expected: offset(address).saturating_add(out.len() as u64),
                    found: found.map_err(|e| Error::io("measuring the store", e))?,
                })
            }
            Err(error) => Err(Error::io("reading the store", error)),
        }
    }

    /// Writes blocks as they are.
    pub(crate) fn write(&self, address: u64, data: &[u8]) -> Result<(), Error> {
        let written = self.medium.write_at(offset(address), data);
        written.map_err(|e| Error::io("writing the store", e))
    }

    /// Opens a block in place.
    pub(crate) fn open(&self, place: Place, entry: &Entry, bytes: &mut [u8]) -> Result<(), Error> {
        let opened = self
            .keyring()
            .open(place, entry.epoch, &entry.nonce, &entry.tag, bytes);
        // What a store would do that does not look at the tag in the parent.
        #[cfg(test)]
        if opened.is_err() && crate::tests::stale::open(self, place, entry, bytes) {
            return Ok(());
        }
        opened.map_err(|_| Error::Damaged {
            block: entry.address,
        })
    }

    /// Reads a block and opens it.
    pub(crate) fn fetch(&self, place: Place, entry: &Entry) -> Result<Box<Block>, Error> {
        let mut block = Box::new([0; BLOCK_BYTES]);
        self.read(entry.address, block.as_mut_slice())?;
        self.open(place, entry, block.as_mut_slice())?;
        Ok(block)
    }
}

/// Sealed blocks on their way to the disk: those that lie one behind the other go in one write.
#[derive(Default)]
pub(crate) struct Gather {
    first: u64,
    bytes: Vec<u8>,
    /// Random bytes for nonces, drawn for many blocks at once.
    random: Vec<[u8; RANDOM_BYTES]>,
    /// Blocks sealed since [`Self::restart`].
    count: u64,
}

impl Gather {
    /// Blocks sealed for the commit under way.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Begins a commit.
    pub(crate) const fn restart(&mut self) {
        self.count = 0;
    }

    /// Random bytes for one nonce.
    pub(crate) fn random(&mut self) -> Result<[u8; RANDOM_BYTES], Error> {
        if self.random.is_empty() {
            self.random.resize(GATHER_BLOCKS, [0; RANDOM_BYTES]);
            random::fill(self.random.as_flattened_mut())?;
        }
        Ok(self.random.pop().unwrap_or_default())
    }

    /// Forgets what is left of the random bytes.
    pub(crate) fn forget_random(&mut self) {
        self.random.clear();
    }

    /// Seals `plain` for `address` in `generation`.
    pub(crate) fn seal(
        &mut self,
        disk: &Disk,
        place: Place,
        address: u64,
        generation: u64,
        plain: &[u8],
    ) -> Result<Entry, Error> {
        let nonce = nonce(generation, self.random()?);
        let at = self.room(disk, address)?;
        let keyring = disk.keyring();
        let out = &mut self.bytes[at..at + BLOCK_BYTES];
        let tag = keyring
            .seal(place, &nonce, plain, out)
            .map_err(|_| Error::Inconsistent("a block could not be sealed".into()))?;
        self.count += 1;
        let epoch = keyring.epoch();
        let entry = Entry {
            address,
            epoch,
            nonce,
            tag,
        };
        #[cfg(test)]
        crate::tests::stale::sealed(place, &entry);
        Ok(entry)
    }

    /// Where in the gathered bytes the block at `address` goes.
    fn room(&mut self, disk: &Disk, address: u64) -> Result<usize, Error> {
        if let Some(at) = self.find(address) {
            return Ok(at);
        }
        let next = self.first + (self.bytes.len() / BLOCK_BYTES) as u64;
        if address != next || self.bytes.len() >= GATHER_BLOCKS * BLOCK_BYTES {
            self.flush(disk)?;
            self.first = address;
        }
        let at = self.bytes.len();
        self.bytes.resize(at + BLOCK_BYTES, 0);
        Ok(at)
    }

    fn find(&self, address: u64) -> Option<usize> {
        let at = usize::try_from(address.checked_sub(self.first)?).ok()?;
        let at = at.checked_mul(BLOCK_BYTES)?;
        (at < self.bytes.len()).then_some(at)
    }

    /// A block that has not been written yet.
    pub(crate) fn waiting(&self, address: u64) -> Option<&[u8]> {
        let at = self.find(address)?;
        self.bytes.get(at..at + BLOCK_BYTES)
    }

    /// Writes what was gathered.
    pub(crate) fn flush(&mut self, disk: &Disk) -> Result<(), Error> {
        if !self.bytes.is_empty() {
            disk.write(self.first, &self.bytes)?;
            self.bytes.clear();
        }
        Ok(())
    }
}
