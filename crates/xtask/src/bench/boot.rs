//! How long a new appliance takes from nothing to serving.

use std::fs::File;
use std::time::{Duration, Instant};

use super::Figure;
use super::figure::Bar;
use crate::assemble::assemble;
use crate::boot::child::Booted;
use crate::boot::{Event, Order};
use crate::failure::{Failure, Outcome, While};
use crate::host;
use crate::instance::{Instance, Reach};
use crate::root::base::Purpose;
use crate::workspace::Workspace;

/// How long a container may take before it is given up, in seconds.
const PATIENCE_SECONDS: u64 = 120;

/// The bars: services at first boot (gate, llm and dialer wait for no bot), and seconds until they serve. A first
/// boot makes every key and certificate.
const SERVICES: f64 = 3.0;
const SECONDS_MAX: f64 = 10.0;

/// Counts the services that have said that they are ready.
const COUNT: &str =
    "systemctl list-units --no-legend --plain --state=running 'casemate-*.service' | wc -l";

/// Boots a container that has never run.
pub(super) fn run() -> Outcome<Vec<Figure>> {
    let workspace = Workspace::find()?;
    host::prepare(host::CONTAINER)?;
    let assembled = assemble(&workspace, Purpose::Container)?;
    let instance = Instance::named(&workspace, "bench-boot");
    instance.forget()?;
    instance.prepare()?;
    let console = File::create(instance.dir().join("console.log"))
        .during("the console's log could not be made")?;
    let started = Instant::now();
    let booted = Booted::start(assembled.in_container(&instance), console)?;
    let measured = until_ready(&booted).and_then(|reach| {
        let time = started.elapsed();
        let count: f64 = reach
            .succeed(COUNT)?
            .trim()
            .parse()
            .during("the services could not be counted")?;
        Ok((time, count))
    });
    booted.stop(Order::Crash)?;
    instance.forget()?;
    let (time, count) = measured?;
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

fn until_ready(booted: &Booted) -> Outcome<Reach> {
    let mut reach = None;
    loop {
        match booted.event(Duration::from_secs(PATIENCE_SECONDS))? {
            Some(Event::Leader { pid }) => reach = Some(Reach::Container { leader: pid }),
            Some(Event::Ready) => return reach.during("the container has no PID 1"),
            Some(_) => {}
            None => return Failure::because("the container did not finish its start-up"),
        }
    }
}
