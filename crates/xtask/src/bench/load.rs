//! The visitors: one program for everything that is measured, so that all are asked alike.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Options;
use super::booted::Machine;
use crate::failure::{Failure, Outcome, While};
use crate::program;

/// The program.
const PROGRAM: &str = "casemate-load";

/// Seconds of load before those that are measured.
const WARM_UP_SECONDS: u64 = 1;

/// How long a booted service may take to its first answer, in seconds.
const FIRST_ANSWER_SECONDS: u64 = 60;

/// Something that answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    /// What figures call it.
    pub(super) name: &'static str,
    /// ADDRESS:PORT in the container's network.
    pub(super) address: &'static str,
    /// Where it takes a turn.
    pub(super) path: &'static str,
    /// The turn, with `{n}` for a number of its own.
    pub(super) body: &'static str,
    /// What its stream holds when an answer is whole.
    pub(super) done: &'static str,
}

/// What the visitors saw.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Load {
    /// Turns done within the measured seconds.
    pub(super) turns: f64,
    /// Turns done at all: with those before and after.
    pub(super) all_turns: f64,
    /// The measured seconds.
    pub(super) seconds: f64,
    /// Turns that failed.
    pub(super) errors: f64,
    /// What the first of them saw.
    pub(super) first_error: Option<String>,
    /// Time to the first words.
    pub(super) first_token_ms: Times,
    /// Time to the end of the answer.
    pub(super) complete_ms: Times,
}

/// Percentiles in milliseconds; none where no turn was done.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Times {
    /// The median.
    pub(super) p50: Option<f64>,
    /// What one of a hundred exceeds.
    pub(super) p99: Option<f64>,
}

/// The visitors' program, beside the others that were built.
pub(super) struct Visitors(PathBuf);

impl Visitors {
    /// The program in the directory of what was built.
    pub(super) fn built(directory: &Path) -> Self {
        Self(directory.join(PROGRAM))
    }

    /// Loads a service as long and as hard as `options` say.
    pub(super) fn load(
        &self,
        machine: &Machine,
        service: &Service,
        options: &Options,
    ) -> Outcome<Load> {
        let load = self.ask(
            machine,
            service,
            &[
                ("--connections", options.connections.to_string()),
                ("--seconds", options.seconds.to_string()),
                ("--warmup", WARM_UP_SECONDS.to_string()),
            ],
        )?;
        if load.all_turns > 0.0 {
            return Ok(load);
        }
        Failure::because(format!(
            "{} answers nobody: {}",
            service.name,
            load.first_error.unwrap_or_default()
        ))
    }

    /// Tries a service until it has answered once.
    pub(super) fn until_first(&self, machine: &Machine, service: &Service) -> Outcome<()> {
        let patience = FIRST_ANSWER_SECONDS.to_string();
        self.ask(machine, service, &[("--until-first", patience)])
            .map(drop)
    }

    fn ask(&self, machine: &Machine, service: &Service, more: &[(&str, String)]) -> Outcome<Load> {
        let mut command = machine.beside(&self.0);
        command
            .args(["--connect", service.address, "--host", "localhost"])
            .args(["--path", service.path, "--body", service.body])
            .args(["--done", service.done]);
        for (option, value) in more {
            command.args([option, &&**value]);
        }
        let report = program::read(&mut command)?;
        serde_json::from_str(&report).during("what the visitors saw could not be read")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_visitors_report_is_read() {
        let load: Load = serde_json::from_str(
            r#"{"turns":80,"all_turns":100,"seconds":8,"errors":1,"first_error":"why","bytes_per_turn":7,
               "first_token_ms":{"p50":1.5,"p99":null,"max":9},"complete_ms":{"p50":2.5,"p99":3.5,"max":9}}"#,
        )
        .unwrap();
        assert_eq!(
            (load.turns, load.all_turns, load.errors),
            (80.0, 100.0, 1.0)
        );
        assert_eq!(load.first_token_ms.p99, None);
    }
}
