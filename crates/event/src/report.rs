//! Writes events to the journal.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::{info, warn};

use crate::bound::{Bound, Verdict, second};
use crate::door;
use crate::shown::Shown;
use crate::{Event, Kind};

/// The `tracing` target of every record, which the journal has as `TARGET`.
pub const TARGET: &str = "security";

/// After how long the number left out is said.
const TOLD_AFTER: Duration = Duration::from_secs(1);

static BOUNDS: Mutex<[Bound; Kind::ALL.len()]> = Mutex::new([Bound::new(); Kind::ALL.len()]);

/// Tells whoever decides on bans, where [`connect`](crate::connect) or [`follow`](crate::follow) was called, and
/// writes one record, or counts it where [`RECORDS_A_SECOND`](crate::RECORDS_A_SECOND)
/// of its kind were written in this second already. The number left out is written a
/// second later where a tokio runtime runs, else by [`flush`]. Never waits.
pub fn report(event: &Event<'_>) {
    door::send(event);
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

/// Writes how many were left out so far, and waits half a second at most until what was told is judged. A service calls
/// it when it stops: a process that has ended is not believed.
pub fn flush() {
    Kind::ALL.into_iter().for_each(tell_left_out);
    door::settle();
}

fn bound<T>(kind: Kind, act: impl FnOnce(&mut Bound) -> T) -> T {
    let mut bounds = BOUNDS.lock().unwrap_or_else(PoisonError::into_inner);
    act(&mut bounds[kind as usize])
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
        Event::TlsHandshakeFailed { client, reason }
        | Event::RequestMalformed { client, reason }
        | Event::ProxyUntrusted { client, reason }
        | Event::UpgradeRefused { client, reason }
        | Event::FrameMalformed { client, reason } => {
            let reason = Shown(reason);
            info!(target: TARGET, event = name, %client, %reason, "{event}");
        }
        Event::HostUnknown { client, host } => {
            let host = Shown(host);
            info!(target: TARGET, event = name, %client, %host, "{event}");
        }
        Event::MethodRefused { client, method } => {
            let method = Shown(method);
            info!(target: TARGET, event = name, %client, %method, "{event}");
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
            info!(target: TARGET, event = name, %client, %limit, bot, retry_s, "{event}");
        }
        Event::ConnectionLimit {
            client,
            limit,
            most,
        } => {
            let limit = Shown(limit);
            info!(target: TARGET, event = name, %client, %limit, most, "{event}");
        }
        Event::BodyTooLarge { client, most_bytes }
        | Event::MessageTooLarge { client, most_bytes } => {
            info!(target: TARGET, event = name, %client, most_bytes, "{event}");
        }
        Event::SlowClient { client, phase } => {
            let phase = Shown(phase);
            info!(target: TARGET, event = name, %client, %phase, "{event}");
        }
        Event::OriginRefused {
            client,
            origin,
            bot,
        } => {
            let (origin, bot) = (Shown(origin), Shown(bot));
            info!(target: TARGET, event = name, %client, %origin, %bot, "{event}");
        }
        Event::HoneypotProbed { client, path } | Event::HoneypotLinked { client, path } => {
            let path = Shown(path);
            info!(target: TARGET, event = name, %client, %path, "{event}");
        }
        Event::TokenForged { client, bot } => {
            let bot = Shown(bot);
            info!(target: TARGET, event = name, %client, %bot, "{event}");
        }
        Event::LoginFailed {
            client,
            service,
            user,
        } => {
            let (service, user) = (Shown(service), Shown(user));
            info!(target: TARGET, event = name, %client, %service, %user, "{event}");
        }
        Event::EventForged { unit, reason } => {
            let (unit, reason) = (Shown(unit), Shown(reason));
            warn!(target: TARGET, event = name, %unit, %reason, "{event}");
        }
        Event::CertificateExpiring { domain, left_s } => {
            let domain = Shown(domain);
            warn!(target: TARGET, event = name, %domain, left_s, "{event}");
        }
        Event::CertificateRenewalFailed { domain, reason } => {
            let (domain, reason) = (Shown(domain), Shown(reason));
            warn!(target: TARGET, event = name, %domain, %reason, "{event}");
        }
    }
}
