//! Says something to whoever runs the machine.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;

use rustix::fs::OFlags;

/// Where the journal takes entries in its own form (systemd.journal-fields(7)).
const JOURNAL: &str = "/run/systemd/journal/socket";

/// The kernel's log, which the journal takes over once it runs.
const KERNEL_LOG: &str = "/dev/kmsg";

/// A warning on standard error, which is the journal for a service.
pub fn warn(text: &str) {
    // Of these lines none can be said elsewhere if it cannot be said here.
    let _ = writeln!(std::io::stderr(), "<4>{}", line(text));
}

/// A warning from a generator, which process 1 runs before there is a
/// journal, with standard error going nowhere in particular. Never waits.
pub fn warn_early(program: &str, text: &str) {
    let text = line(text);
    let entry = format!("PRIORITY=4\nSYSLOG_IDENTIFIER={program}\nMESSAGE={text}\n");
    let sent = UnixDatagram::unbound().and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.send_to(entry.as_bytes(), JOURNAL)
    });
    if sent.is_ok() {
        return;
    }
    let mut options = std::fs::OpenOptions::new();
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let kernel = options.write(true).custom_flags(flags).open(KERNEL_LOG);
    let written =
        kernel.and_then(|mut log| log.write_all(format!("<4>{program}: {text}\n").as_bytes()));
    if written.is_err() {
        warn(&text);
    }
}

/// The text in one line, since a line break would begin another field.
fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
