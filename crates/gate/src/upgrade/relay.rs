//! Passes a WebSocket between a client and a bot, frame by frame, and closes it where it must not go on.
//!
//! Each direction reads only once all that was read before is written, so both sides slow one another down as if nothing
//! stood between them, and one WebSocket takes little memory.

use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cause::Cause;
use super::frames::{Head, Sender};
use super::own;
use super::rules::{Rules, Used};
use super::way::{Turn, Way};

/// How a WebSocket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Why the gate closed it; none where one of the two did.
    pub(crate) cause: Option<Cause>,
    /// Whether the client was told that it ends, and did not answer in time.
    pub(crate) lingered: bool,
    /// Bytes that the client got.
    pub(crate) bytes: u64,
}

/// Passes a WebSocket until it ends. `message` counts a message of the client where others of his count too; it says how
/// long to wait where it is one too many. `report` is told why the gate closes it, when it does. Once `stop` is cancelled,
/// both are told to come again.
pub(crate) async fn relay<C, B>(
    client: C,
    bot: B,
    rules: &Rules,
    mut message: impl FnMut() -> Result<(), Duration>,
    report: impl FnOnce(Cause),
    stop: &CancellationToken,
) -> Ended
where
    C: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (mut client_says, mut client_hears) = tokio::io::split(client);
    let (mut bot_says, mut bot_hears) = tokio::io::split(bot);
    let mut session = Session::new(rules, Instant::now());
    let mut stopped = pin!(stop.cancelled());
    let mut report = Some(report);
    while !session.is_over() {
        let (up, down) = (&mut session.up, &mut session.down);
        let due = session.clock.due(rules, up.is_writing(), down.is_writing());
        tokio::select! {
            turn = up.turn(&mut client_says, &mut bot_hears) => session.client_turn(turn, &mut message),
            turn = down.turn(&mut bot_says, &mut client_hears) => session.bot_turn(turn),
            () = stopped.as_mut(), if session.cause.is_none() => session.close(Cause::Restart),
            () = tokio::time::sleep_until(due) => session.tick(),
        }
        session.settle();
        if let Some(cause) = session.cause
            && let Some(report) = report.take()
        {
            report(cause);
        }
    }
    session.ended()
}

/// What happened when.
#[derive(Debug, Clone, Copy)]
struct Clock {
    begun: Instant,
    /// When bytes of the client were last read, or could first be read again.
    heard: Instant,
    /// When the client was asked whether it lives.
    asked: Option<Instant>,
    /// When a message was last said, by anyone.
    said: Instant,
    /// When the client last took something, or there last was something new for it.
    taken: Instant,
    /// When it is over whatever happens; set once it begins to end.
    over: Option<Instant>,
}

impl Clock {
    /// When something is next to be done.
    fn due(&self, rules: &Rules, bot_is_busy: bool, client_is_busy: bool) -> Instant {
        if let Some(over) = self.over {
            return over;
        }
        let mut due = self.said + rules.idle_time;
        if client_is_busy {
            due = due.min(self.taken + rules.stall_time());
        }
        // While the bot is slow the client is not listened to.
        if !bot_is_busy {
            due = due.min(match self.asked {
                Some(asked) => asked + rules.pong_time,
                None => self.heard + rules.ping_time,
            });
        }
        due
    }
}

#[derive(Debug)]
struct Session<'a> {
    rules: &'a Rules,
    /// From the client to the bot.
    up: Way,
    /// From the bot to the client.
    down: Way,
    used: Used,
    clock: Clock,
    cause: Option<Cause>,
    bytes: u64,
}

impl<'a> Session<'a> {
    fn new(rules: &'a Rules, now: Instant) -> Self {
        Self {
            rules,
            up: Way::from(Sender::Client),
            down: Way::from(Sender::Server),
            used: Used::default(),
            clock: Clock {
                begun: now,
                heard: now,
                asked: None,
                said: now,
                taken: now,
                over: None,
            },
            cause: None,
            bytes: 0,
        }
    }

