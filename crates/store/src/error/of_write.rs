//! Why a write was not stored: its closure, or the store.

use super::Error;

/// Why a write was not stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError<E> {
    /// The closure itself refused; none of its effects were kept.
    #[error(transparent)]
    Refused(E),
    /// The store failed; see [`Error`] for whether to repeat.
    #[error("{0}")]
    Store(Error),
}

impl From<WriteError<Self>> for Error {
    fn from(error: WriteError<Self>) -> Self {
        match error {
            WriteError::Refused(error) | WriteError::Store(error) => error,
        }
    }
}
