//! Takes events from services, judges them, and answers once the kernel has what follows.

#[cfg(test)]
mod tests;
mod units;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use event::wire::{Answer, Ban as Told, Message, Report};
use event::{Connection, Event, Packet, Peer, ReceiveError, Receiver, UnitError};
use guard_api::Ban;
use sandbox::Confined;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::core::{Core, Judgement};
use crate::keep::Ticket;
use crate::listen::units::Units;
use crate::{kinds, policy};

/// Connections at once, of all units.
const CONNECTIONS: usize = 256;

/// Reports that are judged before the kernel is asked, where so many wait.
const REPORTS_A_TURN: usize = 64;

/// How long somebody may leave an answer unread.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// How long whoever told of a deed waits for its ban to be stored. Without that it is answered all the same: a store that
/// fails is said to operators.
const STORED_TIME: Duration = Duration::from_millis(100);

/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `drain` is cancelled. Events that come later wait in the socket for the next process.
pub async fn serve(
    _confined: &Confined,
    core: Arc<Core>,
    receiver: Receiver,
    drain: CancellationToken,
) {
    let (places, units) = (
        Arc::new(Semaphore::new(CONNECTIONS)),
        Arc::new(Units::default()),
    );
    // What is under way is done before this ends, so that all of it is stored.
    let lines = TaskTracker::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            () = drain.cancelled() => break,
            accepted = receiver.accept() => accepted,
        };
        let (connection, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("events wait, since a connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let peer = match peer {
            Ok(peer) => peer,
            // A program that runs and ends may be gone before this is reached. What it said is in the journal.
            Err(UnitError::Ended) => {
                tracing::debug!("what a process that has ended told is left out");
                continue;
            }
            Err(error) => {
                forged(&core, "?", &error.to_string());
                continue;
            }
        };
        let Some(unit_place) = units.take(&peer.unit) else {
            tracing::warn!(unit = %peer.unit, "it has too many connections for events, so one was closed");
            continue;
        };
        let (core, drain) = (Arc::clone(&core), drain.clone());
        lines.spawn(async move {
            let served = Line::new(core, connection, peer).serve(drain).await;
            if let Err(error) = served {
                tracing::debug!("a connection for events ended: {error}");
            }
            drop((place, unit_place));
        });
    }
    lines.close();
    lines.wait().await;
}

/// Something that nobody believes is itself something that was seen.
fn forged(core: &Core, unit: &str, reason: &str) {
    event::report(&Event::EventForged { unit, reason });
    let unit = Arc::from(unit);
    core.judge(kinds::FORGED, None, &unit, 1, None);
    core.state().forged += 1;
}

/// One connection.
struct Line {
    core: Arc<Core>,
    connection: Connection,
    unit: Arc<str>,
    bans: Option<broadcast::Receiver<Arc<Answer>>>,
    /// It missed something, and has to begin anew.
    behind: bool,
}

/// What came of one report.
struct Judged {
    sequence: u64,
    ban: Option<Told>,
    new: Vec<Ban>,
    ticket: Option<Ticket>,
}

impl Line {
    fn new(core: Arc<Core>, connection: Connection, peer: Peer) -> Self {
        Self {
            core,
            connection,
            unit: peer.unit.into(),
            bans: None,
            behind: false,
        }
    }

    async fn serve(mut self, drain: CancellationToken) -> Result<(), ReceiveError> {
        let mut packet = Packet::default();
        loop {
            tokio::select! {
                () = drain.cancelled() => return Ok(()),
                message = self.connection.next(&mut packet) => match message {
                    Ok(None) => return Ok(()),
                    Ok(Some(Message::Follow)) => self.follow().await?,
                    Ok(Some(Message::Report(report))) => {
                        let first = judge(&self.core, &self.unit, &report);
                        self.reports(first).await?;
                        if self.behind {
                            return Ok(());
                        }
                    }
                    Err(error) => return self.refuse(error),
                },
                told = next(&mut self.bans) => match told {
                    Some(answer) => self.send(&answer).await?,
                    // It is too far behind, and begins anew with another connection.
                    None => return Ok(()),
                },
            }
        }
    }

