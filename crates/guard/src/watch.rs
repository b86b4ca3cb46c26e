//! Follows the journal, on a thread of its own: its files are read with calls that block.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use guard_api::Ban;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::core::Core;
use crate::journal::cursor::Cursors;
use crate::journal::find;
use crate::journal::follow::{FOLDERS, Follower, Told};
use crate::journal::format::Id;
use crate::living::Living;
use crate::messages::Line;
use crate::schema::Progress;

/// How often the files are looked at while nothing that counts comes. journald itself tells nobody at once.
const CALM: Duration = Duration::from_millis(50);

/// How often they are looked at for [`EXCITED_TIME`] after a line that counts: attempts come in rows.
const EXCITED: Duration = Duration::from_millis(2);

/// How long after a line that counts they are looked at more often.
const EXCITED_TIME: Duration = Duration::from_secs(10);

/// How long is waited at most while lines pour in, so that many are read at once. A ban comes that much later.
const POURING: Duration = Duration::from_millis(10);

/// So many lines that count in one turn are more than a few attempts.
const POURING_LINES: usize = 16;

/// How often new and rotated files are looked for, and sessions that are over.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is stored how far was read. After a crash, what came later is read again.
const KEEP: Duration = Duration::from_secs(20);

/// The same while nothing came that counts: what does not is quickly read again.
const KEEP_CALM: Duration = Duration::from_secs(600);

/// Scores of each rule that are stored, the highest.
const SCORES_KEPT: usize = 1024;

/// How far back is read at the first start, in milliseconds (one hour).
const FIRST_MS: u64 = 3_600_000;

/// Where the unit says which machine this is, and which boot (systemd.unit(5), `%m` and `%b`): neither file that has
/// them is in its root.
pub const MACHINE: &str = "CASEMATE_MACHINE";
/// As [`MACHINE`].
pub const BOOT: &str = "CASEMATE_BOOT";

/// What is followed, and from where.
#[derive(Debug)]
pub struct Watch {
    /// The folders.
    pub folders: Vec<PathBuf>,
    /// This machine. Journals of containers and of other machines lie beside its own, and are not believed.
    pub machine: Option<Id>,
    /// Who is there of those who logged in.
    pub living: Living,
    /// Units of services beside SSH that log people in by PAM.
    pub pam_units: Vec<String>,
    /// Where reading had come to.
    pub cursors: Cursors,
    /// The half-life of each rule, to be stored with the scores.
    pub half_lives: Vec<(String, u64)>,
}

impl Watch {
    /// The folders of the machine.
    #[must_use]
    pub fn folders() -> Vec<PathBuf> {
        FOLDERS.map(PathBuf::from).to_vec()
    }

    /// The id that the unit gives under that name.
    #[must_use]
    pub fn given(name: &str) -> Option<Id> {
        find::id(&std::env::var(name).ok()?)
    }

    /// Reads what has come since the last time, and then follows until `drain` is cancelled. `caught_up` is called
    /// once, when it has come to the end.
    pub fn run(
        self,
        core: &Core,
        runtime: &Handle,
        drain: &CancellationToken,
        caught_up: impl FnOnce(),
    ) {
        let Some(machine) = self.machine else {
            tracing::error!(
                "this machine is not known, so nobody is banned for what the journal says; the unit needs \
                 Environment={MACHINE}=%m"
            );
            caught_up();
            return;
        };
        let folders: Vec<&Path> = self.folders.iter().map(PathBuf::as_path).collect();
        let since = core.now_ms().saturating_sub(FIRST_MS);
        let mut follower = Follower::new(&folders, machine, self.pam_units, self.cursors, since);
        let mut caught_up = Some(caught_up);
        let (mut looked, mut kept): (Option<Instant>, Instant) = (None, Instant::now());
        let mut counted_since = 0;
        let mut pace = Pace::default();
        let mut stored = follower.cursors();
        let mut last_unit: Option<Arc<str>> = None;
        while !drain.is_cancelled() {
            let mut bans: Vec<Ban> = Vec::new();
            let mut counted = 0_usize;
            if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
                follower.look(core.now_ms());
                core.end_dead(|process| self.living.has(process));
                looked = Some(Instant::now());
            }
            let more = follower.turn(core.now_ms(), &mut |told: Told<'_>| {
                counted += 1;
                // While it catches up, it reads of sessions that are long over.
                if matches!(told.line, Line::LoggedIn(_)) && !self.living.has(told.process) {
                    return;
                }
                let unit = match last_unit.take() {
                    Some(unit) if *unit == *told.unit => unit,
                    _ => Arc::from(told.unit),
                };
                bans.extend(core.line(told.line, told.process, &unit, told.at_ms));
                last_unit = Some(unit);
            });
            if !bans.is_empty() {
                runtime.block_on(core.enforce(&bans));
            }
            counted_since += counted;
            if more {
                continue;
            }
            if let Some(caught_up) = caught_up.take() {
                if follower.files() == 0 {
                    tracing::warn!(
                        "there is no journal that this service may read, so nobody is banned for what it says; the \
                         unit needs the group systemd-journal"
                    );
                }
                caught_up();
            }
            let due = if counted_since > 0 { KEEP } else { KEEP_CALM };
            if kept.elapsed() >= due {
                let cursors = follower.cursors();
                if stored != cursors {
                    stored = cursors;
                    keep(core, &self.half_lives, &stored);
                }
                (kept, counted_since) = (Instant::now(), 0);
            }
            std::thread::sleep(pace.after(counted, Instant::now()));
        }
        keep(core, &self.half_lives, &follower.cursors());
    }
}

/// How long to wait before the files are looked at again.
#[derive(Debug, Default)]
struct Pace {
    last_line: Option<Instant>,
    pouring: Duration,
}

impl Pace {
    /// After a turn that read that many lines that count.
    fn after(&mut self, counted: usize, now: Instant) -> Duration {
        if counted > 0 {
            self.last_line = Some(now);
        }
        // Twice as long after each turn that had many; at once short again after one that had not.
        self.pouring = if counted >= POURING_LINES {
            (self.pouring * 2).clamp(EXCITED, POURING)
        } else {
            Duration::ZERO
        };
        let excited = self
            .last_line
            .is_some_and(|last| now.duration_since(last) < EXCITED_TIME);
        if excited {
            self.pouring.max(EXCITED)
        } else {
            CALM
        }
    }
}

fn keep(core: &Core, half_lives: &[(String, u64)], cursors: &Cursors) {
    let scores = core.state().engine.dump(SCORES_KEPT);
    let progress = Progress {
        cursors: cursors.clone(),
        scores,
        half_lives: half_lives.to_vec(),
    };
    core.keep_progress(progress);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_pour_in_are_read_together_and_the_first_ones_at_once() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        assert_eq!(pace.after(0, begun), CALM);
        for counted in [1, 5, 0] {
            assert_eq!(pace.after(counted, begun), EXCITED);
        }
        let waits: Vec<_> = (0..5)
            .map(|_| pace.after(POURING_LINES, begun).as_millis())
            .collect();
        assert_eq!(waits, [2, 4, 8, 10, 10]);
        assert_eq!(pace.after(1, begun), EXCITED);
        assert_eq!(pace.after(0, begun + EXCITED_TIME), CALM);
    }
}
