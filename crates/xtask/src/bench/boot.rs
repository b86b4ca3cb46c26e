//! How long a new appliance takes from nothing to serving.

use super::Options;
use super::booted::Ground;
use super::figure::{Bar, Figure};
use crate::boot::Order;
use crate::failure::{Outcome, While};
use crate::root::base::Purpose;

/// The bars: services at first boot (gate, llm and dialer wait for no bot), and seconds until they serve. A first
/// boot makes every key and certificate.
const SERVICES: f64 = 3.0;
const SECONDS_MAX: f64 = 10.0;

/// Counts the services that have said that they are ready.
const COUNT: &str =
    "systemctl list-units --no-legend --plain --state=running 'casemate-*.service' | wc -l";

/// Boots a container that has never run.
pub(super) fn run(_options: &Options) -> Outcome<Vec<Figure>> {
    let (time, count) = Ground::lend(Purpose::Container, "bench-boot", |ground| {
        ground.boot(Order::Crash, |machine| {
            let time = machine.ready()?;
            let count: f64 = machine
                .reach()
                .succeed(COUNT)?
                .trim()
                .parse()
                .during("the services could not be counted")?;
            Ok((time, count))
        })
    })?;
    Ok(vec![
        Figure::new(
            "first boot until ready",
            time.as_secs_f64(),
            "s",
            Bar::AtMost(SECONDS_MAX),
        ),
        Figure::new("services running then", count, "", Bar::AtLeast(SERVICES)),
    ])
}
