//! The VM tests: each script on a fresh machine, under each way of booting that it names.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::Context;
use super::stage::Verdict;
use crate::assemble::Assembled;
use crate::failure::{Failure, Outcome, While};
use crate::host;
use crate::instance::Instance;
use crate::program;
use crate::progress::note;

/// How long one test may take, in seconds; emulated machines are slow.
const TEST_SECONDS: u64 = 3600;

/// The line of a script that names the ways to boot it; without one, a container.
const HEADER: &str = "# boots:";

/// The line of a script that calls tools that others made; they are in containers alone.
const OUTSIDE: &str = "# tools: outside";

/// How the driver begins the lines of a complaint.
const COMPLAINS: &str = "!!!";

/// Lines of a complaint that are shown again at the end of all.
const COMPLAINT_LINES: usize = 30;

/// A way to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Nspawn,
    Qemu,
    QemuTpm,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Nspawn => "nspawn",
            Self::Qemu => "qemu",
            Self::QemuTpm => "qemu-tpm",
        }
    }
}

/// Runs the driver's own tests, then every script.
pub(super) fn run(context: &Context) -> Outcome<Vec<Verdict>> {
    let directory = context.workspace.root().join("vm-tests");
    let mut verdicts = Vec::new();
    if context.chosen_vm_test.is_none() {
        verdicts.push(driver(&directory)?);
    }
    let assembled = context.assembled()?;
    for script in scripts(&directory, context.chosen_vm_test.as_deref())? {
        let text = std::fs::read_to_string(&script)
            .during(format_args!("{} could not be read", script.display()))?;
        let ways = ways(&text).during(format_args!("{}", script.display()))?;
        let with_tools = if text.lines().any(|line| line == OUTSIDE) {
            Some(assembled.with_outside_tools(&context.workspace)?)
        } else {
            None
        };
        for way in ways {
            let assembled = with_tools.as_ref().unwrap_or(assembled);
            verdicts.push(one(context, assembled, &script, way)?);
        }
    }
    Ok(verdicts)
}

/// The test of the driver itself, without a machine.
fn driver(directory: &Path) -> Outcome<Verdict> {
    let started = Instant::now();
    let passed = Command::new("python3")
        .args(["-m", "unittest", "driver.test_driver"])
        .current_dir(directory)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()
        .during("python3 could not be started")?
        .success();
    Ok(if passed {
        Verdict::passed("vm:driver", started.elapsed(), "")
    } else {
        Verdict::failed("vm:driver", started.elapsed(), "see above")
    })
}

