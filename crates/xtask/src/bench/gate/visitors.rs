//! The visitors of both servers, and what is behind both.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::server::{PREFIX, SOCKET, Server};
use crate::bench::Options;
use crate::bench::booted::Machine;
use crate::failure::{Failure, Outcome, While};
use crate::program;

/// The programs.
const VISITORS: &str = "casemate-edge-load";
const BACKEND: &str = "casemate-backend-standin";

/// How long the program behind may take to listen.
const LISTEN: Duration = Duration::from_secs(10);

/// Visitors who read something large at once: few fill the processors.
const BULK_VISITORS: u32 = 4;

/// What visitors do (`crates/testkit/src/edge`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Full handshakes.
    Full,
    /// Handshakes with tickets.
    Resumed,
    /// Small requests over kept connections.
    Requests,
    /// Large answers.
    Bulk,
}

impl Act {
    fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::Requests => "requests",
            Self::Bulk => "bulk",
        }
    }

    /// What figures call what is done.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Full => "full handshakes",
            Self::Resumed => "resumed handshakes",
            Self::Requests => "requests",
            Self::Bulk => "bulk MiB",
        }
    }

    /// Its unit, beside a number.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Bulk => "MiB",
            _ => "",
        }
    }

    /// The path below the prefix.
    fn path(self) -> &'static str {
        match self {
            Self::Bulk => "/bulk",
            _ => "/small",
        }
    }
}

/// What the visitors did.
#[derive(Debug, Deserialize)]
struct Done {
    done: f64,
    bytes: f64,
    errors: u64,
    first_error: Option<String>,
}

impl Done {
    fn without_error(self, server: &Server) -> Outcome<Self> {
        if self.errors == 0 && self.done > 0.0 {
            return Ok(self);
        }
        Failure::because(format!(
            "{} errors of visitors of the {}, the first: {}",
            self.errors,
            server.name,
            self.first_error
                .unwrap_or_else(|| "nothing was done".to_owned())
        ))
    }
}

/// The visitors' program.
pub(super) struct Visitors(PathBuf);

impl Visitors {
    /// The program in the directory of what was built.
    pub(super) fn built(directory: &Path) -> Self {
        Self(directory.join(VISITORS))
    }

    /// Lets them do it for as long as `options` say; returns how much they did, large answers in MiB.
    pub(super) fn load(
        &self,
        machine: &Machine,
        server: &Server,
        act: Act,
        options: &Options,
    ) -> Outcome<f64> {
        let connections = match act {
            Act::Bulk => options.connections.min(BULK_VISITORS),
            _ => options.connections,
        };
        let mut command = self.command(machine, server, act.word(), act.path());
        command
            .args(["--connections", &connections.to_string()])
            .args(["--seconds", &options.seconds.to_string()]);
        let report = program::read(&mut command)?;
        let done = read(&report)?.without_error(server)?;
        Ok(match act {
            Act::Bulk => done.bytes / f64::from(1 << 20),
            _ => done.done,
        })
    }

    /// Opens so many streams, and looks with `look` while they are open and silent. All must stay so.
    pub(super) fn idle<T>(
        &self,
        machine: &Machine,
        server: &Server,
        streams: u64,
        look: impl FnOnce() -> Outcome<T>,
    ) -> Outcome<T> {
        let mut child = self
            .command(machine, server, "idle", "/idle")
            .args(["--connections", &streams.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .during("the visitors could not be started")?;
        let input = child.stdin.take();
        let output = child.stdout.take().during("the visitors say nothing")?;
        let mut lines = BufReader::new(output).lines();
        let mut next = || lines.next().transpose().ok().flatten().unwrap_or_default();
        let seen = if next() == "ready" {
            look()
        } else {
            Failure::because(format!("the streams did not open at the {}", server.name))
        };
        drop(input);
        let report = next();
        child.wait().during("the visitors were lost")?;
        let seen = seen?;
        read(&report)?.without_error(server)?;
        Ok(seen)
    }

    fn command(&self, machine: &Machine, server: &Server, act: &str, path: &str) -> Command {
        let mut command = machine.beside(&self.0);
        command
            .args([act, "--connect", server.address, "--host", "localhost"])
            .arg("--path")
            .arg(format!("{PREFIX}{path}"))
            .arg("--classical");
        command
    }
}

fn read(report: &str) -> Outcome<Done> {
    serde_json::from_str(report).during("what the visitors did could not be read")
}

/// What is behind both servers; it is killed when this is dropped.
pub(super) struct Backend(Child);

impl Backend {
    /// Starts it, outside the machine's control group: nobody's work.
    pub(super) fn start(machine: &Machine, built: &Path) -> Outcome<Self> {
        let socket = machine.path(SOCKET);
        let child = machine
            .beside(&built.join(BACKEND))
            .arg(&socket)
            .stdin(Stdio::null())
            .spawn()
            .during("the program behind the servers could not be started")?;
        let backend = Self(child);
        let deadline = Instant::now() + LISTEN;
        while !socket.exists() {
            if Instant::now() > deadline {
                return Failure::because(format!(
                    "the program behind the servers does not listen at {}",
                    socket.display()
                ));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(backend)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // One that has ended already needs neither.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::gate::server::GATE;

    #[test]
    fn visitors_who_failed_or_did_nothing_make_no_figure() {
        let done = |text| read(text).and_then(|done: Done| done.without_error(&GATE));
        assert!(done(r#"{"done":5,"bytes":9,"errors":0,"first_error":null}"#).is_ok());
        assert!(done(r#"{"done":0,"bytes":0,"errors":0,"first_error":null}"#).is_err());
        let failed = done(r#"{"done":5,"bytes":9,"errors":1,"first_error":"why"}"#);
        assert!(failed.is_err_and(|failure| failure.to_string().contains("why")));
    }
}
