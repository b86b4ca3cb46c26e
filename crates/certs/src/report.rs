//! What the operator is told.

use std::time::{Duration, UNIX_EPOCH};

use event::Event;

use crate::acme::past::Past;
use crate::config::Acme;
use crate::leaf::Leaf;

/// A moment in seconds since 1970, as people read it.
pub(crate) fn date(seconds: u64) -> String {
    // Beyond the year 9999 it cannot be written.
    const LAST: u64 = 253_402_300_799;
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds.min(LAST)));
    time.map_or_else(|| "never".to_owned(), httpdate::fmt_http_date)
}

/// What visitors get while there is no newer certificate.
pub(crate) fn meanwhile(now: u64, leaf: Option<&Leaf>) -> String {
    match leaf {
        Some(leaf) if leaf.ends > now => {
            format!("the one in use stays and serves until {}", date(leaf.ends))
        }
        Some(leaf) => format!(
            "the one in use ended on {} and visitors are warned of it",
            date(leaf.ends)
        ),
        None => "visitors get the local certificate, which their browsers do not know".to_owned(),
    }
}

/// An attempt failed.
pub(crate) fn failed(now: u64, acme: &Acme, leaf: Option<&Leaf>, past: &Past) {
    event::report(&Event::CertificateRenewalFailed {
        domain: &first(acme),
        reason: &past.error,
    });
    tracing::error!(
        "no new public certificate: {}; {}. The next attempt is after {}; for one at once \
         remove /var/lib/casemate/certs/acme.json and start casemate-certs.service",
        past.error,
        meanwhile(now, leaf),
        date(past.next_try)
    );
}

/// A certificate ends in `days` and has not been renewed.
pub(crate) fn expiring(now: u64, acme: &Acme, days: u64, leaf: &Leaf, past: &Past) {
    let seconds = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    event::report(&Event::CertificateExpiring {
        domain: &first(acme),
        left_s: seconds(leaf.ends).saturating_sub(seconds(now)),
    });
    let why = if past.error.is_empty() {
        "no attempt to renew it was made yet"
    } else {
        past.error.as_str()
    };
    tracing::warn!(
        "the public certificate ends on {}, in {days} days, and is not renewed: {why}",
        date(leaf.ends)
    );
}

/// The name that stands for a certificate: the first one.
fn first(acme: &Acme) -> String {
    acme.names
        .first()
        .map(|name| name.to_str().into_owned())
        .unwrap_or_default()
}

/// For the console's log-in screen (agetty(8)), by which a person at the machine can compare what a
/// browser shows.
pub(crate) fn issue(fingerprint: &str) -> String {
    format!("The SHA-256 of this machine's certificate authority:\n{fingerprint}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_out() {
        assert_eq!(date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(date(u64::MAX).ends_with("9999 23:59:59 GMT"));
        assert!(meanwhile(0, None).contains("local certificate"));
    }
}
