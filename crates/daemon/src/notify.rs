//! Speaks to the service manager (sd_notify(3)).

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// Tells the service manager that the service can answer, and from then on
/// keeps its watchdog content.
#[derive(Debug)]
pub struct Ready {
    pub(crate) drain: CancellationToken,
}

impl Ready {
    /// `READY=1`, with a status line for `systemctl status`. Must be called
    /// within the runtime: the watchdog is fed from there, so that a runtime
    /// that hangs is found.
    pub fn notify(self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
        if let Some(period) = sd_notify::watchdog_enabled() {
            tokio::spawn(async move {
                // Twice a period, as sd_watchdog_enabled(3) advises.
                let mut beat = tokio::time::interval(period / 2);
                loop {
                    beat.tick().await;
                    tell(&[NotifyState::Watchdog]);
                }
            });
        }
        tokio::spawn(async move {
            self.drain.cancelled().await;
            tell(&[NotifyState::Stopping]);
        });
    }
}

/// Changes the status line that [`Ready::notify`] gave, for `systemctl status`.
pub fn say(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

pub(crate) fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(
            "the service manager could not be told; it may restart this service: {error}"
        );
    }
}
