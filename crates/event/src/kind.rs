//! The kinds of events, and their names.

/// The kind of an event. Each has a bound of its own on how many are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// [`Event::HoneypotProbed`]
    HoneypotProbed,
    /// [`Event::HoneypotLinked`]
    HoneypotLinked,
    /// [`Event::TokenForged`]
    TokenForged,
    /// [`Event::LoginFailed`]
    LoginFailed,
    /// [`Event::EventForged`]
    EventForged,
    /// [`Event::CertificateExpiring`]
    CertificateExpiring,
    /// [`Event::CertificateRenewalFailed`]
    CertificateRenewalFailed,
}

impl Kind {
    /// All there are, in the order of their declaration.
    pub const ALL: [Self; 20] = [
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
        Self::HoneypotProbed,
        Self::HoneypotLinked,
        Self::TokenForged,
        Self::LoginFailed,
        Self::EventForged,
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
            Self::HoneypotProbed => "honeypot-probed",
            Self::HoneypotLinked => "honeypot-linked",
            Self::TokenForged => "token-forged",
            Self::LoginFailed => "login-failed",
            Self::EventForged => "event-forged",
            Self::CertificateExpiring => "certificate-expiring",
            Self::CertificateRenewalFailed => "certificate-renewal-failed",
        }
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
