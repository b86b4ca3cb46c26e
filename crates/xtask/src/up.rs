//! `cargo xtask up`: the appliance, booted for a person.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::assemble::{Assembled, assemble};
use crate::boot::child::Booted;
use crate::boot::{Event, Order};
use crate::failure::{Failure, Outcome, While};
use crate::forward::Forward;
use crate::instance::{Instance, Reach};
use crate::machine::await_greeting;
use crate::progress::{note, seconds, step};
use crate::root::base::Purpose;
use crate::stop::Stop;
use crate::workspace::Workspace;
use crate::{demo, host};

/// How long a container may take to finish its start-up jobs, in seconds.
const CONTAINER_SECONDS: u64 = 120;

/// How long an emulated machine may take until its shell is there, in seconds.
const GUEST_SECONDS: u64 = 600;

/// How often a wait looks whether the user has changed their mind, in milliseconds.
const LOOK_MILLIS: u64 = 200;

/// The machines that `up` boots, by how.
pub(crate) const CONTAINER: &str = "up";
pub(crate) const VIRTUAL_MACHINE: &str = "up-vm";

/// How many lines of the console are shown when a boot fails.
const CONSOLE_LINES: usize = 25;

/// What `up` may be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Boot a kernel of its own in QEMU instead of a container
    #[arg(long)]
    vm: bool,
    /// Where the appliance's HTTPS is served on this machine
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Begin anew: forget the bots, keys and conversations of the last time
    #[arg(long)]
    fresh: bool,
}

/// A booted machine and what leads to it.
struct Up {
    booted: Booted,
    instance: Instance,
    forward: Option<Forward>,
    listen: SocketAddr,
}

/// Builds, boots, prints how to use the appliance, and stays until asked to end.
pub(crate) fn up(options: &Options) -> Outcome<()> {
    let began = Instant::now();
    host::prepare(host::CONTAINER)?;
    if options.vm {
        host::prepare(host::VIRTUAL_MACHINE)?;
    }
    let workspace = Workspace::find()?;
    let (name, purpose) = if options.vm {
        (VIRTUAL_MACHINE, Purpose::VirtualMachine)
    } else {
        (CONTAINER, Purpose::Container)
    };
    let instance = Instance::named(&workspace, name);
    let Some(_claim) = instance.claim()? else {
        let owner = instance.running().map_or_else(String::new, |running| {
            format!(" (process {})", running.owner.pid())
        });
        return Failure::because(format!(
            "the appliance is up already, or about to be{owner}. Stop it with: cargo xtask down"
        ));
    };
    if options.fresh {
        instance.forget()?;
        instance.prepare()?;
    }
    // From now on `down` finds this process.
    instance.note(None, Some(options.listen))?;
    let outcome = up_claimed(options, &workspace, &instance, purpose, began);
    instance.unnote()?;
    outcome
}

fn up_claimed(
    options: &Options,
    workspace: &Workspace,
    instance: &Instance,
    purpose: Purpose,
    began: Instant,
) -> Outcome<()> {
    // QEMU listens by itself; whether the port is free is tried in both cases before the long work begins.
    let forward = Forward::listen(options.listen)?;
    let forward = (!options.vm).then_some(forward);
    let assembled = assemble(workspace, purpose)?;
    // Until here a signal may end this process as it ends any; a machine is to be stopped in order.
    let stop = Stop::watch()?;
    let mut up = start(&assembled, instance.clone(), forward, options)?;
    let outcome = up.serve(&stop, began);
    println!("• Shutting the machine down …");
    let stopped = up.booted.stop(if outcome.is_ok() {
        Order::PowerOff
    } else {
        Order::Crash
    });
    outcome?;
    stopped?;
    println!(
        "  off. Its bots and conversations are kept in {} for the next time",
        instance.dir().display()
    );
    Ok(())
}

fn start(
    assembled: &Assembled,
    instance: Instance,
    forward: Option<Forward>,
    options: &Options,
) -> Outcome<Up> {
    let mut arguments = if options.vm {
        let SocketAddr::V4(listen) = options.listen else {
            return Failure::because("QEMU forwards IPv4 addresses only; give --listen such a one");
        };
        assembled.in_virtual_machine(&instance, Some(listen))?
    } else {
        assembled.in_container(&instance)
    };
    arguments.push("--allow-reboot".into());
    let console = File::create(instance.dir().join("console.log"))
        .during("the console's log could not be made")?;
    Ok(Up {
        booted: Booted::start(arguments, console)?,
        instance,
        forward,
        listen: options.listen,
    })
}

