//! Entrances for `fuzz/`: every parser that reads a file, before and behind the encryption. Built
//! for fuzzing alone.

use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use secret::Key;
use tokio::runtime::Builder;

use crate::engine::Engine;
use crate::entry::Node;
use crate::layout::{BLOCK_BYTES, Block, POOL_AT};
use crate::mark::Mark;
use crate::medium::Medium;
use crate::options::Options;
use crate::read::ReadTx;
use crate::slot::Root;
use crate::store::Store;
use crate::subject;
use crate::superblock;
use crate::table::Table;

const T: Table = Table::new("t");
const RECORDS: u8 = 24;

fn key() -> Key {
    Key::new([42; 32])
}

/// A block that begins with `data`.
fn block(data: &[u8]) -> Block {
    let mut block = [0; BLOCK_BYTES];
    let length = data.len().min(BLOCK_BYTES);
    block[..length].copy_from_slice(&data[..length]);
    block
}

/// Both copies of a superblock, with what is behind their encryption.
pub fn superblock(data: &[u8]) {
    let (first, second) = data.split_at(data.len() / 2);
    let copies = [block(first), block(second)];
    assert!(superblock::open(&copies, &key()).is_err(), "forged");
    superblock::fuzz_payload(data);
}

/// What an opened root slot and an opened node hold.
pub fn root(data: &[u8]) {
    Root::fuzz_record(data);
    for (_, entry) in Node::from_bytes(Box::new(block(data))).children() {
        assert!(entry.address >= POOL_AT, "a block outside the pool");
    }
}

/// An anchor's two slots, also where their checksums fit, and a mark's text.
pub fn anchor(data: &[u8]) {
    crate::anchor::fuzz(data);
    if let Some(mark) = str::from_utf8(data)
        .ok()
        .and_then(|text| text.parse::<Mark>().ok())
    {
        assert_eq!(mark.to_string().as_bytes(), data, "two texts of one mark");
    }
}

/// What an opened slot of a key table holds, slots that do not open, and stored values.
pub fn subjects(data: &[u8]) {
    subject::fuzz(data);
}

/// A snapshot stream.
pub fn stream(data: &[u8]) {
    crate::snapshot::fuzz::stream(data);
}

/// A store's file, changed. Each change is six bytes: what to do, where (3), how far, which byte.
pub fn file(data: &[u8]) {
    static IMAGES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(images);
    let [older, image] = &*IMAGES;
    let mut image = image.clone();
    for change in data.as_chunks::<6>().0.iter().take(64) {
        let [act, a, b, c, far, byte] = *change;
        let at = usize::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]) % image.len().max(1);
        let end = (at + 1 + usize::from(far)).min(image.len());
        let here = at / BLOCK_BYTES * BLOCK_BYTES;
        let there = usize::from(far) * BLOCK_BYTES;
        match act % 6 {
            0 => image[at..end].iter_mut().for_each(|old| *old ^= byte),
            1 => image[at..end].fill(byte),
            // An old version of a block, put back at its place.
            2 if here + BLOCK_BYTES <= older.len().min(image.len()) => {
                image[here..here + BLOCK_BYTES].copy_from_slice(&older[here..here + BLOCK_BYTES]);
            }
            3 if here.max(there) + BLOCK_BYTES <= image.len() => {
                image.copy_within(there..there + BLOCK_BYTES, here);
            }
            4 => image.truncate(end),
            5 => image.resize(image.len() + usize::from(far) * 16, byte),
            _ => {}
        }
        if image.is_empty() {
            break;
        }
    }
    let medium = Arc::new(Image(Mutex::new(image)));
    let Ok(engine) = Engine::open(medium, &key(), Options::default()) else {
        return;
    };
    let Ok(view) = engine.present().and_then(|opening| opening.view()) else {
        return;
    };
    let tx = ReadTx::new(view, subject::nowhere());
    for record in 0..RECORDS {
        if let Ok(found) = tx.get(T, &[record]) {
            assert_eq!(found, Some(value(record, 1)), "wrong data");
        }
    }
    if let Ok(all) = tx.range(T, ..) {
        all.flatten().for_each(drop);
    }
}

fn value(record: u8, version: u8) -> Vec<u8> {
    vec![record ^ version; 40 * usize::from(record)]
}

/// A store's file at an earlier time, and closed.
#[expect(clippy::expect_used, reason = "a fuzz target fails by a panic")]
fn images() -> [Vec<u8>; 2] {
    let medium = Arc::new(Image(Mutex::default()));
    let engine = Store::make(medium.clone(), &key(), Options::default()).expect("make");
    let store = Store::start(engine).expect("start");
    let runtime = Builder::new_current_thread().build().expect("runtime");
    let mut older = Vec::new();
    for version in 0..2 {
        for record in 0..RECORDS {
            let write = store.write(move |tx| tx.put(T, &[record], &value(record, version)));
            runtime.block_on(write).expect("write");
        }
        if version == 0 {
            older = medium.lock().clone();
        }
    }
    drop(store);
    let image = medium.lock().clone();
    [older, image]
}

/// A file in memory.
#[derive(Debug)]
struct Image(Mutex<Vec<u8>>);

impl Image {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Medium for Image {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let end = at.saturating_add(out.len());
        match self.lock().get(at..end) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let mut bytes = self.lock();
        let length = bytes.len().max(at + data.len());
        bytes.resize(length, 0);
        bytes[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().len() as u64)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        self.lock().resize(bytes, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn forget(&self) -> io::Result<()> {
        Ok(())
    }
}
