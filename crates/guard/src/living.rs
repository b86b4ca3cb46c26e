//! Which sessions over SSH are live: those whose process is there, by the kernel's word.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::decide::never::Process;
use crate::journal::format::Id;
use crate::journal::trust::SSHD;

/// The processes that there are.
#[derive(Debug)]
pub struct Living {
    /// This boot; where it is not known, all are taken for it.
    boot: Option<Id>,
    processes: PathBuf,
    /// Others' processes cannot be seen.
    is_blind: bool,
}

impl Living {
    /// Of this boot, below `/proc`.
    #[must_use]
    pub fn new(boot: Option<Id>, processes: &Path) -> Self {
        // The first process is always there.
        let is_blind = std::fs::read(processes.join("1/comm")).is_err();
        if is_blind {
            tracing::warn!(
                "the processes of others cannot be seen, so an address with a session over SSH counts as live until \
                 the journal tells its end, and is not banned before; the unit needs ProtectProc=default"
            );
        }
        if boot.is_none() {
            tracing::warn!(
                "this boot is not known, so a session over SSH of an earlier boot may count as live; the unit needs \
                 Environment=CASEMATE_BOOT=%b"
            );
        }
        Self {
            boot,
            processes: processes.to_owned(),
            is_blind,
        }
    }

    /// Whether that process is there, and is sshd's. Where it cannot be told it is: better an attacker is spared than an
    /// operator shut out.
    #[must_use]
    pub fn has(&self, process: Process) -> bool {
        if self.boot.is_some_and(|boot| boot != process.boot) {
            return false;
        }
        if self.is_blind {
            return true;
        }
        let name = self.processes.join(process.number.to_string());
        match std::fs::read(name.join("comm")) {
            Ok(name) => SSHD
                .iter()
                .any(|sshd| sshd.as_bytes() == name.trim_ascii_end()),
            // It may end while it is read (ESRCH).
            Err(error) => {
                let ended = error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error());
                error.kind() != ErrorKind::NotFound && !ended
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_sshds_processes_of_this_boot_are_sessions() {
        let folder = tempfile::tempdir().unwrap();
        for (number, name) in [(1, "systemd\n"), (7, "sshd-session\n"), (8, "sleep\n")] {
            let place = folder.path().join(number.to_string());
            std::fs::create_dir(&place).unwrap();
            std::fs::write(place.join("comm"), name).unwrap();
        }
        let process = |boot, number| Process {
            boot: [boot; 16],
            number,
        };
        let living = Living::new(Some([1; 16]), folder.path());
        assert!(living.has(process(1, 7)));
        // Another boot's, one whose number another has now, and one that is over.
        for (boot, number) in [(2, 7), (1, 8), (1, 9)] {
            assert!(!living.has(process(boot, number)), "{boot} {number}");
        }
        assert!(Living::new(None, folder.path()).has(process(2, 7)));
        let blind = Living::new(Some([1; 16]), &folder.path().join("none"));
        assert!(blind.has(process(1, 9)) && !blind.has(process(2, 9)));
    }

    #[test]
    fn the_kernels_word_is_understood() {
        let living = Living::new(None, Path::new("/proc"));
        let process = |number| Process {
            boot: [1; 16],
            number,
        };
        // This process is none of sshd's, and no process has the highest number.
        assert!(!living.has(process(std::process::id())));
        assert!(!living.has(process(u32::MAX)));
    }
}
