//! A caller's write on its way to the writer, and its answer on the way back.

use tokio::sync::oneshot;

use crate::error::{Error, WriteError};
use crate::write::WriteTx;

/// Tells the caller how its write ended. Called once, when that is certain.
pub(crate) type Reply = Box<dyn FnOnce(Result<(), Error>) + Send>;

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
    pub(crate) keep: bool,
    pub(crate) reply: Reply,
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
