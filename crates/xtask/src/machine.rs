//! Commands inside a running machine.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::failure::{Failure, Outcome, While};
use crate::instance::Reach;
use crate::program;

/// What a login shell of root has.
const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("HOME", "/root"),
    ("USER", "root"),
    ("LANG", "C.UTF-8"),
];

/// What a virtual machine's shell says when it is there.
const GREETING: &str = "Spawning backdoor root shell...\n";

/// How long a command in a virtual machine may be silent, in seconds.
const SILENCE_SECONDS: u64 = 600;

/// How many bytes of output are fetched in one go.
const CHUNK_BYTES: usize = 48 * 1024;

/// Where a virtual machine keeps a command's output until it is fetched.
const OUTPUT: &str = "/run/backdoor-output";

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// Its exit status.
    pub(crate) status: i32,
    /// What it printed, complaints included.
    pub(crate) output: String,
}

impl Reach {
    /// Runs a line of shell as root.
    pub(crate) fn run(&self, line: &str) -> Outcome<Done> {
        match self {
            Self::Container { leader } => {
                let merged = format!("exec 2>&1; {line}");
                let output = program::capture(&mut enter(*leader, &["bash", "-c", &merged]))?;
                Ok(Done {
                    status: output.status.code().unwrap_or(-1),
                    output: String::from_utf8_lossy(&output.stdout).into_owned()
                        + &String::from_utf8_lossy(&output.stderr),
                })
            }
            Self::Console { shell, .. } => run_on_console(shell, line),
        }
    }

    /// Runs a line that must succeed, and returns what it prints.
    pub(crate) fn succeed(&self, line: &str) -> Outcome<String> {
        let done = self.run(line)?;
        if done.status == 0 {
            Ok(done.output)
        } else {
            Failure::because(format!(
                "inside the machine `{line}` ended with status {}: {}",
                done.status,
                done.output.trim_end()
            ))
        }
    }

    /// The command that gives a person a shell in a container, or runs `words` there on this terminal.
    pub(crate) fn on_terminal(leader: u32, words: &[String]) -> Command {
        let words: Vec<_> = if words.is_empty() {
            vec!["bash", "--login"]
        } else {
            words.iter().map(String::as_str).collect()
        };
        let mut command = enter(leader, &words);
        if let Some(terminal) = std::env::var_os("TERM") {
            command.env("TERM", terminal);
        }
        command.stdin(Stdio::inherit());
        command
    }
}

/// A command that enters the container whose PID 1 is `leader`.
fn enter(leader: u32, words: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command
        .args(["--target", &leader.to_string(), "--all", "--"])
        // env changes the directory inside; nsenter itself would keep this machine's.
        .args(["env", "--chdir=/root"])
        .args(words)
        .env_clear()
        .envs(ENVIRONMENT.iter().copied());
    command
}

/// Waits until a virtual machine's shell says that it is there.
pub(crate) fn await_greeting(shell: &mut UnixStream, patience: Duration) -> Outcome<()> {
    shell
        .set_read_timeout(Some(patience))
        .during("the console could not be set up")?;
    let mut heard = String::new();
    let mut buffer = [0; 1024];
    while !heard.contains(GREETING) {
        let length = shell
            .read(&mut buffer)
            .during("the machine's shell did not come up")?;
        if length == 0 {
            return Failure::because("the machine ended before its shell was there");
        }
        heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    Ok(())
}

/// Runs a line on a virtual machine's shell.
///
/// QEMU drops what a console's reader does not take in time, so the output waits in the guest and is fetched in
/// pieces that the socket between holds.
fn run_on_console(socket: &Path, line: &str) -> Outcome<Done> {
    let mut shell = UnixStream::connect(socket).during("the machine's console is gone")?;
    shell
        .set_read_timeout(Some(Duration::from_secs(SILENCE_SECONDS)))
        .during("the console could not be set up")?;
    let nonsense = "the machine's console said nonsense";
    let first = ask(
        &mut shell,
        &format!(
            "bash -c {} < /dev/null 2>&1 | cat > {OUTPUT}; echo ${{PIPESTATUS[0]}} $(wc -c < {OUTPUT}) \
             $(head -c {CHUNK_BYTES} {OUTPUT} | base64 -w 0)",
            quote(line)
        ),
    )?;
    let (status, size, mut output) = parse_answer(&first).during(nonsense)?;
    while output.len() < size {
        let rest = ask(
            &mut shell,
            &format!(
                "echo $(tail -c +{} {OUTPUT} | head -c {CHUNK_BYTES} | base64 -w 0)",
                output.len() + 1
            ),
        )?;
        output.extend(decode_base64(rest.trim()).during(nonsense)?);
    }
    Ok(Done {
        status,
        output: String::from_utf8_lossy(&output).into_owned(),
    })
}

/// The one line that a line of shell prints.
fn ask(shell: &mut UnixStream, line: &str) -> Outcome<String> {
    writeln!(shell, "{line}").during("the machine's console is gone")?;
    let mut received = Vec::new();
    let mut buffer = [0; 65536];
    while received.last() != Some(&b'\n') {
        let length = shell
            .read(&mut buffer)
            .during("the machine's console fell silent")?;
        if length == 0 {
            return Failure::because("the machine's console is gone");
        }
        received.extend_from_slice(&buffer[..length]);
    }
    Ok(String::from_utf8_lossy(&received).into_owned())
}

/// The status, the whole output's size in bytes, and its beginning, in a console's answer.
fn parse_answer(answer: &str) -> Option<(i32, usize, Vec<u8>)> {
    let mut words = answer.split_whitespace();
    let status = words.next()?.parse().ok()?;
    let size = words.next()?.parse().ok()?;
    let output = decode_base64(words.next().unwrap_or_default())?;
    Some((status, size, output))
}

/// `line` as one word of shell.
fn quote(line: &str) -> String {
    format!("'{}'", line.replace('\'', r"'\''"))
}

/// Base64 of the standard alphabet (RFC 4648, section 4); none if it is not.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0x00ff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(decoded)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn answers_of_the_console_are_read() {
        assert_eq!(
            parse_answer("3 6 aGVsbG8K\n"),
            Some((3, 6, b"hello\n".to_vec()))
        );
        assert_eq!(parse_answer("0 0\n"), Some((0, 0, Vec::new())));
        for nonsense in ["", "0", "x 0", "0 6 !!!!"] {
            assert_eq!(parse_answer(nonsense), None, "{nonsense}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_quoted_line_is_one_word(line in "[ -~]{0,40}") {
            let script = format!("printf %s {}", quote(&line));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), line);
        }

        #[test]
        fn anything_from_a_console_is_survived(answer in ".{0,200}") {
            let _done = parse_answer(&answer);
        }
    }

    #[test]
    fn base64_agrees_with_the_tool_that_writes_it() {
        for text in ["", "a", "ab", "abc", "\u{ff}\u{fe}\n"] {
            let mut child = Command::new("base64")
                .args(["-w", "0"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            let encoded = child.wait_with_output().unwrap().stdout;
            let decoded = decode_base64(std::str::from_utf8(&encoded).unwrap()).unwrap();
            assert_eq!(decoded, text.as_bytes());
        }
    }
}