impl Up {
    /// Sees the machine through its start and serves until asked to end.
    fn serve(&mut self, stop: &Stop, began: Instant) -> Outcome<()> {
        let reach = step("Booting", || self.wait_until_up(stop))?;
        stop.check()?;
        step("Setting up the demo bot", || {
            demo::set_up(&reach, &self.instance)
        })?;
        self.greet(&reach, began)?;
        loop {
            if stop.within(Duration::from_millis(LOOK_MILLIS)) {
                return Ok(());
            }
            if let Some(event) = self.booted.event(Duration::ZERO)? {
                match event {
                    Event::Stopped => return Ok(()),
                    event => drop(self.meet(event)?),
                }
            }
        }
    }

    /// Waits until commands can be run inside and the start-up jobs are done.
    fn wait_until_up(&mut self, stop: &Stop) -> Outcome<Reach> {
        let deadline = Instant::now() + Duration::from_secs(CONTAINER_SECONDS);
        let mut reach = None;
        loop {
            stop.check()?;
            let event = self
                .booted
                .event(Duration::from_millis(LOOK_MILLIS))
                .map_err(|failure| self.with_console(&failure))?;
            match (event, &reach) {
                (Some(Event::Ready), Some(_)) => break,
                (Some(event), _) => reach = self.meet(event)?.or(reach),
                (None, _) if Instant::now() > deadline => {
                    let late = Failure::new(format!(
                        "the machine did not finish its start-up within {CONTAINER_SECONDS} s"
                    ));
                    return Err(self.with_console(&late));
                }
                (None, _) => {}
            }
            if let Some(Reach::Console { .. }) = reach {
                break;
            }
        }
        reach.during("the machine cannot be reached")
    }

    /// Follows what a boot reports; returns the way into the machine when that is new.
    fn meet(&mut self, event: Event) -> Outcome<Option<Reach>> {
        let reach = match event {
            Event::Leader { pid } => {
                if let Some(forward) = &mut self.forward {
                    forward.lead_to(pid)?;
                }
                Reach::Container { leader: pid }
            }
            Event::Console {
                shell,
                terminal,
                accelerator,
                ..
            } => {
                note(match &*accelerator {
                    "kvm" => "hardware virtualisation works here (kvm)",
                    _ => {
                        "no working hardware virtualisation here: emulating, which takes a minute or two"
                    }
                });
                let mut stream =
                    UnixStream::connect(&shell).during("the machine's console is gone")?;
                await_greeting(&mut stream, Duration::from_secs(GUEST_SECONDS))
                    .map_err(|failure| self.with_console(&failure))?;
                Reach::Console { shell, terminal }
            }
            Event::Ready | Event::Stopped => return Ok(None),
        };
        self.instance.note(Some(reach.clone()), Some(self.listen))?;
        Ok(Some(reach))
    }

    /// A failure with what the console said last.
    fn with_console(&self, failure: &Failure) -> Failure {
        let log = self.instance.dir().join("console.log");
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<_> = said.lines().collect();
        let last = lines[lines.len().saturating_sub(CONSOLE_LINES)..].join("\n    ");
        Failure::new(format!(
            "{failure}. The console ({}) ends with:\n    {last}",
            log.display()
        ))
    }

    /// Tells the user all that they need.
    fn greet(&self, reach: &Reach, began: Instant) -> Outcome<()> {
        let authority = self.instance.dir().join("ca.pem");
        let certificate = reach.succeed("cat /var/lib/casemate/certs/ca.pem")?;
        std::fs::write(&authority, certificate).during("the certificate could not be saved")?;
        let port = self.listen.port();
        println!(
            "
The appliance is up after {time}.

  Demo page     https://localhost:{port}/b/demo/
  Certificate   made by the appliance for testing. Either accept your browser's warning, or trust
                {authority}
                as an authority; with curl: curl --cacert {authority} https://localhost:{port}/b/demo/
  Shell inside  cargo xtask shell            (one command: cargo xtask shell casemate status)
  Stop          Ctrl-C here, or cargo xtask down elsewhere
",
            time = seconds(began.elapsed()),
            authority = authority.display(),
        );
        Ok(())
    }
}
