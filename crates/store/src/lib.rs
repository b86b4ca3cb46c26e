//! An encrypted, transactional key-value store in one file.
//!
//! Everything but the file's identity is encrypted from the first byte written (`FORMAT.md`
//! specifies the file), an acknowledged write survives a power cut, and a damaged file gives an
//! error and never wrong data. What this does not promise is in `README.md`.
//!
//! ```no_run
//! # async fn example(key: secret::Key) -> Result<(), store::Error> {
//! use store::{Options, Store, Table};
//!
//! const MESSAGES: Table = Table::new("messages");
//!
//! let store = Store::open("chat.redb".as_ref(), &key, Options::default())?;
//! store.write(|tx| tx.put(MESSAGES, b"1", b"hello")).await?;
//! let hello = store.read(|tx| tx.get(MESSAGES, b"1"))?;
//! # Ok(())
//! # }
//! ```

mod anchor;
mod backend;
mod commit;
mod compact;
mod disk;
mod engine;
mod entry;
mod error;
mod file;
mod held;
mod job;
mod layout;
mod mark;
mod medium;
pub mod offline;
mod opening;
mod options;
mod pinned;
mod random;
mod read;
mod reading;
mod recover;
mod relocate;
mod renew;
mod seal;
mod slot;
pub mod snapshot;
mod space;
mod store;
mod subject;
mod superblock;
mod table;
mod tree;
mod vault;
mod view;
mod watch;
mod write;
mod writer;

#[cfg(fuzzing)]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use anchor::{Anchor, FileAnchor, Verdict, judge, judge_absent};
pub use compact::compact;
pub use error::{Error, WriteError};
pub use mark::{MARK_ID_BYTES, MARK_TEXT_BYTES, Mark, MarkError};
pub use options::{CACHE_BYTES, Options};
pub use read::ReadTx;
pub use renew::Progress;
pub use store::Store;
pub use subject::Subject;
pub use table::{Entries, Record, Table};
pub use watch::{Step, Unit, Watch};
pub use write::{KEY_BYTES_MAX, VALUE_BYTES_MAX, WriteTx};
