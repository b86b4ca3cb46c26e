//! The one thread that writes. All writes that wait share one durable commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use crate::engine::Engine;
use crate::error::Error;
use crate::job::{Job, Ran, Reply};
use crate::opening::Opening;
use crate::subject::{Erasures, KeyTable};
use crate::write::WriteTx;

/// Writes that one commit takes in at most.
const BATCH_WRITES: usize = 256;
/// Pause in which further writes may come.
const GATHER_WAIT: Duration = Duration::from_micros(50);
/// Pauses before one commit at most.
const GATHER_WAITS_MAX: u32 = 4;
/// How often the anchor is made durable at most. What it lacks after a power cut, a commit of the
/// last moments, it learns at the next opening.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// An answer that waits for the commit.
struct Waiting {
    reply: Reply,
    /// Whether a subject's key has to be destroyed first.
    erases: bool,
}

/// Readies the answer of a job that will not run.
fn unrun(job: Box<dyn Job>) -> Waiting {
    Waiting {
        reply: Box::new(move |outcome| job.fail(outcome.err().unwrap_or(Error::Interrupted))),
        erases: false,
    }
}

/// The writer thread: ends once every sender is gone and the queue is empty. While there is nothing
/// to write it seals blocks anew that an old data key seals.
pub(crate) fn run(
    engine: &Engine,
    key_table: &Arc<KeyTable>,
    mut erasures: Erasures,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
) {
    let mut settler = Settler::default();
    let mut renewing = engine.is_renewing();
    let mut last_batch = 1;
    loop {
        let first = match queue.try_recv() {
            Ok(first) => first,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) if renewing => {
                renewing = renew(engine);
                continue;
            }
            Err(TryRecvError::Empty) => {
                settler.settle(engine, Instant::now());
                match queue.blocking_recv() {
                    Some(first) => first,
                    None => return,
                }
            }
        };
        let batch = gather(first, &mut queue, last_batch);
        last_batch = batch.len();
        let mut replies = Vec::with_capacity(batch.len());
        let outcome = write_batch(engine, key_table, &mut erasures, batch, &mut replies);
        // Where it is not known whether the commit landed, its marks may have.
        let landed = matches!(outcome, Ok(()) | Err(Error::Unconfirmed(_)));
        if landed && replies.iter().any(|waiting| waiting.erases) {
            erasures.note();
        }
        let mut erased = Ok(());
        if outcome.is_ok() && erasures.is_open() {
            erased = erasures
                .settle(engine, key_table)
                .map_err(|error| Error::EraseUnfinished(Box::new(error)));
        }
        for Waiting { reply, erases } in replies {
            let erased = if erases { erased.clone() } else { Ok(()) };
            reply(outcome.clone().and(erased));
        }
        renewing = engine.is_renewing();
    }
}

/// Takes what waits behind `first`. Whoever was just answered is about to write again, so where more
/// than one was, the others are waited for, for a moment that is short beside a sync.
fn gather(
    first: Box<dyn Job>,
    queue: &mut mpsc::Receiver<Box<dyn Job>>,
    last_batch: usize,
) -> Vec<Box<dyn Job>> {
    let mut batch = vec![first];
    let mut waits = 0;
    while batch.len() < BATCH_WRITES {
        match queue.try_recv() {
            Ok(next) => batch.push(next),
            Err(TryRecvError::Empty) if batch.len() < last_batch && waits < GATHER_WAITS_MAX => {
                waits += 1;
                std::thread::sleep(GATHER_WAIT);
            }
            Err(_) => break,
        }
    }
    batch
}

/// Seals some blocks anew; false where nothing is left, or where it failed. Then it is tried again
/// after the next write, or when the store is opened next: what failed may be a full disk, on which
/// trying without end would only wear.
fn renew(engine: &Engine) -> bool {
    match engine.renew_step() {
        Ok(done) => !done,
        Err(error) => {
            tracing::warn!(
                "blocks stay sealed with an old data key until the next write, after which sealing \
                 them anew is tried again: {error}"
            );
            false
        }
    }
}

/// Makes the anchor durable from time to time.
#[derive(Default)]
struct Settler {
    last: Option<Instant>,
}

impl Settler {
    fn settle(&mut self, engine: &Engine, now: Instant) {
        if self.last.is_none_or(|last| now - last >= SETTLE_EVERY) {
            self.last = Some(now);
            engine.settle_anchor();
        }
    }
}

/// Runs the jobs in one transaction and commits it. `Ok` means durable, `Err` means not stored,
/// but for [`Error::Unconfirmed`].
fn write_batch(
    engine: &Engine,
    key_table: &Arc<KeyTable>,
    erasures: &mut Erasures,
    batch: Vec<Box<dyn Job>>,
    replies: &mut Vec<Waiting>,
) -> Result<(), Error> {
    let opening = match engine.writable() {
        Ok(opening) => opening,
        Err(error) => {
            replies.extend(batch.into_iter().map(unrun));
            return Err(error);
        }
    };
    let error = match attempt(&opening, key_table, erasures, batch, replies) {
        Ok(committed) => {
            if committed {
                erasures.unmarked();
            }
            return Ok(());
        }
        Err(failed) => failed,
    };
    engine.retire(&opening);
    let cause = opening.explain(error.cause);
    drop(opening);
    let Some(number) = error.committing else {
        return Err(cause);
    };
    // The engine can fail after the commit has reached the disk. What is on the disk decides.
    match engine.writable().map(|opening| opening.commits()) {
        Ok(found) if found >= number => Ok(()),
        Ok(_) => Err(cause),
        Err(again) => Err(Error::Unconfirmed(Box::new(again))),
    }
}

struct Failed {
    cause: Error,
    /// The commit's number, where the failure came once committing had begun.
    committing: Option<u64>,
}

impl From<Error> for Failed {
    fn from(cause: Error) -> Self {
        Self {
            cause,
            committing: None,
        }
    }
}

/// True where there was anything to commit.
fn attempt(
    opening: &Arc<Opening>,
    key_table: &Arc<KeyTable>,
    erasures: &Erasures,
    batch: Vec<Box<dyn Job>>,
    replies: &mut Vec<Waiting>,
) -> Result<bool, Failed> {
    let mut batch = batch.into_iter();
    let transaction = match opening.begin_write() {
        Ok(transaction) => transaction,
        Err(error) => {
            replies.extend(batch.map(unrun));
            return Err(error.into());
        }
    };
    let mut tx = WriteTx::new(&transaction, key_table);
    let mut changed = false;
    for job in batch.by_ref() {
        // A closure that panics is its caller's fault, and must cost no one else their write.
        match catch_unwind(AssertUnwindSafe(|| job.run(&mut tx))) {
            Ok(Ran { keep, reply }) => {
                let erases = keep && !tx.erasing.is_empty();
                replies.push(Waiting { reply, erases });
                if keep {
                    changed |= tx.keep();
                } else {
                    tx.take_back();
                }
            }
            Err(_) => tx.take_back(),
        }
        if tx.failure().is_some() {
            break;
        }
    }
    replies.extend(batch.map(unrun));
    if changed {
        erasures.unmark(&mut tx)?;
    }
    if let Some(error) = tx.failure() {
        return Err(error.clone().into());
    }
    drop(tx);
    if !changed {
        return match transaction.abort() {
            Ok(()) => Ok(false),
            Err(error) => Err(Error::engine(error).into()),
        };
    }
    let number = opening.commits().saturating_add(1);
    match opening.commit(transaction, number) {
        Ok(()) => Ok(true),
        Err(cause) => Err(Failed {
            cause,
            committing: Some(number),
        }),
    }
}
