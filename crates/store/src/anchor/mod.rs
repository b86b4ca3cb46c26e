//! What is known of a store outside its file, so that an older copy of the whole file is noticed.

mod admit;
mod count;
mod file;
mod judge;
mod record;
mod slots;

#[cfg(test)]
mod tests;

pub(crate) use admit::{Admitted, admit, admit_new};
pub use file::FileAnchor;
pub use judge::{Verdict, judge, judge_absent};

use std::fmt::Debug;

use secret::Key;

use crate::error::Error;
use crate::mark::{MARK_ID_BYTES, Mark};

#[cfg(fuzzing)]
pub(crate) use slots::fuzz;

/// Remembers the newest commit of one store, out of reach of who can replace the store's file.
///
/// The store reads it on opening, [`advances`](Self::advance) it after each commit that has become
/// durable (never before: an anchor ahead of the file would refuse it after a power cut), and
/// [`settles`](Self::settle) it on opening, on closing and now and then between. A new store is
/// anchored only once its file has its name, so that a power cut while it is made leaves no anchor
/// of a store that never was.
pub trait Anchor: Debug + Send + Sync {
    /// The newest mark that is known, `None` where there never was one.
    ///
    /// It may be of another file than `file`: then the store that was here has been replaced.
    ///
    /// # Errors
    /// Where there is an anchor and it cannot be read, is damaged or is sealed with another key.
    fn read(&self, file: &[u8; MARK_ID_BYTES]) -> Result<Option<Mark>, Error>;

    /// Takes `mark` as the newest. Returns before it would survive a power cut, since it runs
    /// after every commit; what is lost of it then only makes the anchor older.
    ///
    /// # Errors
    /// Where it could not be written: the commit stands, and the anchor stays as it was.
    fn advance(&self, mark: &Mark) -> Result<(), Error>;

    /// Returns once what was advanced will survive a power cut.
    ///
    /// # Errors
    /// Where that could not be brought about.
    fn settle(&self) -> Result<(), Error>;

    /// Takes note, durably, that the store is open from here. The store calls it once it has let
    /// a copy pass, and before anything is committed. Only an anchor that counts openings has
    /// something to do; one that is not told would then take the next copy for an older one.
    ///
    /// # Errors
    /// Where it could not be noted: the store must not be opened.
    fn open(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Makes `key` the store's key for the anchor too, durably. The store calls it before it changes
    /// over itself: until the next [`Self::advance`] the former key has to open the anchor as well,
    /// so that a power cut in between does no harm. An anchor that is not sealed has nothing to do.
    ///
    /// # Errors
    /// Where that could not be brought about; the former key then stays.
    fn rekey(&self, _key: &Key) -> Result<(), Error> {
        Ok(())
    }
}
