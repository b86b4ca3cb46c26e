//! Reading anew what a service was configured with, while it serves
//! (`Type=notify-reload`, systemd.service(5)).

use std::io;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::notify::tell;

/// The right to be asked for a reload. A service that never calls
/// [`Reload::requests`] is ended by `SIGHUP`, as any program is.
#[derive(Debug)]
pub struct Reload {
    /// Not made elsewhere: a signal has one disposition in the whole process.
    pub(crate) _private: (),
}

impl Reload {
    /// From now on `SIGHUP` asks for a reload and no longer ends the process.
    /// To be called within the runtime, and before [`crate::Ready::notify`]:
    /// from then on the service manager may send it.
    ///
    /// # Errors
    /// When the signal's handler cannot be set.
    pub fn requests(self) -> io::Result<Reloads> {
        Ok(Reloads {
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

/// The reloads that were asked for. Several that come while one is under way
/// count as one, which begins after them and so sees what they were about.
#[derive(Debug)]
pub struct Reloads {
    hang_up: Signal,
}

impl Reloads {
    /// Waits for the next one and tells the service manager that it begins. Gives
    /// `None` when no more can come. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Reloading> {
        self.hang_up.recv().await?;
        // sd_notify(3): the time proves that the signal was sent before this.
        match NotifyState::monotonic_usec_now() {
            Ok(time) => tell(&[NotifyState::Reloading, time]),
            Err(error) => tracing::warn!(
                "the service manager could not be told of a reload, and will say that it failed: {error}"
            ),
        }
        Some(Reloading { _private: () })
    }
}

/// A reload that is under way. However it is dropped, the service manager is
/// told that it has ended: the service goes on, with the old or the new.
#[derive(Debug)]
#[must_use = "the reload ends when this is dropped"]
pub struct Reloading {
    _private: (),
}

impl Reloading {
    /// Ends it with a status line for `systemctl status`.
    pub fn done(self, status: &str) {
        tell(&[NotifyState::Status(status)]);
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        tell(&[NotifyState::Ready]);
    }
}
