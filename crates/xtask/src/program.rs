//! Runs other programs and says what went wrong when they fail.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::failure::{Failure, Outcome, While};

/// Runs a program whose output the user sees.
pub(crate) fn show(command: &mut Command) -> Outcome<()> {
    let name = name(command);
    let status = command
        .status()
        .during(format_args!("{name} could not be started"))?;
    if status.success() {
        Ok(())
    } else {
        Failure::because(format!("{name} failed with {status}"))
    }
}

/// Runs a program and returns what it prints; what it complained of is in the failure.
pub(crate) fn read(command: &mut Command) -> Outcome<String> {
    let output = capture(command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Failure::because(format!(
        "{} failed with {}: {}{}",
        name(command),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr).trim_end()
    ))
}

/// Runs a program whose complaints and progress the user sees, and returns what it prints.
pub(crate) fn watch(command: &mut Command) -> Outcome<String> {
    let name = name(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .during(format_args!("{name} could not be started"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Failure::because(format!("{name} failed with {}", output.status))
    }
}

/// Runs a program and returns what came of it, failed or not.
pub(crate) fn capture(command: &mut Command) -> Outcome<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .during(format_args!("{} could not be started", name(command)))
}

/// Runs a program and hands on each line that it says, on either channel, when it is said. Tells whether it succeeded.
pub(crate) fn follow(
    command: &mut Command,
    mut line: impl FnMut(&str) -> Outcome<()>,
) -> Outcome<bool> {
    let name = name(command);
    let (reader, writer) = std::io::pipe().during("no pipe")?;
    let other = writer.try_clone().during("no pipe")?;
    command.stdin(Stdio::null()).stdout(writer).stderr(other);
    let mut child = command
        .spawn()
        .during(format_args!("{name} could not be started"))?;
    // The command holds the pipe's other end too; without letting go of it the pipe would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for said in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
        line(&String::from_utf8_lossy(&said))?;
    }
    let status = child
        .wait()
        .during(format_args!("{name} could not be waited for"))?;
    Ok(status.success())
}

/// The beginning of a command line whose program gets `signal` when this process ends, however it does.
pub(crate) fn ending_with_this(signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]);
    command
}

/// This program, also after it was built anew and its file replaced.
pub(crate) fn own() -> PathBuf {
    PathBuf::from(format!("/proc/{}/exe", std::process::id()))
}

/// Whether a program of this name can be found; an absolute path names any file.
pub(crate) fn exists(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
    })
}

/// The program's name without its directory.
fn name(command: &Command) -> String {
    let program = command.get_program();
    // What setpriv runs is what matters.
    let program = if program == "setpriv" {
        command.get_args().nth(2).unwrap_or(program)
    } else {
        program
    };
    std::path::Path::new(program)
        .file_name()
        .unwrap_or(program)
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_quoted() {
        let failure = read(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        let text = failure.to_string();
        assert!(text.contains("sh failed") && text.contains("why"), "{text}");
    }

    #[test]
    fn what_a_program_says_is_handed_on_and_its_failure_noticed() {
        let mut said = Vec::new();
        let mut good = Command::new("sh");
        good.args(["-c", "echo out; echo err >&2"]);
        let succeeded = follow(&mut good, |line| {
            said.push(line.to_owned());
            Ok(())
        });
        assert!(succeeded.unwrap());
        assert_eq!(said, ["out", "err"]);
        let mut bad = Command::new("sh");
        bad.args(["-c", "exit 1"]);
        assert!(!follow(&mut bad, |_| Ok(())).unwrap());
    }

    #[test]
    fn programs_are_found_by_name() {
        assert!(exists("sh"));
        assert!(!exists("no-such-program-anywhere"));
    }
}
