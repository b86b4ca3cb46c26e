//! Pure: what holds for one WebSocket, and how much of it is used up.

use std::time::Duration;

use super::cause::{Cause, Own};
use super::frames::{Head, Opcode};
use crate::limits::{Moment, Quota, Settings, Wait};

/// What holds for every WebSocket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Longest message of a client, in bytes.
    pub(crate) message_bytes: u64,
    /// Messages of a client.
    pub(crate) messages: Quota,
    /// Frames of a client: pings and pieces of messages cost work too.
    pub(crate) frames: Quota,
    /// How long a client may be silent before it is asked whether it lives.
    pub(crate) ping_time: Duration,
    /// How long its answer may take.
    pub(crate) pong_time: Duration,
    /// How long nobody may say anything.
    pub(crate) idle_time: Duration,
    /// How long closing may take.
    pub(crate) close_time: Duration,
}

impl Rules {
    pub(crate) const fn of(settings: &Settings) -> Self {
        Self {
            message_bytes: settings.socket_message_bytes,
            messages: settings.socket_messages(),
            frames: settings.socket_frames(),
            ping_time: Duration::from_millis(settings.socket_ping_ms),
            pong_time: Duration::from_millis(settings.socket_pong_ms),
            idle_time: Duration::from_millis(settings.socket_idle_ms),
            close_time: Duration::from_millis(settings.socket_close_ms),
        }
    }

    /// How long a client may take to read something.
    pub(super) const fn stall_time(&self) -> Duration {
        self.ping_time.saturating_add(self.pong_time)
    }
}

/// What one WebSocket has used up.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Used {
    messages: Moment,
    frames: Moment,
}

impl Used {
    /// Counts a client's frame at `now`. `client` is asked about each message, for the client may have several sockets:
    /// how long to wait, where it is one too many.
    ///
    /// # Errors
    /// Why it is one too many, or too long.
    pub(super) fn count(
        &mut self,
        head: &Head,
        rules: &Rules,
        now: Moment,
        mut client: impl FnMut() -> Result<(), Duration>,
    ) -> Result<(), Cause> {
        let own = |own| move |Wait(wait)| Cause::Limited(Some(own), wait);
        self.frames = rules
            .frames
            .take(self.frames, now)
            .map_err(own(Own::Frames))?;
        if !head.opcode.is_control() && head.message > rules.message_bytes {
            return Err(Cause::TooLong(rules.message_bytes));
        }
        if matches!(head.opcode, Opcode::Text | Opcode::Binary) {
            self.messages = rules
                .messages
                .take(self.messages, now)
                .map_err(own(Own::Messages))?;
            client().map_err(|wait| Cause::Limited(None, wait))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn head(opcode: Opcode, message: u64) -> Head {
        Head {
            opcode,
            payload: message,
            message,
        }
    }

    #[test]
    fn messages_frames_and_lengths_have_their_limits() {
        let settings = Settings {
            socket_messages_per_minute: 2,
            socket_frames_per_minute: 6,
            socket_message_bytes: 10,
            ..Settings::default()
        };
        let rules = Rules::of(&settings);
        let mut used = Used::default();
        let mut count = |opcode, bytes, now| {
            used.count(&head(opcode, bytes), &rules, now, || Ok(()))
                .map_err(|cause| cause.codes().0)
        };
        assert_eq!(count(Opcode::Text, 10, 0), Ok(()));
        assert_eq!(count(Opcode::Continuation, 11, 0), Err(Code::TooBig));
        assert_eq!(count(Opcode::Binary, 1, 0), Ok(()));
        assert_eq!(count(Opcode::Text, 1, 0), Err(Code::Policy));
        assert_eq!(count(Opcode::Ping, 125, 0), Ok(()));
        assert_eq!(count(Opcode::Pong, 1, 0), Ok(()));
        assert_eq!(count(Opcode::Ping, 1, 0), Err(Code::Policy));
        assert_eq!(count(Opcode::Text, 1, 60 * SECOND), Ok(()));
    }

    #[test]
    fn a_clients_own_limit_counts_for_messages_alone() {
        let rules = Rules::of(&Settings::default());
        let mut used = Used::default();
        let full = || Err(Duration::from_secs(7));
        let ping = used.count(&head(Opcode::Ping, 0), &rules, 0, full);
        assert_eq!(ping, Ok(()));
        let text = used.count(&head(Opcode::Text, 0), &rules, 0, full);
        assert_eq!(text, Err(Cause::Limited(None, Duration::from_secs(7))));
        assert!(
            Cause::Limited(None, Duration::from_secs(7))
                .reason()
                .ends_with("wait 7 s")
        );
    }

    use super::super::own::Code;
}
