//! How long a new appliance takes from nothing to serving.

use super::Options;
use super::booted::Machine;
use super::figure::{Bar, Figure};
use crate::assemble::assemble;
use crate::boot::Order;
use crate::failure::{Failure, Outcome, While};
use crate::host;
use crate::instance::Instance;
use crate::root::base::Purpose;
use crate::workspace::Workspace;

/// The bars: services at first boot (gate, llm and dialer wait for no bot), and seconds until they serve. A first
/// boot makes every key and certificate.
const SERVICES: f64 = 3.0;
const SECONDS_MAX: f64 = 10.0;

/// Counts the services that have said that they are ready.
const COUNT: &str =
    "systemctl list-units --no-legend --plain --state=running 'casemate-*.service' | wc -l";

/// Boots a container that has never run.
pub(super) fn run(_options: &Options) -> Outcome<Vec<Figure>> {
    let workspace = Workspace::find()?;
    host::prepare(host::CONTAINER)?;
    let assembled = assemble(&workspace, Purpose::Container)?;
    let instance = Instance::named(&workspace, "bench-boot");
    let Some(_claim) = instance.claim()? else {
        return Failure::because("this benchmark is under way already");
    };
    instance.forget()?;
    instance.prepare()?;
    instance.note(None, None)?;
    let machine = Machine::start(&assembled, &instance)?;
    let measured = machine.ready().and_then(|time| {
        let count: f64 = machine
            .reach()
            .succeed(COUNT)?
            .trim()
            .parse()
            .during("the services could not be counted")?;
        Ok((time, count))
    });
    machine.stop(Order::Crash)?;
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
