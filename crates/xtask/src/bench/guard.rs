//! Guard and firewall beside Debian's fail2ban, in one machine: how soon a deed is punished, what a ban and a line of the
//! log cost, memory with many bans, and long block lists.
//!
//! A program in the machine measures, from a network of attackers (`guest/bench-guard.py`).

use serde::Deserialize;

use super::Options;
use super::booted::Ground;
use super::figure::{Bar, Figure};
use crate::boot::Order;
use crate::failure::{Outcome, While};
use crate::host;
use crate::progress::step;
use crate::root::base::Purpose;

/// The program that measures.
const SCRIPT: &str = include_str!("../../guest/bench-guard.py");

/// Where it is in the machine.
const PLACE: &str = "/run/bench-guard.py";

/// The bars.
const DECIDED_MS: f64 = 1.0;
const BAN_SHARE: f64 = 1.0 / 200.0;
const LINES_TIMES: f64 = 80.0;
const MEMORY_SHARE: f64 = 0.2;
const LIST_SECONDS: f64 = 2.0;

/// What the program found.
#[derive(Debug, Deserialize)]
struct Found {
    dropped_ms_p50: f64,
    dropped_ms_p99: f64,
    step_ms_p50: f64,
    ended_ms_p50: f64,
    plain_ms_p50: f64,
    served_after: f64,
    fail2ban_decided_ms_p50: f64,
    ban_us_p50: f64,
    ban_processor_us: f64,
    nft_us_p50: f64,
    nft_processor_us: f64,
    guard_lines: f64,
    fail2ban_lines: f64,
    fail2ban_judged: f64,
    bans: f64,
    guard_idle: f64,
    firewall_idle: f64,
    guard_memory: f64,
    firewall_memory: f64,
    fail2ban_memory: f64,
    list_s: f64,
    list_again_s: f64,
    list_leaks: f64,
    list_tries: f64,
}

/// Boots an appliance with fail2ban in it, and measures.
pub(super) fn run(_options: &Options) -> Outcome<Vec<Figure>> {
    host::require_root()?;
    Ground::lend(Purpose::Beside, "bench-guard", |ground| {
        ground.boot(Order::Crash, |machine| {
            step("Booting the appliance", || machine.ready())?;
            std::fs::write(machine.path(PLACE), SCRIPT)
                .during("the program that measures could not be put into the machine")?;
            let said = step("Measuring guard and fail2ban (some minutes)", || {
                machine.reach().succeed(&format!("python3 {PLACE}"))
            })?;
            let found: Found = serde_json::from_str(said.trim())
                .during(format_args!("the program that measures said {said:?}"))?;
            Ok(figures(&found))
        })
    })
}

fn figures(found: &Found) -> Vec<Figure> {
    let told = |name: &str, value, unit| Figure::new(name, value, unit, Bar::Told);
    let most = |name: &str, value, unit, bar| Figure::new(name, value, unit, Bar::AtMost(bar));
    let mebibytes = |bytes: f64| bytes / f64::from(1 << 20);
    let memory = found.guard_memory + found.firewall_memory;
    vec![
        most(
            "deciding request to packets dropped in the kernel, p99",
            found.dropped_ms_p99,
            "ms",
            DECIDED_MS,
        ),
        told("… median", found.dropped_ms_p50, "ms"),
        told(
            "… of which up to so much is between two probes",
            found.step_ms_p50,
            "ms",
        ),
        told(
            "… to the end of its own connection, median",
            found.ended_ms_p50,
            "ms",
        ),
        told(
            "a request that decides nothing, median",
            found.plain_ms_p50,
            "ms",
        ),
        told(
            "fail2ban: from the line to the ban, median",
            found.fail2ban_decided_ms_p50,
            "ms",
        ),
        most(
            "requests served after the deciding one",
            found.served_after,
            "",
            0.0,
        ),
        told("one ban by the firewall, median", found.ban_us_p50, "µs"),
        told("one ban by spawning nft, median", found.nft_us_p50, "µs"),
        told(
            "one ban: the firewall against nft, time",
            found.ban_us_p50 / found.nft_us_p50,
            "×",
        ),
        most(
            "one ban: the firewall against nft, processor time",
            found.ban_processor_us / found.nft_processor_us,
            "×",
            BAN_SHARE,
        ),
        told("guard: lines judged per CPU-second", found.guard_lines, ""),
        told(
            "fail2ban: lines judged per CPU-second",
            found.fail2ban_lines,
            "",
        ),
        told("fail2ban: lines judged", found.fail2ban_judged, ""),
        Figure::new(
            "guard against fail2ban: lines judged per CPU-second",
            found.guard_lines / found.fail2ban_lines,
            "×",
            Bar::AtLeast(LINES_TIMES),
        ),
        told(
            "guard and firewall: memory without bans, PSS",
            mebibytes(found.guard_idle + found.firewall_idle),
            "MiB",
        ),
        told("guard and firewall: bans", found.bans, ""),
        told(
            "guard: memory with them, PSS",
            mebibytes(found.guard_memory),
            "MiB",
        ),
        told(
            "firewall: memory with them, PSS",
            mebibytes(found.firewall_memory),
            "MiB",
        ),
        told(
            "fail2ban: memory with ten, PSS",
            mebibytes(found.fail2ban_memory),
            "MiB",
        ),
        most(
            "guard and firewall against fail2ban: memory",
            memory / found.fail2ban_memory,
            "×",
            MEMORY_SHARE,
        ),
        most("500,000 entries in force", found.list_s, "s", LIST_SECONDS),
        most(
            "500,000 others in their place",
            found.list_again_s,
            "s",
            LIST_SECONDS,
        ),
        told(
            "connections tried meanwhile from an address in both",
            found.list_tries,
            "",
        ),
        most("… and let in", found.list_leaks, "", 0.0),
    ]
}