/// The scripts to run, in order of their names.
fn scripts(directory: &Path, chosen: Option<&str>) -> Outcome<Vec<PathBuf>> {
    let mut scripts: Vec<_> = std::fs::read_dir(directory)
        .during(format_args!("{} could not be read", directory.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .filter(|path| chosen.is_none_or(|name| path.file_stem().is_some_and(|stem| stem == name)))
        .collect();
    scripts.sort();
    match chosen {
        Some(name) if scripts.is_empty() => {
            Failure::because(format!("there is no {}/{name}.py", directory.display()))
        }
        _ => Ok(scripts),
    }
}

/// The ways to boot that a script names.
fn ways(text: &str) -> Outcome<Vec<Way>> {
    let Some(named) = text.lines().find_map(|line| line.strip_prefix(HEADER)) else {
        return Ok(vec![Way::Nspawn]);
    };
    if text.lines().any(|line| line == OUTSIDE) {
        return Failure::because(format!(
            "a script with `{OUTSIDE}` boots a container and can say no `{HEADER}`"
        ));
    }
    named
        .split_whitespace()
        .map(|word| {
            [Way::Nspawn, Way::Qemu, Way::QemuTpm]
                .into_iter()
                .find(|way| way.name() == word)
                .during(format_args!(
                    "`{HEADER} {word}` names no way to boot; there are nspawn, qemu and qemu-tpm"
                ))
        })
        .collect()
}

/// One script on one fresh machine.
fn one(context: &Context, assembled: &Assembled, script: &Path, way: Way) -> Outcome<Verdict> {
    let stem = script
        .file_stem()
        .during("a script has a name")?
        .to_string_lossy();
    let name = format!("vm:{stem} ({})", way.name());
    println!("\n  ── {name}");
    let instance = Instance::named(&context.workspace, &format!("test-{stem}-{}", way.name()));
    let Some(_claim) = instance.claim()? else {
        return Ok(Verdict::failed(
            &name,
            Duration::ZERO,
            "another run of this test is under way",
        ));
    };
    instance.forget()?;
    instance.prepare()?;
    instance.note(None, None)?;
    let boot = match way {
        Way::Nspawn => assembled.in_container(&instance),
        Way::Qemu => {
            host::prepare(host::VIRTUAL_MACHINE)?;
            assembled.in_virtual_machine(&instance, None)?
        }
        Way::QemuTpm => {
            host::prepare(host::VIRTUAL_MACHINE)?;
            host::prepare(host::VIRTUAL_TPM)?;
            assembled.in_machine_with_tpm(&instance)?
        }
    };
    let started = Instant::now();
    let mut command = Command::new("timeout");
    command
        // The test gets Ctrl-C itself and frees its machine.
        .args(["--foreground", "--signal=INT", &TEST_SECONDS.to_string()])
        .args(["python3", "-m", "driver", "--out"])
        .arg(instance.dir().join("out"))
        .arg("--xtask")
        .arg(program::own())
        .arg(script)
        .arg("--")
        .args(boot)
        .current_dir(context.workspace.root())
        .env("PYTHONPATH", context.workspace.root().join("vm-tests"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let log = instance.dir().join("test.log");
    let mut kept = File::create(&log).during("the test's log could not be made")?;
    let passed = program::follow(&mut command, |line| {
        println!("  {line}");
        writeln!(kept, "{line}").during("the test's log could not be written")
    })?;
    let time: Duration = started.elapsed();
    if passed {
        instance.forget()?;
        return Ok(Verdict::passed(&name, time, ""));
    }
    instance.unnote()?;
    note(&format!(
        "the machine's state and logs are in {}",
        instance.dir().display()
    ));
    Ok(Verdict::failed(
        &name,
        time,
        format!("log: {}\n{}", log.display(), complaint(&log)?),
    ))
}

/// What the driver said of the failure, which is far from the log's end.
fn complaint(log: &Path) -> Outcome<String> {
    let text = std::fs::read(log).during("the test's log could not be read")?;
    let text = String::from_utf8_lossy(&text);
    let first = text.lines().position(|line| line.starts_with(COMPLAINS));
    let lines = text.lines().skip(first.unwrap_or_default());
    Ok(lines.take(COMPLAINT_LINES).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_script_boots_as_its_header_says_and_in_a_container_without() {
        assert_eq!(ways("import x\n").unwrap(), [Way::Nspawn]);
        assert_eq!(
            ways("# a test\n# boots: nspawn qemu\n").unwrap(),
            [Way::Nspawn, Way::Qemu]
        );
        assert_eq!(ways("# boots: qemu-tpm\n").unwrap(), [Way::QemuTpm]);
        assert!(ways("# boots: bochs\n").is_err());
        assert!(ways("# tools: outside\n# boots: qemu\n").is_err());
    }

    #[test]
    fn a_failure_is_told_from_where_the_driver_complains() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        std::fs::write(&log, "fine\n!!! Test \"x\" failed\nwhy\n").unwrap();
        assert_eq!(complaint(&log).unwrap(), "!!! Test \"x\" failed\nwhy");
        std::fs::write(&log, "line\n".repeat(1000)).unwrap();
        assert_eq!(complaint(&log).unwrap().lines().count(), COMPLAINT_LINES);
    }
}
