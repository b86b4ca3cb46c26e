//! The booted appliance: chat turns through TLS, stored and streamed; memory; and from boot to the first answer.
//!
//! What is counted: the processor time of every service of the appliance and of the journal that they log to, from before
//! the load until one second after it; the memory of every service a while after the load. What is not: systemd itself,
//! which every machine has; the visitors; the stand-in for a provider, which both sides ask. Visitors run in the
//! container's network, so that nothing forwards to it, but on the same processors: the rate of turns is that of a machine
//! that also plays its visitors, and only the turns for each second of processor time are a matter of the services alone.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::Options;
use super::beside::{self, Stack};
use super::booted::{Ground, Machine};
use super::figure::{Bar, Figure};
use super::load::{Service, Visitors};
use super::provided::{self, StandIn};
use super::rounds::{self, Round};
use super::usage::{self, Memory};
use crate::boot::Order;
use crate::failure::Outcome;
use crate::instance::Instance;
use crate::progress::{note, step};
use crate::root::base::Purpose;
use crate::stop::Stop;
use crate::workspace::Workspace;
use crate::{demo, host, mounts};

/// The bars against a conventional stack: turns for each second of processor time, and memory.
const TURNS_TIMES: f64 = 5.0;
const MEMORY_TIMES: f64 = 6.0;

/// What a load leaves to be done is charged to it for so long.
const SETTLE: Duration = Duration::from_secs(1);

/// Memory is looked at so long after the last load.
const IDLE: Duration = Duration::from_secs(5);

/// The demo bot, which quotes the handbook by itself.
const BUILT_IN: Service = Service {
    name: "built-in",
    address: "127.0.0.1:443",
    path: "/b/demo/v1/conversations",
    body: r#"{"id":"{n}","text":"How do I connect an AI provider?"}"#,
    done: "event: done",
};

/// A bot that knows the handbook and asks a provider.
const PROVIDED: Service = Service {
    name: "provider",
    path: "/b/provided/v1/conversations",
    body: r#"{"id":"{n}","text":"When do I get my refund?"}"#,
    ..BUILT_IN
};

/// What the runs need.
struct Bench<'a> {
    options: &'a Options,
    stop: &'a Stop,
    hierarchy: PathBuf,
    workspace: &'a Workspace,
    built: &'a Path,
    visitors: Visitors,
}

/// What was seen of all.
#[derive(Default)]
struct Seen {
    built_in: Vec<Round>,
    provided: Vec<Round>,
    beside: Vec<Round>,
    memory: Memory,
    memory_beside: Memory,
    first_answer: Duration,
    first_provided: Duration,
}

/// Boots an appliance, sets it up, boots it again, and measures.
pub(super) fn run(options: &Options) -> Outcome<Vec<Figure>> {
    host::require_root()?;
    // Before any thread starts: control groups are looked at in a namespace of this process's own.
    mounts::enter_private_namespace()?;
    let hierarchy = mounts::unified_cgroups()?;
    let stop = Stop::watch()?;
    let seen = Ground::lend(Purpose::Container, "bench", |ground| {
        let bench = Bench {
            options,
            stop: &stop,
            hierarchy,
            workspace: &ground.workspace,
            visitors: Visitors::built(ground.assembled.built()),
            built: ground.assembled.built(),
        };
        step("Booting an appliance and setting up its bots", || {
            ground.boot(Order::PowerOff, |machine| {
                machine.ready()?;
                demo::set_up(&machine.reach(), &ground.instance)?;
                provided::set_up(machine)
            })
        })?;
        stop.check()?;
        ground.boot(Order::Crash, |machine| bench.booted(machine))
    })?;
    Ok(figures(&seen, options.beside.is_some()))
}

