//! `casemate-bots`: has process 1 look for bots anew. It holds the one
//! privilege of signalling process 1 and can tell it nothing but "reload".

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use casemate_bots::follow::{World, follow, sockets};
use casemate_bots::listing::{Listing, list};
use casemate_bots::{DECLARED, MADE, SOCKETS, report};
use chat_api::BotName;
use rustix::process::{Pid, Signal, kill_process};

struct Machine;

impl World for Machine {
    fn wanted(&self) -> Listing {
        list(&[Path::new(DECLARED), Path::new(MADE)])
    }
    fn present(&self) -> Option<BTreeSet<BotName>> {
        sockets(Path::new(SOCKETS))
    }
    fn reload(&self) -> std::io::Result<()> {
        Ok(kill_process(Pid::INIT, Signal::HUP)?)
    }
    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

fn main() -> ExitCode {
    match follow(&Machine) {
        Ok(listing) => {
            listing.skipped.iter().for_each(|skipped| report::warn(&skipped.to_string()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            report::warn(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
