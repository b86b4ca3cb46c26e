//! Making a store's file as short as its content allows.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use secret::Key;

use crate::backend::Backend;
use crate::engine::Engine;
use crate::error::Error;
use crate::file::DiskFile;
use crate::medium::Medium;
use crate::options::Options;
use crate::watch::{Step, Unit, Watch};

/// How often it is shown how far the engine is.
const SHOW_EVERY: Duration = Duration::from_millis(20);

/// Makes the file at `path`, which nobody may have open, as short as its content allows. Returns
/// its length in bytes before and after.
///
/// Needs some space itself while it runs. Interrupted at any moment, the store is as it was or
/// partly compacted, and whole; where that was while records were moved together, it is looked
/// through when it is opened next, as after a crash.
///
/// # Errors
/// As [`crate::Store::open`], but it never makes a store; as all writes; and [`Error::Stopped`].
pub fn compact(
    path: &Path,
    key: &Key,
    options: Options,
    watch: &mut Watch<'_>,
) -> Result<(u64, u64), Error> {
    let length = || {
        let found = std::fs::metadata(path).map(|metadata| metadata.len());
        found.map_err(|error| Error::io("measuring the store", error))
    };
    let before = length()?;
    let Some(file) = DiskFile::open(path)? else {
        let missing = io::ErrorKind::NotFound.into();
        return Err(Error::io("opening the store", missing));
    };
    let file = Arc::new(Counted {
        file,
        written: AtomicU64::new(0),
    });
    let mut engine = Engine::open(file.clone(), key, options)?;
    engine.compact(&|| file.written.load(Ordering::Relaxed), watch)?;
    drop(engine);
    Ok((before, length()?))
}

/// A file, and how many bytes were written to it.
#[derive(Debug)]
struct Counted {
    file: DiskFile,
    written: AtomicU64,
}

impl Medium for Counted {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.written.fetch_add(data.len() as u64, Ordering::Relaxed);
        self.file.write_at(offset, data)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn forget(&self) -> io::Result<()> {
        self.file.forget()
    }
}

/// Runs `pack`, in which the engine moves its records together, on a thread of its own: the engine
/// shows no steps, so it is shown how many bytes are `written` meanwhile. Told to stop, it takes
/// the vault away under the engine, which ends it as a crash would.
pub(crate) fn watched(
    backend: &Backend,
    pack: impl FnOnce() -> Result<(), Error> + Send,
    written: &dyn Fn() -> u64,
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    let start = written();
    let mut show = || {
        let step = Step {
            doing: "moving records together",
            unit: Unit::Bytes,
            done: written().saturating_sub(start),
            of: None,
        };
        step.show(watch)
    };
    show()?;
    let (working, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            let _working = working;
            pack()
        });
        let mut shown = Ok(());
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(SHOW_EVERY) {
            if shown.is_ok() {
                shown = show();
                if shown.is_err() {
                    backend.retire();
                }
            }
        }
        let packed = worker.join().unwrap_or(Err(Error::Interrupted));
        shown.and(packed)
    })
}
