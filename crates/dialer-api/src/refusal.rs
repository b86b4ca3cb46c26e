//! Why the dialer does not connect a caller.

use http::StatusCode;

/// The kinds of refusal. The status is the kind; the problem document's detail
/// is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 400: the request is not one that the dialer understands.
    Malformed,
    /// 403: the host and port are not declared for this caller, or the name
    /// leads to addresses that the declaration does not permit.
    Forbidden,
    /// 502: the name does not resolve, or nothing at it accepts the connection.
    Unreachable,
    /// 503: the dialer has too much to do.
    Busy,
    /// 504: resolving or connecting took too long.
    TimedOut,
}

impl Refusal {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Malformed,
        Self::Forbidden,
        Self::Unreachable,
        Self::Busy,
        Self::TimedOut,
    ];

    /// The status that says this.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Unreachable => StatusCode::BAD_GATEWAY,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The kind that a status says, if it says one.
    #[must_use]
    pub fn from_status(status: StatusCode) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.status() == status)
    }

    /// Whether the same request may succeed later without any change of configuration.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        match self {
            Self::Malformed | Self::Forbidden => false,
            Self::Unreachable | Self::Busy | Self::TimedOut => true,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the request is malformed",
            Self::Forbidden => "not permitted",
            Self::Unreachable => "unreachable",
            Self::Busy => "the dialer is busy",
            Self::TimedOut => "took too long",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_names_its_kind_and_no_other_does() {
        for kind in Refusal::ALL {
            assert_eq!(Refusal::from_status(kind.status()), Some(kind));
        }
        for status in [
            StatusCode::OK,
            StatusCode::SWITCHING_PROTOCOLS,
            StatusCode::NOT_FOUND,
        ] {
            assert_eq!(Refusal::from_status(status), None);
        }
    }
}
