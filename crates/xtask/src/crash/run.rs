//! Builds the proofs, and runs their cases in as many processes as there are cores.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::proofs::Proof;
use super::share::Share;
use crate::failure::{Failure, Outcome, While};
use crate::program;
use crate::progress::{note, seconds};
use crate::workspace::{Workspace, cargo};

/// The crate that is proven.
const PACKAGE: &str = "casemate-store";
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(15);

/// Cases with consecutive numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) cases: u64,
}

#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

/// Builds the store's own tests as it is shipped, optimised; returns the program.
pub(super) fn build(workspace: &Workspace) -> Outcome<PathBuf> {
    compile(
        Command::new(cargo())
            .args(["test", "--release", "--package", PACKAGE])
            .current_dir(workspace.root()),
    )
}

/// Has cargo compile the tests that `test` names, without running them. What the compiler says
/// goes to standard error as text; only where the program lies is told in JSON.
fn compile(test: &mut Command) -> Outcome<PathBuf> {
    let output = program::capture(test.args([
        "--no-run",
        "--lib",
        "--message-format=json-render-diagnostics",
    ]))?;
    if !output.status.success() {
        return Failure::because(format!(
            "the proofs cannot be built, so none was run:\n{}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        ));
    }
    executable(&String::from_utf8_lossy(&output.stdout))
        .during("cargo does not say where it built the proofs")
}

fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .find_map(|message| message.executable)
}

/// Runs the cases of `span`, some in each process.
pub(super) fn run(
    program: &Path,
    proof: &Proof,
    span: Span,
    seed: u64,
    jobs: usize,
) -> Outcome<Share> {
    let next = AtomicU64::new(span.first);
    let sum = Mutex::new(Share::default());
    let lock = || sum.lock().unwrap_or_else(PoisonError::into_inner);
    let end = span.first + span.cases;
    let work = || {
        while !lock().is_hopeless() {
            let first = next.fetch_add(proof.share, Ordering::Relaxed);
            if first >= end {
                break;
            }
            let cases = proof.share.min(end - first);
            let share = one(program, proof, Span { first, cases }, seed)?;
            lock().add(share);
        }
        Outcome::Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        let started = Instant::now();
        let mut told = started;
        while !workers
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            std::thread::sleep(Duration::from_millis(20));
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let sum = lock();
                note(&progress(&sum, span.cases, started.elapsed()));
            }
        }
        workers.into_iter().try_for_each(|worker| {
            let failed = |_| Failure::new("a worker's thread ended in a panic");
            worker.join().map_err(failed)?
        })
    })?;
    Ok(sum.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Runs some cases in a process of their own, which ends with this one.
fn one(program: &Path, proof: &Proof, span: Span, seed: u64) -> Outcome<Share> {
    let output = program::ending_with_this("KILL")
        .arg(program)
        .args(["--exact", proof.test, "--nocapture", "--include-ignored"])
        .env("STORE_SEED", seed.to_string())
        .env("STORE_FIRST", span.first.to_string())
        .env("STORE_CASES", span.cases.to_string())
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .output()
        .during(format_args!(
            "the proof {} could not be started",
            proof.name
        ))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(Share::parse(&text).unwrap_or_else(|| {
        Share::died(format!(
            "FAILED {} seed={seed} case={} or one of the {} after it: the process ended with {}: {}",
            proof.name,
            span.first,
            span.cases - 1,
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        ))
    }))
}

/// How far it is.
fn progress(sum: &Share, cases: u64, elapsed: Duration) -> String {
    let left = if sum.cases == 0 {
        String::new()
    } else {
        let rest = cases.saturating_sub(sum.cases);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let left = elapsed.mul_f64(rest as f64 / sum.cases as f64);
        format!(", {} left", seconds(left))
    };
    format!("{} of {cases}, {} failed{left}", sum.cases, sum.failures)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Compiles the tests of a crate that consists of `code`.
    fn compiled(code: &str) -> Outcome<PathBuf> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::write(folder.path().join("src/lib.rs"), code).unwrap();
        std::fs::write(
            folder.path().join("Cargo.toml"),
            "[workspace]\n[package]\nname = \"tried\"\nedition = \"2024\"\n",
        )
        .unwrap();
        compile(
            Command::new(cargo())
                .args(["test", "--offline", "--target-dir", "target"])
                .current_dir(folder.path()),
        )
    }

    #[test]
    fn what_does_not_compile_is_told_as_people_read_it() {
        let failure = compiled("#[test]\nfn wrong() -> u8 {\n    \"text\"\n}\n")
            .unwrap_err()
            .to_string();
        for words in ["mismatched types", "--> src/lib.rs:3:5", "none was run"] {
            assert!(failure.contains(words), "{failure}");
        }
        assert!(!failure.contains("\"reason\""), "{failure}");
        let program = compiled("#[test]\nfn right() {}\n").unwrap();
        assert!(program.starts_with("/"), "{}", program.display());
    }

    #[test]
    fn the_program_is_found_in_what_cargo_says() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"redb"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"store"},"executable":"/t/store-1"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(executable(messages), Some(PathBuf::from("/t/store-1")));
        assert_eq!(executable("noise"), None);
    }

    #[test]
    fn what_is_left_is_estimated() {
        let output = "proof power seed=7 first=0 cases=250 failures=0";
        let sum = Share::parse(output).unwrap_or_default();
        assert_eq!(
            progress(&sum, 1000, Duration::from_secs(10)),
            "250 of 1000, 0 failed, 30.0 s left"
        );
    }
}
