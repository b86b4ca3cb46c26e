//! Joins this terminal to a virtual machine's.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::failure::{Outcome, While};

/// Ctrl-], which leaves, as in telnet.
const LEAVE: u8 = 0x1d;

/// The terminal as it was; it is put back when this is dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> Outcome<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).during("standard input is no terminal")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw).during("the terminal could not be set up")?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // There is nothing left to do about a terminal that is gone.
        let _gone = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Passes keys and text until Ctrl-] or until the machine is off.
pub(crate) fn join(socket: &Path) -> Outcome<()> {
    let mut keys = UnixStream::connect(socket).during("the machine's terminal is gone")?;
    let mut text = keys
        .try_clone()
        .during("the machine's terminal could not be shared")?;
    println!("Press Enter for the prompt; Ctrl-] leaves.");
    let raw = Raw::enter()?;
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        let mut stdin = std::io::stdin().lock();
        while let Ok(length @ 1..) = stdin.read(&mut buffer) {
            let left = buffer[..length].iter().position(|key| *key == LEAVE);
            if keys.write_all(&buffer[..left.unwrap_or(length)]).is_err() || left.is_some() {
                break;
            }
        }
        // Wakes the other side, which then ends.
        let _gone = keys.shutdown(std::net::Shutdown::Both);
    });
    let mut out = std::io::stdout().lock();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = text.read(&mut buffer) {
        out.write_all(&buffer[..length])
            .and_then(|()| out.flush())
            .during("this terminal is gone")?;
    }
    drop(raw);
    println!("\nThe machine's terminal is left.");
    Ok(())
}
