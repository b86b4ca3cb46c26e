//! `--prove-confinement`: what is forbidden, tried from inside the unit.

use std::io::Write as _;
use std::process::ExitCode;

use sandbox::Plan;
use sandbox::probe::{Targets, prove};

use crate::BoxError;
use crate::arguments::Prove;
use crate::journal;

/// Confines as in service (or not, for the control), tries every forbidden act
/// and prints the outcome as one JSON document. Fails if one act succeeded.
pub(crate) fn run(stem: &'static str, plan: &Plan, how: Prove) -> ExitCode {
    match proof(stem, plan, how) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            journal::fatal("the confinement could not be proven", error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn proof(stem: &'static str, plan: &Plan, how: Prove) -> Result<bool, BoxError> {
    let targets = Targets::from_environment()?;
    let confined = match how {
        Prove::Confined => Some(sandbox::confine(plan)?),
        Prove::Control => None,
    };
    let proof = prove(stem, plan, &targets, confined.as_ref());
    let text = serde_json::to_string(&proof)?;
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(proof.holds())
}
