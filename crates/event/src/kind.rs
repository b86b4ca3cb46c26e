//! The events and their names.

use std::net::IpAddr;

/// What was seen. Texts may come from a client as they are: they are made fit for
/// the journal when written ([`Shown`](crate::Shown)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A connection did not become TLS.
    TlsHandshakeFailed {
        /// Who connected.
        client: IpAddr,
        /// What went wrong.
        reason: &'a str,
    },
    /// A request can be read in two ways, or in none.
    RequestMalformed {
        /// Who sent it.
        client: IpAddr,
        /// What is wrong with it.
        reason: &'a str,
    },
    /// A request was for a name that is not served.
    HostUnknown {
        /// Who sent it.
        client: IpAddr,
        /// The name.
        host: &'a str,
    },
    /// A request had a method that is not taken.
    MethodRefused {
        /// Who sent it.
        client: IpAddr,
        /// The method.
        method: &'a str,
    },
    /// A request was over a limit.
    RateLimited {
        /// Who sent it.
        client: IpAddr,
        /// Which limit.
        limit: &'a str,
        /// The bot that it was for.
        bot: Option<&'a str>,
        /// Seconds until it would have passed.
        retry_s: u64,
    },
    /// A connection, a stream or a WebSocket was one too many.
    ConnectionLimit {
        /// Who opened it.
        client: IpAddr,
        /// What was counted: `connections`, `streams` or `sockets`.
        limit: &'a str,
        /// How many there may be.
        most: u64,
    },
    /// Somebody spoke as a proxy who is none, or a proxy did not speak as one.
    ProxyUntrusted {
        /// Who connected.
        client: IpAddr,
        /// What was wrong.
        reason: &'a str,
    },
    /// A request's body was too long.
    BodyTooLarge {
        /// Who sent it.
        client: IpAddr,
        /// The longest that is taken, in bytes.
        most_bytes: u64,
    },
    /// A client was cut off because it dawdled.
    SlowClient {
        /// Who dawdled.
        client: IpAddr,
        /// What was waited for.
        phase: &'a str,
    },
    /// A WebSocket was asked for in a way, or at a place, that is not taken.
    UpgradeRefused {
        /// Who asked.
        client: IpAddr,
        /// What is wrong with it.
        reason: &'a str,
    },
    /// A page of a site that may not call the bot asked for a WebSocket.
    OriginRefused {
        /// Whose browser asked.
        client: IpAddr,
        /// The page's origin.
        origin: &'a str,
        /// The bot.
        bot: &'a str,
    },
    /// A client sent on a WebSocket what RFC 6455 forbids.
    FrameMalformed {
        /// Who sent it.
        client: IpAddr,
        /// What is wrong with it.
        reason: &'a str,
    },
    /// A client's message on a WebSocket was too long.
    MessageTooLarge {
        /// Who sent it.
        client: IpAddr,
        /// The longest that is taken, in bytes.
        most_bytes: u64,
    },
    /// A certificate in use ends soon, or has ended.
    CertificateExpiring {
        /// The name that it is for.
        domain: &'a str,
        /// Seconds left; negative once it has ended.
        left_s: i64,
    },
    /// A certificate was not renewed.
    CertificateRenewalFailed {
        /// The name that it is for.
        domain: &'a str,
        /// Why.
        reason: &'a str,
    },
}

/// The kind of an event. Each has a bound of its own on how many are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// [`Event::TlsHandshakeFailed`]
    TlsHandshakeFailed,
    /// [`Event::RequestMalformed`]
    RequestMalformed,
    /// [`Event::HostUnknown`]
    HostUnknown,
    /// [`Event::MethodRefused`]
    MethodRefused,
    /// [`Event::RateLimited`]
    RateLimited,
    /// [`Event::ConnectionLimit`]
    ConnectionLimit,
    /// [`Event::ProxyUntrusted`]
    ProxyUntrusted,
    /// [`Event::BodyTooLarge`]
    BodyTooLarge,
    /// [`Event::SlowClient`]
    SlowClient,
    /// [`Event::UpgradeRefused`]
    UpgradeRefused,
    /// [`Event::OriginRefused`]
    OriginRefused,
    /// [`Event::FrameMalformed`]
    FrameMalformed,
    /// [`Event::MessageTooLarge`]
    MessageTooLarge,
    /// [`Event::CertificateExpiring`]
    CertificateExpiring,
    /// [`Event::CertificateRenewalFailed`]
    CertificateRenewalFailed,
}

impl Kind {
    /// All there are, in the order of their declaration.
    pub const ALL: [Self; 15] = [
        Self::TlsHandshakeFailed,
        Self::RequestMalformed,
        Self::HostUnknown,
        Self::MethodRefused,
        Self::RateLimited,
        Self::ConnectionLimit,
        Self::ProxyUntrusted,
        Self::BodyTooLarge,
        Self::SlowClient,
        Self::UpgradeRefused,
        Self::OriginRefused,
        Self::FrameMalformed,
        Self::MessageTooLarge,
        Self::CertificateExpiring,
        Self::CertificateRenewalFailed,
    ];

    /// The name in the journal. It never changes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TlsHandshakeFailed => "tls-handshake-failed",
            Self::RequestMalformed => "request-malformed",
            Self::HostUnknown => "host-unknown",
            Self::MethodRefused => "method-refused",
            Self::RateLimited => "rate-limited",
            Self::ConnectionLimit => "connection-limit",
            Self::ProxyUntrusted => "proxy-untrusted",
            Self::BodyTooLarge => "body-too-large",
            Self::SlowClient => "slow-client",
            Self::UpgradeRefused => "upgrade-refused",
            Self::OriginRefused => "origin-refused",
            Self::FrameMalformed => "frame-malformed",
            Self::MessageTooLarge => "message-too-large",
            Self::CertificateExpiring => "certificate-expiring",
            Self::CertificateRenewalFailed => "certificate-renewal-failed",
        }
    }
}

impl Event<'_> {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::TlsHandshakeFailed { .. } => Kind::TlsHandshakeFailed,
            Self::RequestMalformed { .. } => Kind::RequestMalformed,
            Self::HostUnknown { .. } => Kind::HostUnknown,
            Self::MethodRefused { .. } => Kind::MethodRefused,
            Self::RateLimited { .. } => Kind::RateLimited,
            Self::ConnectionLimit { .. } => Kind::ConnectionLimit,
            Self::ProxyUntrusted { .. } => Kind::ProxyUntrusted,
            Self::BodyTooLarge { .. } => Kind::BodyTooLarge,
            Self::SlowClient { .. } => Kind::SlowClient,
            Self::UpgradeRefused { .. } => Kind::UpgradeRefused,
            Self::OriginRefused { .. } => Kind::OriginRefused,
            Self::FrameMalformed { .. } => Kind::FrameMalformed,
            Self::MessageTooLarge { .. } => Kind::MessageTooLarge,
            Self::CertificateExpiring { .. } => Kind::CertificateExpiring,
            Self::CertificateRenewalFailed { .. } => Kind::CertificateRenewalFailed,
        }
    }

    /// Its name in the journal.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_documented() {
        let readme = include_str!("../README.md");
        for kind in Kind::ALL {
            let row = format!("| `{}` |", kind.name());
            assert_eq!(readme.matches(&row).count(), 1, "{row}");
        }
    }

    #[test]
    fn kinds_are_numbered_in_the_order_of_the_list() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
    }
}
