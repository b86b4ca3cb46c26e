//! What can go wrong, each with its consequence and the way out.

mod from_below;
mod of_write;

use std::io;
use std::sync::Arc;

pub use of_write::WriteError;

use crate::snapshot::Fault;

/// Why the store could not do what was asked.
///
/// Cheap to clone, because one failed commit is reported to every writer that shared it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation on the file.
    #[error("{doing} failed: {source}; nothing that was acknowledged is lost")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The operating system's own error.
        source: Arc<io::Error>,
    },
    /// The disk or the quota is full.
    #[error(
        "no space is left for the store: this write was not stored; free space and repeat it, \
         what was acknowledged is safe and can be read"
    )]
    NoSpace,
    /// Another process holds the store.
    #[error("the store is open in another process: stop that process first")]
    InUse,
    /// The file is not a store.
    #[error(
        "the file is not a Casemate store and was left as it is: \
         move it away, or give the right path"
    )]
    Foreign,
    /// The file is a store of a newer format.
    #[error(
        "the store has format version {version} and suite {suite}, which this release does not \
         know: nothing was changed, use the release that wrote it"
    )]
    Unsupported {
        /// The version that the file names.
        version: u16,
        /// The cipher suite that the file names.
        suite: u8,
    },
    /// The credential key does not unwrap the data key.
    #[error(
        "the key does not open this store, whose content stays sealed: \
         give the credential that it was made with, or restore a backup together with its key"
    )]
    WrongKey,
    /// Both copies of the superblock are unusable.
    #[error(
        "both copies of the store's superblock are damaged, or one is and the key is wrong: \
         without a superblock the content cannot be decrypted, restore a backup"
    )]
    DamagedSuperblock,
    /// No root slot is usable.
    #[error(
        "all root slots of the store are damaged: the content cannot be found, restore a backup"
    )]
    DamagedHeader,
    /// The data key was renewed too often without the blocks following.
    #[error(
        "the store has as many data keys as it can hold, since blocks are still sealed with old \
         ones: nothing was changed, let the sealing anew come to its end first"
    )]
    TooManyDataKeys,
    /// The file is shorter than its content needs.
    #[error(
        "the store is cut short ({found} bytes where {expected} are needed): \
         content is missing, restore a backup"
    )]
    Truncated {
        /// Length that the header demands, in bytes.
        expected: u64,
        /// Length of the file, in bytes.
        found: u64,
    },
    /// A block's tag does not match: damage to the disk, or tampering.
    #[error(
        "block {block} of the store is damaged or was tampered with: \
         what it holds cannot be read, restore a backup"
    )]
    Damaged {
        /// Its place in the file, in units of 4096 bytes.
        block: u64,
    },
    /// The storage engine found its own records inconsistent.
    #[error("the store's records contradict each other ({0}): restore a backup")]
    Inconsistent(String),
    /// A key or a value is over the limit.
    #[error("a {what} of {bytes} bytes is over the limit of {limit}: it was not stored")]
    TooLarge {
        /// `key` or `value`.
        what: &'static str,
        /// Its length in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The key table is not where it was.
    #[error(
        "the store's key table (the file beside it whose name ends in .keys) is missing: what is \
         sealed for subjects cannot be read, the rest is whole; put the newest copy of that file \
         back, or give all subjects up for erased by opening the store with that option"
    )]
    KeysMissing,
    /// Both slots of the key table are unusable.
    #[error(
        "both slots of the store's key table are damaged: what is sealed for subjects cannot be \
         read, the rest is whole; put the newest copy of the .keys file back, or move it away and \
         give all subjects up for erased"
    )]
    KeysDamaged,
    /// The credential key does not open the key table.
    #[error(
        "the key opens the store and not its key table, which was sealed with another: put the \
         .keys file back that was last used with this store and this key"
    )]
    KeysWrongKey,
    /// The key table was made for another store.
    #[error(
        "the .keys file beside the store belongs to another store, and was left as it is: move it \
         to its own, and put this store's back"
    )]
    KeysOfAnother,
    /// The key table has a newer format.
    #[error(
        "the store's key table has format version {version} and suite {suite}, which this release \
         does not know: nothing was changed, use the release that wrote it"
    )]
    KeysUnsupported {
        /// The version that the file names.
        version: u16,
        /// The suite that the file names.
        suite: u8,
    },
    /// The key table has reached its limit.
    #[error(
        "the store's key table has no room for this: nothing was changed; erase subjects that \
         were made one after the other, which makes room"
    )]
    KeysFull,
    /// The subject was erased, so that nothing can be stored for it.
    #[error("the subject was erased: nothing was stored for it")]
    Erased,
    /// The subject's records are gone and its key may not be.
    #[error(
        "the records were removed, and whether their key was destroyed is not certain ({0}): erase \
         again; opening the store anew does it too"
    )]
    EraseUnfinished(Box<Error>),
    /// A record that is sealed for a subject does not open with that subject's key.
    #[error(
        "a record of subject {subject} does not open with its key: the .keys file is another than \
         the record was written with, put the right one back"
    )]
    DamagedRecord {
        /// Number of the subject.
        subject: u64,
    },
    /// An earlier failure closed this view of the store; the next call opens it anew.
    #[error("the store failed while this was under way: repeat it")]
    Interrupted,
    /// A commit failed and the store could not be opened again to see whether it had landed.
    #[error(
        "the store failed and cannot be opened again ({0}): whether this write was stored is \
         unknown, look before repeating it"
    )]
    Unconfirmed(Box<Error>),
    /// The whole file is older than what is known outside it.
    #[error(
        "this copy of the store (as of {found}) is {commits} commits older than the last one seen \
         here (as of {newest}): what was stored since would be lost; put the newer file back, or \
         accept the loss with `casemate store accept`"
    )]
    RolledBack {
        /// How many commits are missing.
        commits: u64,
        /// When the copy's last commit was made, for people.
        found: String,
        /// When the last commit was made that is known, for people.
        newest: String,
    },
    /// The file is of another course of the store's history than what is known outside it.
    #[error(
        "this copy of the store (as of {found}) parted from the one last seen here (as of {known}) \
         when an older copy was accepted: what was stored in the other one since then would be \
         lost; put the other file back, or accept the loss with `casemate store accept`"
    )]
    Forked {
        /// When the copy's last commit was made, for people.
        found: String,
        /// When the last commit was made that is known, for people.
        known: String,
    },
    /// Another store lies in the place of the one that is known.
    #[error(
        "this store (as of {found}) is not the one last seen here (as of {known}), all of which \
         would be lost: put the right file back, or accept the loss with `casemate store accept`"
    )]
    Replaced {
        /// When the store's last commit was made, for people.
        found: String,
        /// When the last commit was made of the store that is known.
        known: String,
    },
    /// There is no file where a store is known to have been.
    #[error(
        "the store that was last seen here (as of {known}) is gone, and a new one would be empty: \
         put its file back, restore a backup, or accept the loss with `casemate store accept`"
    )]
    Gone {
        /// When the last commit was made that is known, for people.
        known: String,
    },
    /// There is no anchor although the store had one.
    #[error(
        "the anchor that says which copy of the store is the newest is gone: this one (as of \
         {found}) may be an older one and lack what was stored since; put the anchor back, give \
         the receipt of the backup that was restored, or accept this copy with `casemate store \
         accept`"
    )]
    AnchorMissing {
        /// When the copy's last commit was made, for people.
        found: String,
    },
    /// No record of the anchor is whole.
    #[error(
        "the anchor that says which copy of the store is the newest is damaged: this one may be an \
         older one and lack what was stored since; put the anchor back, or accept this copy with \
         `casemate store accept`"
    )]
    AnchorDamaged,
    /// The anchor is sealed with another key than the store.
    #[error(
        "the anchor that says which copy of the store is the newest is sealed with another key \
         than the one given: whether this copy is the newest cannot be told; give the key that \
         both were made with, or accept this copy with `casemate store accept`"
    )]
    AnchorKey,
    /// The anchor is of a newer format.
    #[error(
        "the anchor that says which copy of the store is the newest has format version {version} \
         and suite {suite}, which this release does not know: nothing was changed, use the release \
         that wrote it"
    )]
    AnchorUnsupported {
        /// The version that the anchor names.
        version: u16,
        /// The cipher suite that it names.
        suite: u8,
    },
    /// The store was opened only to be looked at.
    #[error("the store was opened for reading alone: nothing was changed")]
    ReadOnly,
    /// A snapshot is of no use, or could not be made.
    #[error(transparent)]
    Snapshot(#[from] Fault),
    /// A long task was told to stop.
    #[error("stopped before the end, as was asked: nothing is harmed, begin again to go on")]
    Stopped,
    /// The TPM's counter moved since the anchor was written.
    #[error(
        "the anchor that says which copy of the store is the newest is itself an older one, or gone: \
         the TPM counted {openings} more times that the store was opened, and what was stored then \
         would be lost; put the newest store and the anchor that belongs to it back, or accept this \
         copy with `casemate store accept`"
    )]
    AnchorPutBack {
        /// How often the store was opened since, as the TPM has it.
        openings: u64,
    },
    /// The anchor is bound to a counter of a TPM, and there is none.
    #[error(
        "the anchor that says which copy of the store is the newest is bound to a counter of this \
         machine's TPM, which cannot be read: this copy may be an older one and lack what was \
         stored since; turn the TPM on again or mend it (`systemctl status casemate-counter@*`), \
         or accept this copy with `casemate store accept`"
    )]
    CounterMissing,
    /// The anchor is bound to another counter than the TPM has.
    #[error(
        "the anchor that says which copy of the store is the newest is bound to another counter than \
         this machine's TPM has, as when the TPM was cleared or the disk is from another machine: \
         this copy may be an older one and lack what was stored since; put the right one back, or \
         accept this copy with `casemate store accept`"
    )]
    CounterForeign,
    /// The writer has stopped.
    #[error("the store is shut down: this write was not stored")]
    Closed,
}