    fn refuse(&self, error: ReceiveError) -> Result<(), ReceiveError> {
        if let ReceiveError::Wire(wrong) = &error {
            forged(&self.core, &self.unit, &wrong.to_string());
        }
        Err(error)
    }

    async fn follow(&mut self) -> Result<(), ReceiveError> {
        if !policy::may_follow(&self.unit) {
            forged(&self.core, &self.unit, "it asked to be told of every ban");
            return Ok(());
        }
        let (now, later) = self.core.follow();
        for answer in &now {
            self.send(answer).await?;
        }
        self.bans = Some(later);
        Ok(())
    }

    /// Judges what waits, asks the kernel once for all, and answers.
    async fn reports(&mut self, first: Judged) -> Result<(), ReceiveError> {
        let mut judged = vec![first];
        let mut packet = Packet::default();
        let mut follow = false;
        let mut ended = None;
        while judged.len() < REPORTS_A_TURN && !follow {
            match self.connection.try_next(&mut packet) {
                Ok(Some(Message::Report(report))) => {
                    judged.push(judge(&self.core, &self.unit, &report));
                }
                Ok(Some(Message::Follow)) => follow = true,
                Ok(None) => break,
                Err(error) => {
                    ended = Some(error);
                    break;
                }
            }
        }
        let new: Vec<_> = judged
            .iter_mut()
            .flat_map(|judged| judged.new.drain(..))
            .collect();
        if !new.is_empty() {
            let ticket = judged.iter().filter_map(|judged| judged.ticket).max();
            self.apply(&new, ticket).await?;
        }
        let last = judged.last().map(|judged| judged.sequence);
        for Judged { sequence, ban, .. } in judged {
            // An answer is for all before it too.
            if ban.is_some() || Some(sequence) == last {
                self.send(&Answer::Judged { sequence, ban }).await?;
            }
        }
        match ended {
            Some(error) => self.refuse(error),
            None if follow => self.follow().await,
            None => Ok(()),
        }
    }

    /// Has bans in force and stored. Whoever follows on this connection hears of them first, and goes on hearing while
    /// the firewall makes it wait.
    async fn apply(&mut self, new: &[Ban], ticket: Option<Ticket>) -> Result<(), ReceiveError> {
        let core = Arc::clone(&self.core);
        let work = async {
            core.enforce(new).await;
            if let Some(ticket) = ticket {
                core.changes.is_stored(ticket, STORED_TIME).await;
            }
        };
        tokio::pin!(work);
        // The firewall is asked before anybody is told: the way to the kernel is the longest.
        let done = tokio::select! {
            biased;
            () = &mut work => true,
            () = tokio::task::yield_now() => false,
        };
        loop {
            let told = tokio::select! {
                biased;
                told = next(&mut self.bans) => told,
                () = &mut work, if !done => return Ok(()),
                () = std::future::ready(()), if done => return Ok(()),
            };
            match told {
                Some(answer) => self.send(&answer).await?,
                // It is too far behind; the connection ends after the answers.
                None => {
                    self.bans = None;
                    self.behind = true;
                }
            }
        }
    }

    async fn send(&self, answer: &Answer) -> Result<(), ReceiveError> {
        if self.connection.try_send(answer)? {
            return Ok(());
        }
        let sent = tokio::time::timeout(ANSWER_TIME, self.connection.send(answer)).await;
        sent.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }
}

async fn next(bans: &mut Option<broadcast::Receiver<Arc<Answer>>>) -> Option<Arc<Answer>> {
    match bans {
        Some(bans) => bans.recv().await.ok(),
        None => std::future::pending().await,
    }
}

fn judge(core: &Core, unit: &Arc<str>, report: &Report<'_>) -> Judged {
    let sequence = report.sequence;
    let (kind, client): (_, Option<IpAddr>) = (report.event.kind(), report.event.client());
    let judgement = if policy::may_say(unit, kind) {
        if report.lost > 0 {
            tracing::warn!(%unit, lost = report.lost, "events could not be kept by their sender, and counted for nobody");
        }
        core.judge(kind.name(), client, unit, report.count, None)
    } else {
        forged(core, unit, &format!("it may not say {}", kind.name()));
        Judgement::default()
    };
    Judged {
        sequence,
        ban: judgement.ban,
        new: judgement.new,
        ticket: judgement.ticket,
    }
}
