//! Who has a store's file open, from what the kernel says of locks (proc_locks(5)).

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Who holds a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A unit of the service manager.
    Unit(String),
    /// A process that belongs to none.
    Process(u32),
    /// The kernel does not tell.
    Unknown,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unit(unit) => write!(f, "{unit} has it open: `systemctl stop {unit}` first"),
            Self::Process(id) => write!(f, "process {id} has it open: end that process first"),
            Self::Unknown => f.write_str("another process has it open: end that process first"),
        }
    }
}

/// Who has the file at `path` locked.
pub(crate) fn find(path: &Path) -> Holder {
    let process = fs::metadata(path).ok().and_then(|data| {
        let locks = fs::read_to_string("/proc/locks").ok()?;
        holding(&locks, data.dev(), data.ino())
    });
    let Some(process) = process else {
        return Holder::Unknown;
    };
    fs::read_to_string(format!("/proc/{process}/cgroup"))
        .ok()
        .and_then(|text| unit(&text))
        .map_or(Holder::Process(process), Holder::Unit)
}

/// The process in a line such as `1: FLOCK  ADVISORY  WRITE 708 08:02:1234 0 EOF`. Pure.
fn holding(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let place = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "FLOCK");
        let (_, _, mode) = (words.next()?, words.next()?, words.next()?);
        let process = words.next()?.parse().ok();
        (mode == "WRITE" && words.next()? == place)
            .then_some(process)
            .flatten()
    })
}

/// The unit in a line such as `0::/system.slice/system-x.slice/x@y.service` (cgroups(7)). Pure.
fn unit(cgroup: &str) -> Option<String> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    path.split('/')
        .rfind(|name| name.ends_with(".service"))
        .map(str::to_owned)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOCKS: &str = "1: POSIX  ADVISORY  WRITE 12 fe:00:77 0 EOF\n\
        2: FLOCK  ADVISORY  WRITE 708 fe:00:77 0 EOF\n\
        2: -> FLOCK  ADVISORY  WRITE 709 fe:00:78 0 EOF\n";

    #[test]
    fn the_holder_is_found_by_the_file() {
        let device = rustix::fs::makedev(0xfe, 0);
        assert_eq!(holding(LOCKS, device, 77), Some(708));
        assert_eq!(holding(LOCKS, device, 79), None);
        assert_eq!(holding(LOCKS, device + 1, 77), None);
    }

    #[test]
    fn the_unit_is_the_innermost_service() {
        let line = "0::/system.slice/system-casemate.slice/casemate-chat@shop.service\n";
        assert_eq!(unit(line).as_deref(), Some("casemate-chat@shop.service"));
        assert_eq!(unit("0::/user.slice/session-1.scope\n"), None);
        assert_eq!(unit(""), None);
    }

    #[test]
    fn a_lock_of_this_very_process_is_seen() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(find(file.path()), Holder::Unknown);
        file.as_file().lock().unwrap();
        match find(file.path()) {
            Holder::Process(id) => assert_eq!(id, std::process::id()),
            // Tests may run inside a unit, or where /proc tells nothing.
            Holder::Unit(_) | Holder::Unknown => {}
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "([0-9]: )?(-> )?(FLOCK|POSIX)? {0,2}[A-Z0-9a-f: /.@\n]{0,60}") {
            let _ = (holding(&text, 1, 1), unit(&text));
        }
    }
}
