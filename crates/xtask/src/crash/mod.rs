//! `cargo xtask crash`: proves that the store survives, by the million cases.

mod proofs;
mod run;
mod share;

use std::process::ExitCode;

use crate::failure::{Failure, Outcome};
use crate::progress::step;
use crate::workspace::Workspace;
use proofs::{PROOFS, Proof};
use run::Span;

/// What `crash` may be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The proof, or `all`; `list` says which there are
    #[arg(default_value = "all")]
    name: String,
    /// Cases of each proof, instead of as many as are promised
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    cases: Option<u64>,
    /// Where chance starts, to repeat an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// Run this one case alone, which needs the seed of the run that it failed in
    #[arg(long, requires = "seed", conflicts_with = "cases")]
    case: Option<u64>,
    /// Processes that work at the same time, instead of one for each core
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

/// Runs the proofs asked for; success means that all of them hold.
pub(crate) fn crash(options: &Options) -> Outcome<ExitCode> {
    if options.name == "list" {
        for proof in PROOFS {
            println!("{:<10} {:>10}  {}", proof.name, proof.cases, proof.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen: Vec<_> = PROOFS
        .iter()
        .filter(|proof| options.name == "all" || options.name == proof.name)
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = PROOFS.iter().map(|proof| proof.name).collect();
        return Failure::because(format!(
            "there is no proof {}; there are all, {}",
            options.name,
            names.join(", ")
        ));
    }
    let workspace = Workspace::find()?;
    let program = step("building the proofs", || run::build(&workspace))?;
    let seed = options.seed.map_or_else(random_seed, Ok)?;
    let jobs = options.jobs.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    let mut shares = Vec::new();
    for proof in chosen {
        let span = span(options, proof);
        let title = format!("{}: {} cases, seed {seed}", proof.name, span.cases);
        let share = step(&title, || run::run(&program, proof, span, seed, jobs))?;
        for failure in &share.failed {
            println!("  {failure}");
        }
        if let Some(case) = share.failed_case() {
            println!(
                "  repeat it alone: cargo xtask crash {} --seed {seed} --case {case}",
                proof.name
            );
        }
        shares.push((proof.name, share));
    }
    println!(
        "\n{:<10} {:>10} {:>8} {:>20}",
        "proof", "cases", "failed", "seed"
    );
    for (name, share) in &shares {
        println!("{}", share.line(name, seed));
    }
    Ok(if shares.iter().all(|(_, share)| share.holds()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The cases to run.
fn span(options: &Options, proof: &Proof) -> Span {
    match options.case {
        Some(case) => Span {
            first: case,
            cases: 1,
        },
        None => Span {
            first: 0,
            cases: options.cases.unwrap_or(proof.cases),
        },
    }
}

/// A seed that is short enough to be typed again.
fn random_seed() -> Outcome<u64> {
    let mut bytes = [0; 4];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Failure::new(format!("no seed could be drawn: {errno}")))?;
    Ok(u64::from(u32::from_le_bytes(bytes)))
}
