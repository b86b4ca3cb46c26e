//! The machine that this runs on.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use chat_api::BotName;
use rustix::process::{Pid, Signal, kill_process};

use crate::follow::{World, sockets};
use crate::listing::{Listing, list};
use crate::{DECLARED, MADE, SOCKETS};

/// The real folders and the real process 1.
#[derive(Debug)]
pub struct Machine;

impl World for Machine {
    fn wanted(&self) -> Listing {
        list(&[Path::new(DECLARED), Path::new(MADE)])
    }

    fn present(&self) -> Option<BTreeSet<BotName>> {
        sockets(Path::new(SOCKETS))
    }

    fn reload(&self) -> io::Result<()> {
        Ok(kill_process(Pid::INIT, Signal::HUP)?)
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
