//! `cargo xtask bench`: measurements that say whether a promise holds.

mod boot;
mod figure;

use std::process::ExitCode;

use crate::failure::{Failure, Outcome};
use figure::Figure;

/// What `bench` may be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The benchmark; without one they are listed
    name: Option<String>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// A benchmark: its name, what it measures, and how.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn() -> Outcome<Vec<Figure>>,
}

/// Every benchmark there is.
const BENCHES: &[Bench] = &[Bench {
    name: "boot",
    about: "from nothing to serving",
    run: boot::run,
}];

/// Runs one benchmark; success means that every figure holds.
pub(crate) fn bench(options: &Options) -> Outcome<ExitCode> {
    let Some(name) = &options.name else {
        for bench in BENCHES {
            println!("{:<12} {}", bench.name, bench.about);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        let names: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        return Failure::because(format!(
            "there is no benchmark {name}; there are: {}",
            names.join(", ")
        ));
    };
    let figures = (bench.run)()?;
    if options.json {
        println!("{}", figure::json(bench.name, &figures));
    } else {
        print!("{}", figure::table(&figures));
    }
    Ok(if figures.iter().all(Figure::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
