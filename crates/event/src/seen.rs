//! The events.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::Kind;
use crate::shown::{wired, wired_option};

/// What was seen. Texts may come from a client as they are: they are made fit for
/// the journal when written ([`Shown`](crate::Shown)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event<'a> {
    /// A connection did not become TLS.
    TlsHandshakeFailed {
        /// Who connected.
        client: IpAddr,
        /// What went wrong.
        #[serde(borrow, with = "wired")]
        reason: &'a str,
    },
    /// A request can be read in two ways, or in none.
    RequestMalformed {
        /// Who sent it.
        client: IpAddr,
        /// What is wrong with it.
        #[serde(borrow, with = "wired")]
        reason: &'a str,
    },
    /// A request was for a name that is not served.
    HostUnknown {
        /// Who sent it.
        client: IpAddr,
        /// The name.
        #[serde(borrow, with = "wired")]
        host: &'a str,
    },
    /// A request had a method that is not taken.
    MethodRefused {
        /// Who sent it.
        client: IpAddr,
        /// The method.
        #[serde(borrow, with = "wired")]
        method: &'a str,
    },
    /// A request was over a limit.
    RateLimited {
        /// Who sent it.
        client: IpAddr,
        /// Which limit.
        #[serde(borrow, with = "wired")]
        limit: &'a str,
        /// The bot that it was for.
        #[serde(borrow, with = "wired_option")]
        bot: Option<&'a str>,
        /// Seconds until it would have passed.
        retry_s: u64,
    },
    /// A connection, a stream or a WebSocket was one too many.
    ConnectionLimit {
        /// Who opened it.
        client: IpAddr,
        /// What was counted: `connections`, `streams` or `sockets`.
        #[serde(borrow, with = "wired")]
        limit: &'a str,
        /// How many there may be.
        most: u64,
    },
    /// Somebody spoke as a proxy who is none, or a proxy did not speak as one.
    ProxyUntrusted {
        /// Who connected.
        client: IpAddr,
        /// What was wrong.
        #[serde(borrow, with = "wired")]
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
        #[serde(borrow, with = "wired")]
        phase: &'a str,
    },
    /// A WebSocket was asked for in a way, or at a place, that is not taken.
    UpgradeRefused {
        /// Who asked.
        client: IpAddr,
        /// What is wrong with it.
        #[serde(borrow, with = "wired")]
        reason: &'a str,
    },
    /// A page of a site that may not call the bot asked for a WebSocket.
    OriginRefused {
        /// Whose browser asked.
        client: IpAddr,
        /// The page's origin.
        #[serde(borrow, with = "wired")]
        origin: &'a str,
        /// The bot.
        #[serde(borrow, with = "wired")]
        bot: &'a str,
    },
    /// A client sent on a WebSocket what RFC 6455 forbids.
    FrameMalformed {
        /// Who sent it.
        client: IpAddr,
        /// What is wrong with it.
        #[serde(borrow, with = "wired")]
        reason: &'a str,
    },
    /// A client's message on a WebSocket was too long.
    MessageTooLarge {
        /// Who sent it.
        client: IpAddr,
        /// The longest that is taken, in bytes.
        most_bytes: u64,
    },
    /// A request was for a path that nobody comes to but those who look for weaknesses.
    HoneypotProbed {
        /// Who sent it.
        client: IpAddr,
        /// The path.
        #[serde(borrow, with = "wired")]
        path: &'a str,
    },
    /// A conversation was asked for with a token that does not open it.
    TokenForged {
        /// Who sent it.
        client: IpAddr,
        /// The bot.
        #[serde(borrow, with = "wired")]
        bot: &'a str,
    },
    /// A login failed.
    LoginFailed {
        /// Who tried.
        client: IpAddr,
        /// What he tried to log in to.
        #[serde(borrow, with = "wired")]
        service: &'a str,
        /// The name that he gave.
        #[serde(borrow, with = "wired")]
        user: &'a str,
    },
    /// A unit told of what it cannot see, or not in the way that is agreed.
    EventForged {
        /// The unit, as the kernel knows it.
        #[serde(borrow, with = "wired")]
        unit: &'a str,
        /// What is wrong with it.
        #[serde(borrow, with = "wired")]
        reason: &'a str,
    },
    /// A certificate in use ends soon, or has ended.
    CertificateExpiring {
        /// The name that it is for.
        #[serde(borrow, with = "wired")]
        domain: &'a str,
        /// Seconds left; negative once it has ended.
        left_s: i64,
    },
    /// A certificate was not renewed.
    CertificateRenewalFailed {
        /// The name that it is for.
        #[serde(borrow, with = "wired")]
        domain: &'a str,
        /// Why.
        #[serde(borrow, with = "wired")]
        reason: &'a str,
    },
    /// A request as of [`Self::HoneypotProbed`] that a page of another site may have led a browser to. Last, as the wire
    /// numbers them.
    HoneypotLinked {
        /// Who sent it.
        client: IpAddr,
        /// The path.
        #[serde(borrow, with = "wired")]
        path: &'a str,
    },
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
            Self::HoneypotProbed { .. } => Kind::HoneypotProbed,
            Self::HoneypotLinked { .. } => Kind::HoneypotLinked,
            Self::TokenForged { .. } => Kind::TokenForged,
            Self::LoginFailed { .. } => Kind::LoginFailed,
            Self::EventForged { .. } => Kind::EventForged,
            Self::CertificateExpiring { .. } => Kind::CertificateExpiring,
            Self::CertificateRenewalFailed { .. } => Kind::CertificateRenewalFailed,
        }
    }

    /// Its name in the journal.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// Who caused it, where it is about a client.
    #[must_use]
    pub const fn client(&self) -> Option<IpAddr> {
        match *self {
            Self::TlsHandshakeFailed { client, .. }
            | Self::RequestMalformed { client, .. }
            | Self::HostUnknown { client, .. }
            | Self::MethodRefused { client, .. }
            | Self::RateLimited { client, .. }
            | Self::ConnectionLimit { client, .. }
            | Self::ProxyUntrusted { client, .. }
            | Self::BodyTooLarge { client, .. }
            | Self::SlowClient { client, .. }
            | Self::UpgradeRefused { client, .. }
            | Self::OriginRefused { client, .. }
            | Self::FrameMalformed { client, .. }
            | Self::MessageTooLarge { client, .. }
            | Self::HoneypotProbed { client, .. }
            | Self::HoneypotLinked { client, .. }
            | Self::TokenForged { client, .. }
            | Self::LoginFailed { client, .. } => Some(client),
            Self::EventForged { .. }
            | Self::CertificateExpiring { .. }
            | Self::CertificateRenewalFailed { .. } => None,
        }
    }
}
