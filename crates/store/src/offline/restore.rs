//! Making a store's file from snapshots.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secret::Key;

use super::hold;
use super::look::outlined;
use super::verify::verified;
use crate::error::Error;
use crate::file::{DiskFile, Nascent};
use crate::mark::Mark;
use crate::medium::Medium as _;
use crate::options::Options;
use crate::recover::recover;
use crate::snapshot::{Fault, Summary, apply};
use crate::watch::{Step, Unit, Watch};

/// Bytes that are copied between two steps.
const COPY_BYTES: u64 = 64 << 20;

/// A store's file that is being made from snapshots, under a temporary name. Dropped before
/// [`Self::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Restore {
    path: PathBuf,
    nascent: Nascent,
    file: Arc<DiskFile>,
    /// What has been restored so far.
    mark: Option<Mark>,
}

impl Restore {
    /// Begins with nothing, for a full snapshot.
    ///
    /// # Errors
    /// [`Fault::Exists`] where there is something at `path`; [`Error::Io`].
    pub fn begin(path: &Path) -> Result<Self, Error> {
        if path.symlink_metadata().is_ok() {
            return Err(Fault::Exists.into());
        }
        let (nascent, file) = Nascent::create(path)?;
        Ok(Self {
            path: path.into(),
            nascent,
            file: Arc::new(file),
            mark: None,
        })
    }

    /// Begins with a copy of the restored store at `base`, for a snapshot of what changed since.
    ///
    /// # Errors
    /// As [`Self::begin`] and [`crate::Store::open`]; [`Error::Stopped`].
    pub fn onto(path: &Path, base: &Path, key: &Key, watch: &mut Watch<'_>) -> Result<Self, Error> {
        let base = hold(base)?;
        let mut restore = Self::begin(path)?;
        let all = base.len();
        let all = all.map_err(|e| Error::io("measuring the store", e))?;
        let mut step = Step {
            doing: "copying",
            unit: Unit::Bytes,
            done: 0,
            of: Some(all),
        };
        while step.done < all {
            step.show(watch)?;
            match restore.file.take_over(&base, COPY_BYTES)? {
                0 => break,
                copied => step.done += copied,
            }
        }
        let found = recover(restore.file.clone(), key, false, false)?;
        restore.mark = Some(Mark {
            file: found.superblock.file,
            lineage: found.root.lineage,
            generation: found.root.generation,
            at: found.root.at,
        });
        Ok(restore)
    }

    /// Puts the next snapshot on top of what there is.
    ///
    /// # Errors
    /// [`Error::Snapshot`] where it is damaged or does not follow; [`Error::NoSpace`];
    /// [`Error::Io`]; [`Error::Stopped`]. The restoration is of no use then.
    pub fn apply(
        &mut self,
        stream: &mut dyn Read,
        watch: &mut Watch<'_>,
    ) -> Result<Summary, Error> {
        let summary = apply(&*self.file, self.mark.as_ref(), stream, watch)?;
        let outline = outlined(&*self.file);
        if !outline.is_ok_and(|outline| outline.intact == 2 && outline.file == summary.mark.file) {
            return Err(Fault::Impossible("its superblock is not that of its store").into());
        }
        self.mark = Some(summary.mark);
        Ok(summary)
    }

    /// Opens and reads everything where `key` is given, makes the file durable, and gives it its
    /// name.
    ///
    /// # Errors
    /// As [`super::verify()`]; [`Fault::Exists`] where something got that name meanwhile;
    /// [`Fault::Truncated`] where no snapshot was applied.
    pub fn finish(self, key: Option<&Key>, watch: &mut Watch<'_>) -> Result<Mark, Error> {
        let mark = self.mark.ok_or(Fault::Truncated { bytes: 0 })?;
        if let Some(key) = key {
            let found = verified(self.file.clone(), key, Options::default(), watch)?.mark;
            if found != mark {
                return Err(Fault::Impossible("its root is not that of its commit").into());
            }
        }
        self.file
            .sync()
            .map_err(|e| Error::io("syncing the restored store", e))?;
        match self.nascent.publish(&self.path) {
            Err(Error::InUse) => Err(Fault::Exists.into()),
            other => other.map(|()| mark),
        }
    }
}
