//! `casemate-bots-generator`: run by process 1 with three folders
//! (systemd.generator(7)), of which it fills the first. Whatever is wrong with
//! bots is reported, and never keeps the machine from starting.

use std::path::Path;
use std::process::ExitCode;

use casemate_bots::follow::sockets;
use casemate_bots::links::{UNIT_FOLDERS, links, write};
use casemate_bots::listing::list;
use casemate_bots::{DECLARED, MADE, SOCKETS, report};

const NAME: &str = "casemate-bots-generator";

fn main() -> ExitCode {
    let Some(normal) = std::env::args_os().nth(1) else {
        report::warn(
            "a generator is run by process 1 with the folders for its units (systemd.generator(7))",
        );
        return ExitCode::FAILURE;
    };
    // Before the first socket there is no such folder.
    let present = sockets(Path::new(SOCKETS)).unwrap_or_default();
    let listing = list(&[Path::new(DECLARED), Path::new(MADE)], &present);
    for skipped in &listing.skipped {
        report::warn_early(NAME, &skipped.to_string());
    }
    if let Err(error) = write(
        Path::new(&normal),
        &links(&listing.instances),
        &UNIT_FOLDERS.map(Path::new),
    ) {
        report::warn_early(
            NAME,
            &format!(
                "bots that were added do not start, as their links could not be written: {error}"
            ),
        );
    }
    ExitCode::SUCCESS
}
