//! The machine that this runs on.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use chat_api::Instance;
use rustix::process::{Pid, Signal, kill_process};

use crate::follow::{World, sockets};
use crate::listing::{Listing, list};
use crate::{DECLARED, MADE, SOCKETS};

/// The real folders and the real process 1.
#[derive(Debug)]
pub struct Machine;

impl World for Machine {
    fn wanted(&self) -> Listing {
        let present = self.present().unwrap_or_default();
        list(&[Path::new(DECLARED), Path::new(MADE)], &present)
    }

    fn present(&self) -> Option<BTreeSet<Instance>> {
        sockets(Path::new(SOCKETS))
    }

    fn reload(&self) -> io::Result<()> {
        Ok(kill_process(Pid::INIT, Signal::HUP)?)
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
