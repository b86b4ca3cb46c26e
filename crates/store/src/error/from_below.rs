//! What the layers below say, as errors of the store.

use std::io;
use std::sync::Arc;

use super::Error;

impl Error {
    /// Wraps an operating system error, telling a full disk from the rest.
    pub(crate) fn io(doing: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io {
                doing,
                source: Arc::new(source),
            },
        }
    }

    /// Translates the engine's error; an error of ours that passed through it comes out whole.
    pub(crate) fn engine(error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::Io(source) => match source.get_ref().and_then(|e| e.downcast_ref()) {
                Some(ours) => Self::clone(ours),
                None if source.kind() == io::ErrorKind::InvalidData => {
                    Self::Inconsistent(source.to_string())
                }
                None => Self::io("storage", source),
            },
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => Self::Interrupted,
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            other => Self::Inconsistent(other.to_string()),
        }
    }
}
