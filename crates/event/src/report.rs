//! Writes events to the journal.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::bound::{Bound, Verdict};
use crate::shown::Shown;
use crate::{Event, Kind};

/// The `tracing` target of every record, which the journal has as `TARGET`.
pub const TARGET: &str = "security";

/// After how long the number left out is said.
const TOLD_AFTER: Duration = Duration::from_secs(1);

static BOUNDS: Mutex<[Bound; Kind::ALL.len()]> = Mutex::new([Bound::new(); Kind::ALL.len()]);

/// Writes one record, or counts it where [`RECORDS_A_SECOND`](crate::RECORDS_A_SECOND)
/// of its kind were written in this second already. The number left out is written a
/// second later where a tokio runtime runs, else by [`flush`].
pub fn report(event: &Event<'_>) {
    let kind = event.kind();
    match bound(kind, |bound| bound.take(second())) {
        Verdict::Write => write(event),
        Verdict::First => {
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move {
                    tokio::time::sleep(TOLD_AFTER).await;
                    tell_left_out(kind);
                });
            }
        }
        Verdict::Count => {}
    }
}

/// Writes how many were left out so far. A service calls it when it stops.
pub fn flush() {
    Kind::ALL.into_iter().for_each(tell_left_out);
}

fn bound<T>(kind: Kind, act: impl FnOnce(&mut Bound) -> T) -> T {
    let mut bounds = BOUNDS.lock().unwrap_or_else(PoisonError::into_inner);
    act(&mut bounds[kind as usize])
}

/// Seconds since the first event.
fn second() -> u64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed().as_secs()
}

fn tell_left_out(kind: Kind) {
    let left_out = bound(kind, Bound::left_out);
    if left_out > 0 {
        let event = kind.name();
        warn!(
            target: TARGET,
            event,
            left_out,
            "{left_out} more events {event} were left out of the journal"
        );
    }
}

fn write(event: &Event<'_>) {
    let name = event.name();
    match *event {
        Event::TlsHandshakeFailed { client, reason } => {
            let reason = Shown(reason);
            info!(target: TARGET, event = name, %client, %reason, "a TLS handshake failed: {reason}");
        }
        Event::RequestMalformed { client, reason } => {
            let reason = Shown(reason);
            info!(target: TARGET, event = name, %client, %reason, "a malformed request was refused: {reason}");
        }
        Event::HostUnknown { client, host } => {
            let host = Shown(host);
            info!(target: TARGET, event = name, %client, %host, "a request for a host that is not served was refused: {host}");
        }
        Event::MethodRefused { client, method } => {
            let method = Shown(method);
            info!(target: TARGET, event = name, %client, %method, "a request with a method that is not taken was refused: {method}");
        }
        Event::RateLimited {
            client,
            limit,
            bot,
            retry_s,
        } => {
            let (limit, bot) = (
                Shown(limit),
                bot.map(|bot| tracing::field::display(Shown(bot))),
            );
            info!(target: TARGET, event = name, %client, %limit, bot, retry_s, "a request over the limit \"{limit}\" was refused");
        }
        Event::ConnectionLimit {
            client,
            limit,
            most,
        } => {
            let limit = Shown(limit);
            info!(target: TARGET, event = name, %client, %limit, most, "a client had more than {most} {limit} open; one was refused");
        }
        Event::ProxyUntrusted { client, reason } => {
            let reason = Shown(reason);
            info!(target: TARGET, event = name, %client, %reason, "not believed as a proxy: {reason}");
        }
        Event::BodyTooLarge { client, most_bytes } => {
            info!(target: TARGET, event = name, %client, most_bytes, "a request longer than {most_bytes} bytes was refused");
        }
        Event::SlowClient { client, phase } => {
            let phase = Shown(phase);
            info!(target: TARGET, event = name, %client, %phase, "a client that dawdled was cut off: {phase}");
        }
        Event::UpgradeRefused { client, reason } => {
            let reason = Shown(reason);
            info!(target: TARGET, event = name, %client, %reason, "a WebSocket was refused: {reason}");
        }
        Event::OriginRefused {
            client,
            origin,
            bot,
        } => {
            let (origin, bot) = (Shown(origin), Shown(bot));
            info!(target: TARGET, event = name, %client, %origin, %bot, "a page of a site that may not call {bot} was refused a WebSocket: {origin}");
        }
        Event::FrameMalformed { client, reason } => {
            let reason = Shown(reason);
            info!(target: TARGET, event = name, %client, %reason, "a WebSocket was closed for what its client sent: {reason}");
        }
        Event::MessageTooLarge { client, most_bytes } => {
            info!(target: TARGET, event = name, %client, most_bytes, "a WebSocket was closed for a message longer than {most_bytes} bytes");
        }
        Event::CertificateExpiring { domain, left_s } => {
            let domain = Shown(domain);
            let when = if left_s > 0 {
                "ends soon, and browsers refuse it then"
            } else {
                "has ended, and browsers refuse it"
            };
            warn!(target: TARGET, event = name, %domain, left_s, "the certificate of {domain} {when}");
        }
        Event::CertificateRenewalFailed { domain, reason } => {
            let (domain, reason) = (Shown(domain), Shown(reason));
            warn!(target: TARGET, event = name, %domain, %reason, "the certificate of {domain} was not renewed: {reason}");
        }
    }
}
