//! The gate beside Debian's nginx, both as services of one machine, with one certificate, the same program behind them and
//! the same visitors, in turns.
//!
//! What counts is work for each second of processor time of the server's own processes, and their memory. The gate has
//! every filter on, with limits that the visitors do not reach; nginx passes requests on and does nothing else, not even
//! an access log. Both agree on keys by X25519, which nginx's OpenSSL can in every Debian.

mod server;
mod visitors;

use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use super::Options;
use super::booted::{Ground, Machine};
use super::figure::{Bar, Figure};
use super::rounds::median;
use crate::boot::Order;
use crate::failure::Outcome;
use crate::host;
use crate::progress::{note, step};
use crate::root::base::Purpose;
use crate::stop::Stop;
use server::{GATE, NGINX, Server};
use visitors::{Act, Backend, Visitors};

/// The bars: how many times nginx's work for each second of processor time, or of its memory.
const ACTS: &[(Act, f64)] = &[
    (Act::Full, 2.0),
    (Act::Resumed, 1.8),
    (Act::Requests, 1.0),
    (Act::Bulk, 1.5),
];
const MEMORY_TIMES: f64 = 0.7;

/// Streams that are open and silent when memory is looked at. Fewer where this machine gives a process too few
/// descriptors: the gate takes one for each, and keeps a quarter for answers (`crates/gate/src/descriptors.rs`).
const IDLE_STREAMS: u64 = 10_000;
const DESCRIPTORS_RESERVE: u64 = 3000;
const CONNECTIONS_OF_FOUR: u64 = 3;

/// What a load leaves to be done is charged to it for so long.
const SETTLE: Duration = Duration::from_millis(500);

/// What one server did for each second of processor time, round by round, for each of [`ACTS`].
type Rates = [Vec<f64>; ACTS.len()];

/// Boots an appliance with nginx in it, and measures.
pub(super) fn run(options: &Options) -> Outcome<Vec<Figure>> {
    host::require_root()?;
    let stop = Stop::watch()?;
    Ground::lend(Purpose::Beside, "bench-gate", |ground| {
        ground.boot(Order::Crash, |machine| {
            let visitors = Visitors::built(ground.assembled.built());
            let _backend = step("Booting the gate and nginx", || {
                machine.ready()?;
                let backend = Backend::start(machine, ground.assembled.built())?;
                server::set_up(machine)?;
                Ok(backend)
            })?;
            let mut figures = rates(machine, &visitors, options, &stop)?;
            figures.extend(memory(machine, &visitors, &stop)?);
            Ok(figures)
        })
    })
}

fn rates(
    machine: &Machine,
    visitors: &Visitors,
    options: &Options,
    stop: &Stop,
) -> Outcome<Vec<Figure>> {
    let (mut gate, mut nginx) = (Rates::default(), Rates::default());
    for number in 0..=options.rounds {
        println!("• Round {number} of {} (0 warms up) …", options.rounds);
        for (place, (act, _)) in ACTS.iter().enumerate() {
            for (server, rates) in [(&GATE, &mut gate), (&NGINX, &mut nginx)] {
                stop.check()?;
                let rate = rate(machine, visitors, server, *act, options)?;
                if number > 0 {
                    rates[place].push(rate);
                }
            }
        }
    }
    let mut figures = Vec::new();
    for (place, (act, bar)) in ACTS.iter().enumerate() {
        let of = |rates: &Rates| median(rates[place].iter().copied());
        for (server, rates) in [(&GATE, &gate), (&NGINX, &nginx)] {
            let name = format!("{}: {} per CPU-second", server.name, act.plural());
            figures.push(Figure::new(name, of(rates), act.unit(), Bar::Told));
        }
        // Of each round's own pair: what else the machine does in a round concerns both.
        let pairs = gate[place].iter().zip(&nginx[place]);
        let times = median(pairs.map(|(gate, nginx)| gate / nginx));
        let name = format!("gate against nginx: {}", act.plural());
        figures.push(Figure::new(name, times, "×", Bar::AtLeast(*bar)));
    }
    Ok(figures)
}

/// What a server does for each second of processor time.
fn rate(
    machine: &Machine,
    visitors: &Visitors,
    server: &Server,
    act: Act,
    options: &Options,
) -> Outcome<f64> {
    let before = server.processor(machine)?;
    let done = visitors.load(machine, server, act, options)?;
    sleep(SETTLE);
    let taken = server.processor(machine)?.saturating_sub(before);
    let rate = done / taken.as_secs_f64();
    note(&format!(
        "{:<5} {:>9.0} {} a CPU-second",
        server.name,
        rate,
        act.plural()
    ));
    Ok(rate)
}

fn memory(machine: &Machine, visitors: &Visitors, stop: &Stop) -> Outcome<Vec<Figure>> {
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52 bytes")]
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let streams = idle_streams(getrlimit(Resource::Nofile).maximum);
    let mut figures = Vec::new();
    let mut sums = Vec::new();
    for server in [&GATE, &NGINX] {
        stop.check()?;
        let title = format!("Holding {streams} streams open at the {}", server.name);
        let bytes = step(&title, || {
            visitors.idle(machine, server, streams, || server.memory(machine))
        })?;
        let name = format!("{}: memory at {streams} idle streams, PSS", server.name);
        figures.push(Figure::new(name, mebibytes(bytes), "MiB", Bar::Told));
        sums.push(mebibytes(bytes));
    }
    let name = "gate against nginx: memory at idle streams";
    figures.push(Figure::new(
        name,
        sums[0] / sums[1],
        "×",
        Bar::AtMost(MEMORY_TIMES),
    ));
    Ok(figures)
}

/// How many streams can be open where a process may have so many descriptors; none: as many as it likes.
fn idle_streams(descriptors: Option<u64>) -> u64 {
    let fit = |limit: u64| limit.saturating_sub(DESCRIPTORS_RESERVE) / 4 * CONNECTIONS_OF_FOUR;
    descriptors.map_or(IDLE_STREAMS, |limit| IDLE_STREAMS.min(fit(limit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_as_many_as_there_are_descriptors_for() {
        assert_eq!(idle_streams(None), 10_000);
        assert_eq!(idle_streams(Some(1 << 20)), 10_000);
        assert_eq!(idle_streams(Some(20_000)), 10_000);
        assert_eq!(idle_streams(Some(11_000)), 6000);
    }
}
