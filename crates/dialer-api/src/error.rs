//! Why a caller has no connection.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::Refusal;

/// Why [`Client::dial`](crate::Client::dial) gave no socket. None of these leaves a descriptor open.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The dialer said no.
    #[error("the dialer did not connect: {kind}: {detail}")]
    Refused {
        /// What kind of refusal.
        kind: Refusal,
        /// The dialer's own words.
        detail: String,
    },
    /// The dialer's socket cannot be connected to.
    #[error("the dialer cannot be reached at {path}; nothing outside can be")]
    Absent {
        /// The socket.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The call to the dialer broke off.
    #[error("the call to the dialer broke off")]
    Call(#[source] hyper::Error),
    /// Handing over the socket failed.
    #[error("the dialer's socket could not be taken over")]
    Handover(#[source] io::Error),
    /// What the dialer sent is not what the contract says.
    #[error("the dialer does not keep to its contract: {0}")]
    Contract(&'static str),
    /// The whole call took too long.
    #[error("the dialer did not answer within {0:?}")]
    Silent(Duration),
}

impl DialError {
    /// Whether the same call may succeed later without any change of configuration.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Refused { kind, .. } => kind.is_passing(),
            Self::Absent { .. } | Self::Call(_) | Self::Handover(_) | Self::Silent(_) => true,
            Self::Contract(_) => false,
        }
    }
}
