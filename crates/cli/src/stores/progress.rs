//! Long tasks: a line on a terminal that shows how far they are, and Ctrl-C.

use std::io::{IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use store::{Step, Unit, Watch};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Error, output};

/// How often the line changes at most.
const EVERY: Duration = Duration::from_millis(100);

/// Runs `task` on a thread of its own. Ctrl-C and SIGTERM have its watch tell it to stop.
pub(crate) async fn run<T, F>(task: F) -> Result<T, Error>
where
    F: FnOnce(&mut Watch<'_>) -> Result<T, Error> + Send + 'static,
    T: Send + 'static,
{
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let mut interrupts = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    let mut terminations = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let mut working = tokio::task::spawn_blocking(move || {
        let mut line = Line::new();
        let done = task(&mut |step| {
            line.show(step);
            if told.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        line.clear();
        done
    });
    loop {
        tokio::select! {
            done = &mut working => return done.map_err(|error| Error::Runtime(error.into()))?,
            _ = interrupts.recv() => stop.store(true, Ordering::Relaxed),
            _ = terminations.recv() => stop.store(true, Ordering::Relaxed),
        }
    }
}

/// The line on the terminal, where standard error is one.
struct Line {
    terminal: bool,
    shown: Option<Instant>,
}

impl Line {
    fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            shown: None,
        }
    }

    fn show(&mut self, step: &Step) {
        if !self.terminal || self.shown.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        write(&text(step));
    }

    fn clear(&self) {
        if self.shown.is_some() {
            write("");
        }
    }
}

/// Writes over the line. A terminal that has gone away is no reason to stop.
fn write(text: &str) {
    let mut out = std::io::stderr();
    let _ = write!(out, "\r{text}\x1b[K").and_then(|()| out.flush());
}

/// A step for people. Pure.
fn text(step: &Step) -> String {
    let amount = |count| match step.unit {
        Unit::Bytes => output::bytes(count),
        Unit::Blocks | Unit::Records => count.to_string(),
    };
    let unit = match step.unit {
        Unit::Bytes => "",
        Unit::Blocks => " blocks",
        Unit::Records => " records",
    };
    let done = amount(step.done);
    match step.of {
        Some(of) => {
            let percent = (u128::from(step.done) * 100)
                .checked_div(of.into())
                .map_or(100, |percent| percent.min(100));
            format!(
                "{}: {done} of {}{unit} ({percent} %)",
                step.doing,
                amount(of)
            )
        }
        None => format!("{}: {done}{unit}", step.doing),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_in_their_unit() {
        let step = |unit, done, of| {
            text(&Step {
                doing: "checking",
                unit,
                done,
                of,
            })
        };
        assert_eq!(
            step(Unit::Blocks, 5, Some(20)),
            "checking: 5 of 20 blocks (25 %)"
        );
        assert_eq!(step(Unit::Records, 5, None), "checking: 5 records");
        assert_eq!(step(Unit::Bytes, 4096, None), "checking: 4 KiB");
        assert_eq!(
            step(Unit::Blocks, 0, Some(0)),
            "checking: 0 of 0 blocks (100 %)"
        );
        assert_eq!(
            step(Unit::Blocks, u64::MAX, Some(1)),
            "checking: 18446744073709551615 of 1 blocks (100 %)"
        );
    }

    #[test]
    fn an_interrupt_reaches_the_task() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let stopped = runtime.block_on(run(|watch| {
            let step = Step {
                doing: "waiting",
                unit: Unit::Records,
                done: 0,
                of: None,
            };
            assert_eq!(watch(&step), ControlFlow::Continue(()));
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)
                .unwrap();
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(20) {
                if watch(&step) == ControlFlow::Break(()) {
                    return Ok(true);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(false)
        }));
        assert!(stopped.unwrap());
    }
}