impl Bench<'_> {
    fn booted(&self, machine: &Machine) -> Outcome<Seen> {
        let mut seen = Seen::default();
        let _stand_in = step("Booting it until it answers", || {
            self.visitors.until_first(machine, &BUILT_IN)?;
            seen.first_answer = machine.age();
            let stand_in = StandIn::start(machine, self.built, self.options.slow)?;
            self.visitors.until_first(machine, &PROVIDED)?;
            seen.first_provided = machine.age();
            machine.ready()?;
            Ok(stand_in)
        })?;
        self.stop.check()?;
        let stack = match &self.options.beside {
            None => None,
            Some(script) => Some(step("Starting the stack beside it", || {
                self.stack(machine, script)
            })?),
        };
        let measured = self.rounds(machine, stack.as_ref(), &mut seen);
        if let Some(stack) = stack {
            stack.stop(machine)?;
        }
        measured.map(|()| seen)
    }

    fn stack(&self, machine: &Machine, script: &Path) -> Outcome<Stack> {
        let instance = Instance::named(self.workspace, "bench-beside");
        Stack::start(machine, script, instance, &self.hierarchy)
    }

    fn rounds(&self, machine: &Machine, stack: Option<&Stack>, seen: &mut Seen) -> Outcome<()> {
        let rounds = self.options.rounds;
        // A stack that compiles while it runs needs a while to show what it can: the first round does not count.
        for number in 0..=rounds {
            note_load(number, rounds);
            let reach = machine.reach();
            let appliance = || usage::processor(&reach);
            let built_in = self.round(machine, &BUILT_IN, appliance)?;
            let provided = self.round(machine, &PROVIDED, appliance)?;
            let beside = stack.map(|stack| {
                let one = || Ok([("all its processes".to_owned(), stack.processor()?)].into());
                self.round(machine, &beside::SERVICE, one)
            });
            let beside = beside.transpose()?;
            if number > 0 {
                seen.built_in.push(built_in);
                seen.provided.push(provided);
                seen.beside.extend(beside);
            }
        }
        sleep(IDLE);
        seen.memory = usage::memory(&machine.reach())?;
        if let Some(stack) = stack {
            seen.memory_beside = stack.memory()?;
        }
        Ok(())
    }

    fn round(
        &self,
        machine: &Machine,
        service: &Service,
        processor: impl Fn() -> Outcome<usage::Processor>,
    ) -> Outcome<Round> {
        self.stop.check()?;
        let before = processor()?;
        let load = self.visitors.load(machine, service, self.options)?;
        sleep(SETTLE);
        let round = Round {
            processor: usage::between(&before, &processor()?),
            load,
        };
        let one = std::slice::from_ref(&round);
        note(&format!(
            "{:<9} {:6.0} turns a second, {:6.0} a CPU-second",
            service.name,
            rounds::turns_per_second(one),
            rounds::turns_per_cpu_second(one)
        ));
        if let Some(error) = &round.load.first_error {
            note(&format!(
                "{}: {} errors, the first: {error}",
                service.name, round.load.errors
            ));
        }
        Ok(round)
    }
}

/// Says how busy the machine is with other things: figures of a busy machine are worth less.
fn note_load(number: u32, rounds: u32) {
    let average = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let average = average.split(' ').next().unwrap_or("?");
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let title = match number {
        0 => "A round to warm up".to_owned(),
        number => format!("Round {number} of {rounds}"),
    };
    println!("• {title} (load average {average}, {processors} processors) …");
}

/// All figures, in the order of the questions: how fast, how big, how soon, how much better.
fn figures(seen: &Seen, beside: bool) -> Vec<Figure> {
    let mut figures = rounds::figures(BUILT_IN.name, &seen.built_in);
    figures.extend(rounds::figures(PROVIDED.name, &seen.provided));
    let (memory, sum) = rounds::memory("appliance", &seen.memory, usage::JOURNAL);
    figures.extend(memory);
    for (service, time) in [
        (BUILT_IN, seen.first_answer),
        (PROVIDED, seen.first_provided),
    ] {
        figures.push(Figure::new(
            format!("{}: boot to first answer", service.name),
            time.as_secs_f64(),
            "s",
            Bar::Told,
        ));
    }
    if !beside {
        return figures;
    }
    figures.extend(rounds::figures(beside::SERVICE.name, &seen.beside));
    let (memory, sum_beside) = rounds::memory(beside::SERVICE.name, &seen.memory_beside, "");
    figures.extend(memory);
    let times = |of: fn(&[Round]) -> f64| of(&seen.provided) / of(&seen.beside);
    figures.extend([
        Figure::new(
            "provider against beside: turns per second",
            times(rounds::turns_per_second),
            "×",
            Bar::Told,
        ),
        Figure::new(
            "provider against beside: turns per CPU-second",
            times(rounds::turns_per_cpu_second),
            "×",
            Bar::AtLeast(TURNS_TIMES),
        ),
        Figure::new(
            "appliance against beside: memory, times smaller",
            sum_beside / sum,
            "×",
            Bar::AtLeast(MEMORY_TIMES),
        ),
    ]);
    figures
}
