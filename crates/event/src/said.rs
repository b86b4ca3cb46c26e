//! What is said of each event, for people.

use std::fmt;

use crate::{Event, Shown};

/// What the journal says of it, in one line.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TlsHandshakeFailed { reason, .. } => {
                write!(f, "a TLS handshake failed: {}", Shown(reason))
            }
            Self::RequestMalformed { reason, .. } => {
                write!(f, "a malformed request was refused: {}", Shown(reason))
            }
            Self::HostUnknown { host, .. } => write!(
                f,
                "a request for a host that is not served was refused: {}",
                Shown(host)
            ),
            Self::MethodRefused { method, .. } => write!(
                f,
                "a request with a method that is not taken was refused: {}",
                Shown(method)
            ),
            Self::RateLimited { limit, .. } => write!(
                f,
                "a request over the limit \"{}\" was refused",
                Shown(limit)
            ),
            Self::ConnectionLimit { limit, most, .. } => write!(
                f,
                "a client had more than {most} {} open; one was refused",
                Shown(limit)
            ),
            Self::ProxyUntrusted { reason, .. } => {
                write!(f, "not believed as a proxy: {}", Shown(reason))
            }
            Self::BodyTooLarge { most_bytes, .. } => {
                write!(f, "a request longer than {most_bytes} bytes was refused")
            }
            Self::SlowClient { phase, .. } => {
                write!(f, "a client that dawdled was cut off: {}", Shown(phase))
            }
            Self::UpgradeRefused { reason, .. } => {
                write!(f, "a WebSocket was refused: {}", Shown(reason))
            }
            Self::OriginRefused { origin, bot, .. } => write!(
                f,
                "a page of a site that may not call {} was refused a WebSocket: {}",
                Shown(bot),
                Shown(origin)
            ),
            Self::FrameMalformed { reason, .. } => write!(
                f,
                "a WebSocket was closed for what its client sent: {}",
                Shown(reason)
            ),
            Self::MessageTooLarge { most_bytes, .. } => write!(
                f,
                "a WebSocket was closed for a message longer than {most_bytes} bytes"
            ),
            Self::HoneypotProbed { path, .. } => write!(
                f,
                "a path that only those ask for who look for weaknesses: {}",
                Shown(path)
            ),
            Self::HoneypotLinked { path, .. } => write!(
                f,
                "a path that only those ask for who look for weaknesses, unless a page led there: {}",
                Shown(path)
            ),
            Self::TokenForged { bot, .. } => write!(
                f,
                "a conversation of {} was asked for with a token that does not open it",
                Shown(bot)
            ),
            Self::LoginFailed { service, user, .. } => write!(
                f,
                "a login to {} as \"{}\" failed",
                Shown(service),
                Shown(user)
            ),
            Self::EventForged { unit, reason } => write!(
                f,
                "{} told of what it cannot know: {}",
                Shown(unit),
                Shown(reason)
            ),
            Self::CertificateExpiring { domain, left_s } if left_s > 0 => write!(
                f,
                "the certificate of {} ends soon, and browsers refuse it then",
                Shown(domain)
            ),
            Self::CertificateExpiring { domain, .. } => write!(
                f,
                "the certificate of {} has ended, and browsers refuse it",
                Shown(domain)
            ),
            Self::CertificateRenewalFailed { domain, reason } => write!(
                f,
                "the certificate of {} was not renewed: {}",
                Shown(domain),
                Shown(reason)
            ),
        }
    }
}
