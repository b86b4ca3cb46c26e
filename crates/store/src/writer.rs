//! The one thread that writes. All writes that wait share one durable commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use crate::engine::{Engine, Opening};
use crate::error::{Error, WriteError};
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

/// Tells the caller how its write ended. Called once, when that is certain.
type Reply = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// An answer that waits for the commit.
struct Waiting {
    reply: Reply,
    /// Whether a subject's key has to be destroyed first.
    erases: bool,
}

/// What a write answers.
pub(crate) type Answer<R, E> = oneshot::Receiver<Result<R, WriteError<E>>>;

/// A caller's closure, waiting for the writer.
pub(crate) trait Job: Send {
    /// Runs the closure. The result, refusals too, is held back until the commit has ended,
    /// because the closure may have seen changes that are lost if it fails.
    fn run(self: Box<Self>, tx: &mut WriteTx<'_>) -> Ran;
    /// Answers without having run.
    fn fail(self: Box<Self>, error: Error);
}

/// A closure that ran.
pub(crate) struct Ran {
    /// False where it refused, and its changes are to be taken back.
    keep: bool,
    reply: Reply,
}

/// Wraps a closure, and gives the place where its answer will appear.
pub(crate) fn job<R, E, F>(closure: F) -> (Box<dyn Job>, Answer<R, E>)
where
    F: FnOnce(&mut WriteTx<'_>) -> Result<R, E> + Send + 'static,
    R: Send + 'static,
    E: Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    (Box::new(Task { closure, sender }), receiver)
}

struct Task<R, E, F> {
    closure: F,
    sender: oneshot::Sender<Result<R, WriteError<E>>>,
}

impl<R, E, F> Job for Task<R, E, F>
where
    F: FnOnce(&mut WriteTx<'_>) -> Result<R, E> + Send + 'static,
    R: Send + 'static,
    E: Send + 'static,
{
    fn run(self: Box<Self>, tx: &mut WriteTx<'_>) -> Ran {
        let Self { closure, sender } = *self;
        let result = closure(tx);
        Ran {
            keep: result.is_ok(),
            reply: Box::new(move |outcome| {
                let answer = match outcome {
                    Ok(()) => result.map_err(WriteError::Refused),
                    Err(error) => Err(WriteError::Store(error)),
                };
                // The caller may have gone; its write stands all the same.
                drop(sender.send(answer));
            }),
        }
    }

    fn fail(self: Box<Self>, error: Error) {
        drop(self.sender.send(Err(WriteError::Store(error))));
    }
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
