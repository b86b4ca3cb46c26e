//! Measures the store beside plain redb, SQLite and SQLCipher, in turns, and prints what was seen as JSON.
//!
//! `cargo xtask bench store` builds and runs it, and holds the figures against their bars.

mod contender;
mod disk;
mod ours;
mod plain;
mod records;
mod rounds;
mod sqlite;
mod turns;

use std::process::ExitCode;

const USAGE: &str = "usage: casemate-store-measure FOLDER ROUNDS SECONDS";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [folder, rounds, seconds] = &*arguments else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let (Ok(rounds), Ok(seconds)) = (rounds.parse(), seconds.parse()) else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    match rounds::measure(folder.as_ref(), rounds, seconds) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
