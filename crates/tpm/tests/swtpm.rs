//! Counters in an emulated TPM (swtpm), and what a hostile one could answer.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tpm::{Count, Device, Error, LAST_INDEX, Label, Moved, PLACES, candidates, message};

/// How long an emulator may take until it answers.
const START: Duration = Duration::from_secs(20);

/// An emulated TPM that keeps its memory in a folder, as a real one does over restarts.
struct Emulator {
    child: Child,
    device: Device<UnixStream>,
}

impl Emulator {
    fn start(folder: &Path) -> Option<Self> {
        let (server, control) = (folder.join("server"), folder.join("control"));
        let socket = |path: &Path| format!("type=unixio,path={}", path.display());
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--tpmstate"])
            .arg(format!("dir={}", folder.display()))
            .args(["--server", &socket(&server), "--ctrl", &socket(&control)])
            .args(["--flags", "not-need-init,startup-clear"])
            .stdin(Stdio::null())
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                eprintln!("skipped: there is no swtpm; apt-get install swtpm");
                return None;
            }
            Err(error) => panic_with(&error),
        };
        let deadline = Instant::now() + START;
        let stream = loop {
            match UnixStream::connect(&server) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > deadline => panic_with(&error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        stream.set_read_timeout(Some(START)).unwrap();
        Some(Self {
            child,
            device: Device::with_pause(stream, Duration::from_millis(1)),
        })
    }
}

#[expect(clippy::panic, reason = "tests")]
fn panic_with(error: &io::Error) -> ! {
    panic!("swtpm: {error}")
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_counter_is_made_once_and_only_goes_up() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut tpm) = Emulator::start(folder.path()) else {
        return;
    };
    let device = &mut tpm.device;
    let new = tpm::read(device, "chat-shop").unwrap();
    assert!(new.is_new());
    assert_eq!(Some(new.index), candidates("chat-shop").next());
    assert_eq!(tpm::read(device, "chat-shop").unwrap(), new);
    assert_eq!(
        tpm::advance(device, "chat-shop", new.next()).unwrap(),
        Moved::Now
    );
    assert_eq!(
        tpm::advance(device, "chat-shop", new.next()).unwrap(),
        Moved::Before
    );
    assert_eq!(
        tpm::advance(device, "chat-shop", new).unwrap(),
        Moved::Before
    );
    assert_eq!(tpm::read(device, "chat-shop").unwrap(), new.next());
    // Two steps at once are none.
    let beyond = new.next().next().next();
    assert!(matches!(
        tpm::advance(device, "chat-shop", beyond),
        Err(Error::Gone)
    ));
    drop(tpm);
    let mut tpm = Emulator::start(folder.path()).unwrap();
    assert_eq!(tpm::read(&mut tpm.device, "chat-shop").unwrap(), new.next());
}

#[test]
fn stores_have_counters_of_their_own_and_a_new_one_is_never_an_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut tpm) = Emulator::start(folder.path()) else {
        return;
    };
    let device = &mut tpm.device;
    let shop = tpm::read(device, "chat-shop").unwrap();
    let help = tpm::read(device, "chat-help").unwrap();
    assert!(!shop.is_of(help) && help.first > shop.value);
    tpm::advance(device, "chat-shop", shop.next()).unwrap();
    assert_eq!(tpm::read(device, "chat-help").unwrap(), help);
    assert!(matches!(
        tpm::advance(device, "chat-help", shop.next()),
        Err(Error::Gone)
    ));
    assert!(tpm::remove(device, "chat-shop").unwrap());
    assert!(!tpm::remove(device, "chat-shop").unwrap());
    assert!(matches!(
        tpm::advance(device, "chat-shop", shop.next()),
        Err(Error::Gone)
    ));
    let again = tpm::read(device, "chat-shop").unwrap();
    assert!(again.is_new() && !again.is_of(shop));
    // Higher than whatever any of them had: an anchor of before fits no more.
    assert!(again.value > help.value && again.value > shop.next().value);
    assert_eq!(tpm::read(device, "chat-help").unwrap(), help);
}

