//! The journal, read as journald writes it, from its files and without another process.
//!
//! The format is systemd's (<https://systemd.io/JOURNAL_FILE_FORMAT>). Of it this reads what following needs: the
//! header, the chain of arrays that lists the entries, entries, and those of their fields that count. What is compressed
//! is left out: journald compresses fields of 512 bytes and more, and no line that counts is as long.

pub mod cursor;
pub mod field;
pub mod file;
pub mod find;
pub mod follow;
pub mod format;
mod known;
pub mod read;
pub mod stream;
pub mod trust;
mod window;

#[cfg(test)]
pub(crate) mod made;
#[cfg(test)]
mod tests;
