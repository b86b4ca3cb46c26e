//! What a service manager sees of a reload, with this test in its place.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

/// How long the service may take for anything.
const PATIENCE: Duration = Duration::from_secs(20);

struct Manager {
    // Last of all, since the socket is in it.
    service: Child,
    socket: UnixDatagram,
    _folder: tempfile::TempDir,
}

impl Manager {
    fn start(instance: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        std::fs::write(folder.path().join("empty.toml"), "").unwrap();
        let tests = std::env::current_exe().unwrap();
        let service = Command::new(tests.ancestors().nth(2).unwrap().join("examples/reloads"))
            .args(["--instance", instance, "--config"])
            .arg(folder.path().join("empty.toml"))
            .env("NOTIFY_SOCKET", &path)
            .env_remove("WATCHDOG_USEC")
            .spawn()
            .unwrap();
        Self {
            service,
            socket,
            _folder: folder,
        }
    }

    fn hears(&self) -> String {
        let mut message = [0; 512];
        let length = self.socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.service.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

fn microseconds() -> i128 {
    let now = clock_gettime(ClockId::Monotonic);
    i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000
}

#[test]
fn a_reload_is_told_with_its_time_and_ended_by_ready() {
    let mut manager = Manager::start("one");
    assert_eq!(manager.hears(), "READY=1\nSTATUS=serving\n");
    for count in 1..=2 {
        let before = microseconds();
        manager.signal(Signal::HUP);
        let told = manager.hears();
        let after = microseconds();
        let time = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        let time: i128 = time.trim_end().parse().unwrap();
        assert!((before..=after).contains(&time), "{before} {time} {after}");
        assert_eq!(manager.hears(), format!("STATUS=reloaded {count}\n"));
        assert_eq!(manager.hears(), "READY=1\n");
    }
    manager.signal(Signal::TERM);
    assert!(manager.service.wait().unwrap().success());
}

#[test]
fn a_service_that_does_not_ask_is_ended_by_the_signal_as_before() {
    let mut manager = Manager::start("deaf");
    assert_eq!(manager.hears(), "READY=1\nSTATUS=serving\n");
    manager.signal(Signal::HUP);
    let ended = manager.service.wait().unwrap();
    assert_eq!(ended.signal(), Some(Signal::HUP.as_raw()));
}