#[test]
fn another_index_in_its_place_is_passed_over_and_found_again_past_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut tpm) = Emulator::start(folder.path()) else {
        return;
    };
    let device = &mut tpm.device;
    let places: Vec<u32> = candidates("chat-shop").collect();
    ask(
        device,
        &message::define(places[0], &Label::new("another", 1)),
    );
    let shop = tpm::read(device, "chat-shop").unwrap();
    assert_eq!(shop.index, places[1]);
    ask(device, &message::undefine(places[0]));
    assert_eq!(tpm::read(device, "chat-shop").unwrap(), shop);
    assert!(tpm::remove(device, "chat-shop").unwrap());
    for index in &places {
        ask(device, &message::define(*index, &Label::new("another", 1)));
    }
    assert_eq!(u32::try_from(places.len()), Ok(PLACES));
    assert!(places.iter().all(|index| *index <= LAST_INDEX));
    assert!(matches!(
        tpm::read(device, "chat-shop"),
        Err(Error::Taken(_))
    ));
}

#[test]
fn a_making_that_was_cut_off_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut tpm) = Emulator::start(folder.path()) else {
        return;
    };
    let device = &mut tpm.device;
    let index = candidates("chat-shop").next().unwrap();
    for (first, written) in [(0, false), (0, true), (9, false)] {
        ask(
            device,
            &message::define(index, &Label::new("chat-shop", first)),
        );
        if written {
            ask(device, &message::increment(index));
        }
        let gone = tpm::advance(
            device,
            "chat-shop",
            Count {
                index,
                first,
                value: 10,
            },
        );
        assert!(matches!(gone, Err(Error::Gone)));
        let shop = tpm::read(device, "chat-shop").unwrap();
        assert!(shop.is_new() && shop.first != 0);
        assert!(tpm::remove(device, "chat-shop").unwrap());
    }
}

/// By way of what the library itself offers: a command, and nothing of its response.
fn ask(device: &mut Device<UnixStream>, command: &[u8]) {
    device.give(command).unwrap();
}

/// Says the same to every command.
struct Says {
    answer: Vec<u8>,
    at: usize,
    /// Bytes that it gives in one read.
    piece: usize,
    asked: usize,
}

impl Read for Says {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.answer[self.at..];
        let count = rest.len().min(self.piece).min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

impl Write for Says {
    fn write(&mut self, command: &[u8]) -> io::Result<usize> {
        (self.at, self.asked) = (0, self.asked + 1);
        Ok(command.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn says(answer: &[u8], piece: usize) -> Result<Count, Error> {
    let answer = answer.to_vec();
    let transport = Says {
        answer,
        at: 0,
        piece,
        asked: 0,
    };
    tpm::read(
        &mut Device::with_pause(transport, Duration::ZERO),
        "chat-shop",
    )
}

#[test]
fn short_long_and_made_up_answers_are_errors() {
    // Nothing; a header cut off; one that says that it is longer than it is, shorter, or huge.
    for answer in [
        &[][..],
        &[0x80, 1, 0, 0, 0],
        &[0x80, 1, 0, 0, 0, 20, 0, 0, 0, 0],
        &[0x80, 1, 0, 0, 0, 9, 0, 0, 0, 0],
        &[0x80, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
    ] {
        assert!(
            matches!(says(answer, 4096), Err(Error::Io(_))),
            "{answer:?}"
        );
    }
    for answer in [
        &[0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0][..],
        &[0x80, 9, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0],
        &[0x80, 2, 0, 0, 0, 14, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert!(
            matches!(says(answer, 3), Err(Error::Malformed(_))),
            "{answer:?}"
        );
    }
    // Lockout, in pieces of a byte; and busy for ever.
    for code in [0x921_u32, 0x922] {
        let mut answer = vec![0x80, 1, 0, 0, 0, 10];
        answer.extend(code.to_be_bytes());
        let refused = says(&answer, 1);
        assert!(matches!(refused, Err(Error::Refused { code: said, .. }) if said.0 == code));
    }
}
