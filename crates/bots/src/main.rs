//! `casemate-bots`: has process 1 look for bots anew. It holds the one
//! privilege of signalling process 1 and can tell it nothing but "reload".

use std::process::ExitCode;

use casemate_bots::follow::follow;
use casemate_bots::machine::Machine;
use casemate_bots::report;

fn main() -> ExitCode {
    match follow(&Machine) {
        Ok(listing) => {
            listing
                .skipped
                .iter()
                .for_each(|skipped| report::warn(&skipped.to_string()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            report::warn(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