    fn client_turn(&mut self, turn: Turn, message: &mut impl FnMut() -> Result<(), Duration>) {
        let now = Instant::now();
        self.clock.heard = now;
        self.clock.asked = None;
        if turn != Turn::Read {
            return;
        }
        let since = now.saturating_duration_since(self.clock.begun);
        let moment = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let (used, rules, said) = (&mut self.used, self.rules, &mut self.clock.said);
        let taken = self.up.take(|head: &Head| {
            if !head.opcode.is_control() {
                *said = now;
            }
            used.count(head, rules, moment, &mut *message)
        });
        if let Err(cause) = taken {
            self.close(cause);
        }
    }

    fn bot_turn(&mut self, turn: Turn) {
        let now = Instant::now();
        self.clock.taken = now;
        match turn {
            Turn::Wrote(bytes) => self.bytes += bytes as u64,
            Turn::Ended => {}
            Turn::Read => {
                let said = &mut self.clock.said;
                let taken = self.down.take(|head| {
                    if !head.opcode.is_control() {
                        *said = now;
                    }
                    Ok(())
                });
                if let Err(cause) = taken {
                    self.close(cause);
                }
            }
        }
    }

    /// Tells both that it ends, once.
    fn close(&mut self, cause: Cause) {
        if self.cause.is_some() {
            return;
        }
        self.cause = Some(cause);
        let ((for_client, for_bot), reason) = (cause.codes(), cause.reason());
        self.down.end_with(own::close(for_client, &reason));
        let mut mask = [0; 4];
        if let Err(error) = secret::fill_random(&mut mask) {
            // A mask keeps what lies between from being misled; between the gate and a bot lies nothing.
            tracing::debug!("a frame for a bot has a mask of zeros: {error}");
        }
        self.up.end_with(own::masked_close(for_bot, &reason, mask));
    }

    /// Does what the time has come for.
    fn tick(&mut self) {
        let (now, clock, rules) = (Instant::now(), self.clock, self.rules);
        if clock.over.is_some() {
            return;
        }
        if clock.said + rules.idle_time <= now {
            return self.close(Cause::Idle);
        }
        if self.down.is_writing() && clock.taken + rules.stall_time() <= now {
            self.close(Cause::Stalled);
            // What it does not read it won't read either when it is told.
            self.clock.over = Some(now);
            return;
        }
        match clock.asked {
            Some(asked) if asked + rules.pong_time <= now => self.close(Cause::Silent),
            None if clock.heard + rules.ping_time <= now => {
                if self.down.put_in(own::PING) {
                    self.clock.asked = Some(now);
                    self.clock.taken = now;
                } else {
                    // A long frame is on its way to the client; it is asked behind that.
                    self.clock.heard = now;
                }
            }
            _ => {}
        }
    }

    /// Ends what nothing can be said on any more.
    fn settle(&mut self) {
        let bot_went = self.down.ended && !self.down.is_told();
        if bot_went && !self.up.is_done() {
            self.close(Cause::BotGone);
        }
        // The bot hears the end after the gate's last words, or when there is nobody to speak.
        if self.up.is_sealed() || self.up.ended {
            self.up.finish = true;
        }
        // The server ends the connection first (section 7.1.1): once the client has answered.
        if self.down.ended || (self.down.is_sealed() && self.up.is_done()) {
            self.down.finish = true;
        }
        let ends = self.cause.is_some()
            || self.up.is_done()
            || self.down.is_done()
            || self.up.finished
            || self.down.finished;
        if ends && self.clock.over.is_none() {
            self.clock.over = Some(Instant::now() + self.rules.close_time);
        }
    }

    fn is_over(&self) -> bool {
        // What else the bot has to say would reach nobody.
        let all = self.up.is_over() && self.down.finished;
        all || self.clock.over.is_some_and(|over| over <= Instant::now())
    }

    fn ended(&self) -> Ended {
        Ended {
            cause: self.cause,
            lingered: self.down.is_told() && !self.up.is_done(),
            bytes: self.bytes,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
