//! `cargo xtask test`: every check there is, in one command.

mod audit;
mod nix;
mod rust;
mod stage;
mod tidy;
mod units;
mod vm;

use std::cell::OnceCell;
use std::process::ExitCode;
use std::time::Instant;

use crate::assemble::{Assembled, assemble};
use crate::failure::{Failure, Outcome};
use crate::host;
use crate::progress::seconds;
use crate::root::base::Purpose;
use crate::workspace::Workspace;
use stage::{Verdict, parse_choice, summary, table};

/// What `test` may be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Run these stages alone; `vm:NAME` is one VM test
    #[arg(long, value_name = "STAGE", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// List the stages and end
    #[arg(long)]
    list: bool,
}

/// What stages share.
struct Context {
    workspace: Workspace,
    /// The test root is put together once, by the first stage that needs it.
    assembled: OnceCell<Assembled>,
    /// The one VM test to run, if only one is asked for.
    chosen_vm_test: Option<String>,
}

impl Context {
    fn assembled(&self) -> Outcome<&Assembled> {
        if let Some(assembled) = self.assembled.get() {
            return Ok(assembled);
        }
        host::prepare(host::CONTAINER)?;
        host::prepare(host::TESTS)?;
        let assembled = assemble(&self.workspace, Purpose::Tests)?;
        Ok(self.assembled.get_or_init(|| assembled))
    }
}

/// A stage: its name, what it does, and how.
struct Stage {
    name: &'static str,
    about: &'static str,
    run: fn(&Context) -> Outcome<Vec<Verdict>>,
}

const STAGES: &[Stage] = &[
    Stage {
        name: "fmt",
        about: "Rust is formatted",
        run: rust::fmt,
    },
    Stage {
        name: "clippy",
        about: "clippy finds nothing in any target",
        run: rust::clippy,
    },
    Stage {
        name: "nextest",
        about: "unit, property and integration tests",
        run: rust::nextest,
    },
    Stage {
        name: "tidy",
        about: "the tree keeps its own rules",
        run: tidy::run,
    },
    Stage {
        name: "units",
        about: "units are valid and no more exposed than committed",
        run: units::run,
    },
    Stage {
        name: "nix",
        about: "Nix files parse, evaluate, and are formatted",
        run: nix::run,
    },
    Stage {
        name: "audit",
        about: "no dependency has a known vulnerability",
        run: audit::run,
    },
    Stage {
        name: "vm",
        about: "vm-tests/*.py on booted machines",
        run: vm::run,
    },
];

/// Runs the stages asked for, all of them to the end, and prints a summary.
pub(crate) fn test(options: &Options) -> Outcome<ExitCode> {
    if options.list {
        for stage in STAGES {
            println!("{:<8} {}", stage.name, stage.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let choices: Vec<_> = options.only.iter().map(|text| parse_choice(text)).collect();
    for choice in &choices {
        if !STAGES.iter().any(|stage| stage.name == choice.stage) {
            let names: Vec<_> = STAGES.iter().map(|stage| stage.name).collect();
            return Failure::because(format!(
                "there is no stage {}; there are {}",
                choice.stage,
                names.join(", ")
            ));
        }
    }
    let context = Context {
        workspace: Workspace::find()?,
        assembled: OnceCell::new(),
        chosen_vm_test: choices.iter().find_map(|choice| choice.part.clone()),
    };
    let mut verdicts = Vec::new();
    for stage in STAGES {
        let chosen = choices.is_empty() || choices.iter().any(|choice| choice.stage == stage.name);
        if chosen {
            verdicts.extend(run(stage, &context));
        }
    }
    println!("\n{}", table(&verdicts));
    println!("{}", summary(&verdicts));
    Ok(if verdicts.iter().any(Verdict::is_failed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Runs one stage; whatever goes wrong in it is a verdict, so that the next can run.
fn run(stage: &Stage, context: &Context) -> Vec<Verdict> {
    println!("\n── {}: {}", stage.name, stage.about);
    let started = Instant::now();
    let verdicts = (stage.run)(context).unwrap_or_else(|failure| {
        println!("  {failure}");
        vec![Verdict::failed(stage.name, started.elapsed(), "see above")]
    });
    println!("── {} took {}", stage.name, seconds(started.elapsed()));
    verdicts
}
