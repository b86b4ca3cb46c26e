//! Boots a machine in the foreground and reports on it in JSON lines.
//!
//! This is the one place that knows how a machine is started. `up`, the benchmark and the Python driver of
//! the VM tests all run it as a child: they read its events from standard output and write orders to its
//! standard input. When that input ends, because the parent was killed, the machine is killed too.

pub(crate) mod child;
pub(crate) mod nspawn;
pub(crate) mod qemu;
mod supervise;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

use crate::failure::{Outcome, While};

/// What a boot reports, one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A container runs; `pid` is its PID 1 as this machine numbers it. A container that restarts has a new one.
    Leader {
        /// The process to enter for running commands.
        pid: u32,
    },
    /// A virtual machine runs; these Unix sockets speak with it.
    Console {
        /// The root shell for commands, as on a NixOS test machine.
        shell: PathBuf,
        /// A terminal with a root shell for a person.
        terminal: PathBuf,
        /// QEMU's own protocol (QMP).
        monitor: PathBuf,
        /// What executes the guest's instructions: `kvm` or `tcg`.
        accelerator: String,
    },
    /// The container's systemd has finished its start-up jobs.
    Ready,
    /// The machine is off and what it occupied is free.
    Stopped,
}

/// What a boot may be told, one word a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Shut down in order.
    PowerOff,
    /// Stop at once, as in a power cut.
    Crash,
}

impl Order {
    /// The order that a line gives, if it is one.
    fn parse(line: &str) -> Option<Self> {
        match line.trim() {
            "poweroff" => Some(Self::PowerOff),
            "crash" => Some(Self::Crash),
            _ => None,
        }
    }

    /// The line that gives this order.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::PowerOff => "poweroff",
            Self::Crash => "crash",
        }
    }
}

/// Prints one event for the parent.
fn report(event: &Event) -> Outcome<()> {
    use std::io::Write;
    let line = serde_json::to_string(event).during("an event could not be written")?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .during("the process that asked for this machine is gone")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn events_are_one_tagged_object() {
        let line = serde_json::to_string(&Event::Leader { pid: 7 }).unwrap();
        assert_eq!(line, r#"{"event":"leader","pid":7}"#);
        assert_eq!(
            serde_json::from_str::<Event>(&line).unwrap(),
            Event::Leader { pid: 7 }
        );
    }

    #[test]
    fn orders_read_back_and_other_words_are_none() {
        for order in [Order::PowerOff, Order::Crash] {
            assert_eq!(Order::parse(order.word()), Some(order));
        }
        assert_eq!(Order::parse("reboot"), None);
    }
}
