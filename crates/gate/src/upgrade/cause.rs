//! Pure: why the gate closes a WebSocket, and what each side is told.

use std::time::Duration;

use super::frames::{Sender, Violation};
use super::own::Code;
use crate::limits::seconds;

/// Why the gate closes a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The client sent what RFC 6455 forbids.
    Malformed(Violation),
    /// The client's message is longer than so many bytes.
    TooLong(u64),
    /// The client sends more than a limit allows; it would pass after this time. The limit is this socket's own, or one
    /// that was reported where it was counted.
    Limited(Option<Own>, Duration),
    /// Nobody said anything for so long.
    Idle,
    /// The client did not answer a ping.
    Silent,
    /// The client does not read.
    Stalled,
    /// The gate starts anew.
    Restart,
    /// The bot sent what RFC 6455 forbids.
    BotMalformed(Violation),
    /// The bot ended without a word.
    BotGone,
}

/// A limit on one WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    /// Its messages.
    Messages,
    /// All its frames.
    Frames,
}

impl Own {
    /// Its name in the journal.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Messages => "socket-messages",
            Self::Frames => "socket-frames",
        }
    }
}

impl Cause {
    pub(super) const fn malformed(sender: Sender, violation: Violation) -> Self {
        match sender {
            Sender::Client => Self::Malformed(violation),
            Sender::Server => Self::BotMalformed(violation),
        }
    }

    /// The code for the client, and the one for the bot.
    pub(super) const fn codes(self) -> (Code, Code) {
        let code = match self {
            Self::Malformed(_) => Code::Protocol,
            Self::TooLong(_) => Code::TooBig,
            Self::Limited(..) | Self::Silent | Self::Stalled => Code::Policy,
            Self::Idle => Code::GoingAway,
            // A bot that broke off is started anew, so for its visitors it is the same. 1014 says more, but many
            // libraries take it for no code.
            Self::Restart | Self::BotGone => Code::Restart,
            Self::BotMalformed(_) => return (Code::Internal, Code::Protocol),
        };
        (code, code)
    }

    /// What both are told.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Malformed(violation) => violation.to_string(),
            Self::TooLong(most) => format!("a message has {most} bytes at most"),
            Self::Limited(_, wait) => {
                format!("too much in a short time; wait {} s", seconds(wait).max(1))
            }
            Self::Idle => "nothing was said for a long time".to_owned(),
            Self::Silent => "a ping was not answered".to_owned(),
            Self::Stalled => "what was sent is not read".to_owned(),
            Self::Restart => "please connect again".to_owned(),
            Self::BotMalformed(_) | Self::BotGone => {
                "the assistant is away for a moment".to_owned()
            }
        }
    }
}
