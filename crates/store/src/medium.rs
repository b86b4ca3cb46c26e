//! The bytes below the encryption.

use std::fmt::Debug;
use std::io;

/// A file, or what stands in for one in a test.
///
/// All calls may come from several threads at once; the vault above never has two writes to the
/// same place under way. After any error the caller stops using the medium until it has called
/// [`Self::sync`] and [`Self::forget`] again.
pub(crate) trait Medium: Debug + Send + Sync {
    /// Fills `out` from `offset`; an error of kind `UnexpectedEof` where the file ends before.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    /// Writes all of `data` at `offset`.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Cuts, or extends with zeros.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// Returns once everything written and the length will survive a power cut.
    fn sync(&self) -> io::Result<()>;
    /// Drops whatever the operating system caches, so that reads show what is on the disk.
    /// After a failed sync the cache may hold bytes that never reached it and never will
    /// (Linux marks them clean).
    fn forget(&self) -> io::Result<()>;
}
