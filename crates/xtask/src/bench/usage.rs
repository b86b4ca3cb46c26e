//! What services take: processor time from their control groups, memory from the kernel's own account of each process.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::failure::{Outcome, While};
use crate::instance::Reach;

/// The appliance's services, and the journal that they write: what they log costs there.
const SHOW: &str = "systemctl show --property=Id,MainPID,CPUUsageNSec 'casemate-*.service' systemd-journald.service";

/// The journal, which every machine has, in figures.
pub(super) const JOURNAL: &str = "journal";

/// Processor time by service.
pub(super) type Processor = BTreeMap<String, Duration>;

/// Memory by service or program, in bytes of PSS (`proc_pid_smaps(5)`): pages that processes share count a share each.
pub(super) type Memory = BTreeMap<String, u64>;

/// A service, as systemd shows it.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    name: String,
    pid: u32,
    processor: Duration,
}

/// The processor time that each service has taken since it was started.
pub(super) fn processor(reach: &Reach) -> Outcome<Processor> {
    let shown = shown(&reach.succeed(SHOW)?);
    Ok(shown
        .into_iter()
        .map(|one| (one.name, one.processor))
        .collect())
}

/// What was taken between two looks, by those that took any.
pub(super) fn between(before: &Processor, after: &Processor) -> Processor {
    after
        .iter()
        .filter_map(|(name, after)| {
            let taken = after.saturating_sub(before.get(name).copied().unwrap_or_default());
            (!taken.is_zero()).then(|| (name.clone(), taken))
        })
        .collect()
}

/// The memory of each service that runs. Each is one process.
pub(super) fn memory(reach: &Reach) -> Outcome<Memory> {
    let mut memory = Memory::new();
    for one in shown(&reach.succeed(SHOW)?) {
        if one.pid != 0 {
            let rollup = reach.succeed(&format!("cat /proc/{}/smaps_rollup", one.pid))?;
            let bytes = pss(&rollup)
                .during(format_args!("the memory of {} could not be read", one.name))?;
            memory.insert(one.name, bytes);
        }
    }
    Ok(memory)
}

/// The processor time that a control group of this machine has taken.
pub(super) fn processor_of_group(group: &Path) -> Outcome<Duration> {
    let text = fs::read_to_string(group.join("cpu.stat"))
        .during("a control group's processor time could not be read")?;
    let micros = text
        .lines()
        .find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok())
        .during("a control group does not count processor time")?;
    Ok(Duration::from_micros(micros))
}

/// The memory of each program in a control group of this machine.
pub(super) fn memory_of_group(group: &Path) -> Outcome<Memory> {
    let processes = fs::read_to_string(group.join("cgroup.procs"))
        .during("a control group's processes could not be read")?;
    let mut memory = Memory::new();
    for pid in processes.lines() {
        let read = |file| fs::read_to_string(format!("/proc/{pid}/{file}"));
        // A process may end between the two looks.
        let (Ok(name), Ok(rollup)) = (read("comm"), read("smaps_rollup")) else {
            continue;
        };
        if let Some(bytes) = pss(&rollup) {
            let program = name.split_whitespace().next().unwrap_or_default();
            *memory.entry(program.to_owned()).or_default() += bytes;
        }
    }
    Ok(memory)
}

/// The blocks of `systemctl show`.
fn shown(text: &str) -> Vec<Shown> {
    text.split("\n\n")
        .filter_map(|block| {
            let value = |key: &str| {
                block.lines().find_map(|line| {
                    let (name, value) = line.split_once('=')?;
                    (name == key).then_some(value)
                })
            };
            // One that never ran has no time: `[not set]`, or the largest number.
            let nanos = value("CPUUsageNSec")
                .and_then(|nanos| nanos.parse().ok())
                .filter(|nanos| *nanos != u64::MAX)
                .unwrap_or_default();
            Some(Shown {
                name: short(value("Id")?),
                pid: value("MainPID")?.parse().ok()?,
                processor: Duration::from_nanos(nanos),
            })
        })
        .collect()
}

/// What figures call a unit.
fn short(unit: &str) -> String {
    match unit.strip_suffix(".service").unwrap_or(unit) {
        "systemd-journald" => JOURNAL.into(),
        name => name.strip_prefix("casemate-").unwrap_or(name).into(),
    }
}

/// The PSS in a `smaps_rollup`, in bytes.
fn pss(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn services_are_read_whether_they_ran_or_not() {
        let text = "MainPID=42\nId=casemate-chat@demo.service\nCPUUsageNSec=1500\n\n\
                    MainPID=0\nId=casemate-keys@chat-demo.service\nCPUUsageNSec=[not set]\n\n\
                    MainPID=7\nId=systemd-journald.service\nCPUUsageNSec=18446744073709551615\n";
        let one = |name: &str, pid, nanos| Shown {
            name: name.into(),
            pid,
            processor: Duration::from_nanos(nanos),
        };
        assert_eq!(
            shown(text),
            [
                one("chat@demo", 42, 1500),
                one("keys@chat-demo", 0, 0),
                one("journal", 7, 0)
            ]
        );
    }

    #[test]
    fn what_took_nothing_is_left_out() {
        let looks = |entries: &[(&str, u64)]| -> Processor {
            let entry =
                |(name, nanos): &(&str, u64)| ((*name).into(), Duration::from_nanos(*nanos));
            entries.iter().map(entry).collect()
        };
        // `c` was started anew between the looks, and `d` for the first time.
        let before = looks(&[("a", 5), ("b", 5), ("c", 5)]);
        let after = looks(&[("a", 5), ("b", 8), ("c", 1), ("d", 2)]);
        assert_eq!(between(&before, &after), looks(&[("b", 3), ("d", 2)]));
    }

    #[test]
    fn the_proportional_size_is_found_among_its_parts() {
        let rollup = "55d0-7fff ---p 00000000 00:00 0  [rollup]\nRss:    9000 kB\nPss:     1234 kB\nPss_Dirty: 7 kB\n";
        assert_eq!(pss(rollup), Some(1234 * 1024));
        assert_eq!(pss("Pss_Dirty: 7 kB\n"), None);
    }

    proptest! {
        #[test]
        fn anything_that_is_shown_is_survived(text in "(MainPID|Id|=|\n|[0-9a-z.]){0,60}") {
            let _read = (shown(&text), pss(&text));
        }
    }
}
