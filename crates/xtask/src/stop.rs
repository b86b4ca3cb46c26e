//! Ctrl-C and its kin, as something to look at between steps.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{Failure, Outcome, While};

/// Whether this process has been asked to end.
pub(crate) struct Stop(Receiver<()>);

impl Stop {
    /// From now on SIGINT, SIGTERM and SIGHUP do not end the process but are noted here.
    pub(crate) fn watch() -> Outcome<Self> {
        let (sender, receiver) = channel();
        let (started, ready) = channel();
        std::thread::spawn(move || {
            let watch = || -> std::io::Result<()> {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                runtime.block_on(async {
                    let mut interrupt = signal(SignalKind::interrupt())?;
                    let mut terminate = signal(SignalKind::terminate())?;
                    let mut hang_up = signal(SignalKind::hangup())?;
                    // The other side waits for this before anything is booted.
                    let _gone = started.send(());
                    loop {
                        tokio::select! {
                            _ = interrupt.recv() => {}
                            _ = terminate.recv() => {}
                            _ = hang_up.recv() => {}
                        }
                        if sender.send(()).is_err() {
                            return Ok(());
                        }
                    }
                })
            };
            // Without signals the sender is dropped, which reads as a request to end.
            let _failed = watch();
        });
        ready.recv().during("signals could not be watched")?;
        Ok(Self(receiver))
    }

    /// Waits up to `limit`; true if asked to end by then.
    pub(crate) fn within(&self, limit: Duration) -> bool {
        !matches!(self.0.recv_timeout(limit), Err(RecvTimeoutError::Timeout))
    }

    /// Fails if asked to end.
    pub(crate) fn check(&self) -> Outcome<()> {
        if self.within(Duration::ZERO) {
            Failure::because("stopped on request")
        } else {
            Ok(())
        }
    }
}
