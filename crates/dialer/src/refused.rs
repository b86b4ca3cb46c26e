//! A refusal in two forms: for the caller and for the journal.

use dialer_api::Refusal;
use ipc::BoxError;

use crate::connect::ConnectError;
use crate::decide::Denial;
use crate::resolve::ResolveError;

/// A call that was refused: what its caller is told, and the cause, for the journal.
pub(crate) struct Refused {
    pub(crate) kind: Refusal,
    pub(crate) told: String,
    pub(crate) cause: Option<BoxError>,
}

impl Refused {
    pub(crate) fn because(kind: Refusal, told: &str) -> Self {
        Self {
            kind,
            told: told.to_owned(),
            cause: None,
        }
    }

    pub(crate) fn broke(error: std::io::Error) -> Self {
        Self {
            kind: Refusal::Unreachable,
            told: "The connection broke at once.".to_owned(),
            cause: Some(error.into()),
        }
    }
}

impl From<Denial> for Refused {
    fn from(denial: Denial) -> Self {
        let (kind, told) = match &denial {
            Denial::Host(error) => (
                Refusal::Malformed,
                format!("The host cannot be read: {error}."),
            ),
            Denial::NotDeclared { .. } => (
                Refusal::Forbidden,
                format!("{denial}; a [[reach]] entry in dialer.toml declares it."),
            ),
            // The address itself is for the journal: a caller need not learn what an inner name leads to.
            Denial::Address { host, kind, .. } => (
                Refusal::Forbidden,
                format!("{host} leads to an address that is not permitted ({kind})."),
            ),
        };
        Self {
            kind,
            told,
            cause: Some(denial.into()),
        }
    }
}

impl From<ResolveError> for Refused {
    fn from(error: ResolveError) -> Self {
        let kind = match &error {
            ResolveError::TimedOut => Refusal::TimedOut,
            ResolveError::NotFound | ResolveError::NoServer { .. } | ResolveError::Failed(_) => {
                Refusal::Unreachable
            }
        };
        Self {
            kind,
            told: "The name could not be resolved.".to_owned(),
            cause: Some(error.into()),
        }
    }
}

impl From<ConnectError> for Refused {
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::TimedOut { .. } => Refusal::TimedOut,
            ConnectError::Refused { .. } => Refusal::Unreachable,
        };
        Self {
            kind,
            told: format!("{error}."),
            cause: Some(error.into()),
        }
    }
}
