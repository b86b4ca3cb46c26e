//! A boot seen from the process that asked for it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::{Event, Order};
use crate::failure::{Failure, Outcome, While};
use crate::program;

/// A machine that runs as a child of this process and is killed with it.
pub(crate) struct Booted {
    child: Child,
    orders: ChildStdin,
    events: Receiver<Event>,
}

impl Booted {
    /// Starts this program again as `boot ARGUMENTS…`; what the machine's console says goes to `console`.
    pub(crate) fn start<I, A>(arguments: I, console: std::fs::File) -> Outcome<Self>
    where
        I: IntoIterator<Item = A>,
        A: AsRef<std::ffi::OsStr>,
    {
        let program = program::own();
        let mut child = Command::new(program)
            .arg("boot")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(console)
            // A group of its own: Ctrl-C reaches this process alone, which then shuts the machine down in order.
            .process_group(0)
            .spawn()
            .during("the boot could not be started")?;
        let orders = child.stdin.take().during("the boot takes no orders")?;
        let output = child.stdout.take().during("the boot reports nothing")?;
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let Ok(event) = serde_json::from_str(&line) else {
                    continue;
                };
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            orders,
            events,
        })
    }

    /// The next event; none if there is none within `limit`.
    pub(crate) fn event(&self, limit: Duration) -> Outcome<Option<Event>> {
        match self.events.recv_timeout(limit) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Failure::new("the machine ended")),
        }
    }

    /// Tells the machine to stop and waits until it is off and everything it occupied is free.
    pub(crate) fn stop(mut self, order: Order) -> Outcome<()> {
        // A machine that has ended already takes no orders; waiting for it is then all there is to do.
        let _sent = writeln!(self.orders, "{}", order.word()).and_then(|()| self.orders.flush());
        let status = self
            .child
            .wait()
            .during("the boot could not be waited for")?;
        if status.success() {
            Ok(())
        } else {
            Failure::because(format!("the machine's boot process ended with {status}"))
        }
    }
}
