//! How a store is opened.

use std::sync::Arc;

use crate::anchor::Anchor;
use crate::mark::Mark;

/// Memory for cached pages in bytes (16 MiB) unless [`Options`] say otherwise.
pub const CACHE_BYTES: usize = 16 << 20;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for cached pages in bytes. Cached pages are not encrypted.
    pub cache_bytes: usize,
    /// Make the store where there is no file. Otherwise that is an error of kind
    /// [`std::io::ErrorKind::NotFound`].
    pub create: bool,
    /// What remembers the store's newest commit outside its file, so that an older copy of the
    /// whole file is noticed.
    pub anchor: Option<Arc<dyn Anchor>>,
    /// Commits that the store must hold, as backups have them.
    pub receipts: Vec<Mark>,
    /// Take an older copy of the file for the newest from now on. What was stored since is lost.
    pub accept_rollback: bool,
    /// Open even where the key table is missing: it is made anew, and all subjects that the store
    /// has are erased for good ([`crate::Error::KeysMissing`]).
    pub give_subjects_up: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: CACHE_BYTES,
            create: true,
            anchor: None,
            receipts: Vec::new(),
            accept_rollback: false,
            give_subjects_up: false,
        }
    }
}
