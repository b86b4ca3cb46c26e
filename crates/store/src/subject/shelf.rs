//! Where a store's key table is kept: `NAME.keys` beside `NAME`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::file::{DiskFile, Nascent};
use crate::medium::Medium;

/// Finds the key table, and makes room for a new one.
pub(crate) trait Shelf: Send + Sync {
    /// The key table, if there is one.
    fn find(&self) -> Result<Option<Arc<dyn Medium>>, Error>;
    /// A new one, empty, that `fill` makes whole before it gets its name, durably.
    fn make(&self, fill: &mut dyn FnMut(Arc<dyn Medium>) -> Result<(), Error>)
    -> Result<(), Error>;
}

/// Where no key table can be.
#[cfg(any(test, fuzzing))]
pub(crate) struct Nowhere;

#[cfg(any(test, fuzzing))]
impl Shelf for Nowhere {
    fn find(&self) -> Result<Option<Arc<dyn Medium>>, Error> {
        Ok(None)
    }

    fn make(
        &self,
        _fill: &mut dyn FnMut(Arc<dyn Medium>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        Err(Error::KeysMissing)
    }
}

/// A folder.
pub(crate) struct Beside(PathBuf);

impl Beside {
    /// The key table's place beside the store at `path`.
    pub(crate) fn store(path: &Path) -> Self {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".keys");
        Self(path.with_file_name(name))
    }
}

impl Shelf for Beside {
    fn find(&self) -> Result<Option<Arc<dyn Medium>>, Error> {
        let file = DiskFile::open(&self.0)?;
        Ok(file.map(|file| Arc::new(file) as Arc<dyn Medium>))
    }

    fn make(
        &self,
        fill: &mut dyn FnMut(Arc<dyn Medium>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (nascent, file) = Nascent::create(&self.0)?;
        fill(Arc::new(file))?;
        nascent.publish(&self.0)
    }
}
