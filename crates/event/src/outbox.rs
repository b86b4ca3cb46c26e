//! Pure: which reports are sent when, and what is kept until they are judged.
//!
//! At most [`UNDER_WAY_MAX`] reports are on their way at once. What is seen meanwhile is merged by kind and client, so
//! a flood takes as much memory as it has clients, and at most [`WAITING_MAX`] of these.

mod fresh;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use crate::wire::{MESSAGE_BYTES, Message, Report};
use crate::{ClientKey, Event, Kind};
use fresh::Fresh;

/// Reports on their way at once. A socket's buffer has room for about as many.
pub(crate) const UNDER_WAY_MAX: usize = 128;

/// Kinds and clients that are told apart while nothing can be sent. Of others only the number is told.
pub(crate) const WAITING_MAX: usize = 4096;

/// What is told apart. All addresses of an IPv6 network of 64 bits are one client, so that nobody takes all places.
type Key = (Kind, Option<ClientKey>);

/// One report, and who waits for its judgement: `W` is dropped with it.
#[derive(Debug)]
struct Kept<W> {
    counted: Fresh,
    /// The first, in the encoding of the wire.
    event: Box<[u8]>,
    waiters: Vec<W>,
}

/// Everything that was seen and not yet judged.
#[derive(Debug)]
pub(crate) struct Outbox<W> {
    /// Sent, in the order of their sequence.
    under_way: VecDeque<(u64, Key, Kept<W>)>,
    waiting: HashMap<Key, Kept<W>>,
    order: VecDeque<Key>,
    /// The sequence of the last report of this connection.
    last: u64,
    lost: u32,
    /// Of `lost`, what the report under that sequence tells.
    told: Option<(u64, u32)>,
    /// The second in which room was last made.
    cleared: Option<u64>,
}

impl<W> Outbox<W> {
    pub(crate) fn new() -> Self {
        Self {
            under_way: VecDeque::new(),
            waiting: HashMap::new(),
            order: VecDeque::new(),
            last: 0,
            lost: 0,
            told: None,
            cleared: None,
        }
    }

    /// Takes an event in. It is sent by [`Self::next`].
    pub(crate) fn put(&mut self, event: &Event<'_>, now: u64) {
        let key = (event.kind(), event.client().map(ClientKey::of));
        if let Some(kept) = self.waiting.get_mut(&key)
            && kept.counted.count(now) > 0
        {
            kept.counted.add(now);
            return;
        }
        let encoded = postcard::to_allocvec(event);
        let Ok(encoded) = encoded else { return };
        if let Some(kept) = self.waiting.get_mut(&key) {
            // What was seen before is too old to be told.
            kept.counted = Fresh::one(now);
            kept.event = encoded.into();
            return;
        }
        // Once a second: it looks at all that waits.
        if self.waiting.len() >= WAITING_MAX && self.cleared != Some(now) {
            self.cleared = Some(now);
            self.drop_stale(now);
        }
        if self.waiting.len() >= WAITING_MAX {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        let kept = Kept {
            counted: Fresh::one(now),
            event: encoded.into(),
            waiters: Vec::new(),
        };
        self.waiting.insert(key, kept);
        self.order.push_back(key);
    }

    /// Whether there is something to send, and room on the way.
    pub(crate) fn has_next(&self) -> bool {
        !self.order.is_empty() && self.under_way.len() < UNDER_WAY_MAX
    }

    /// The next report to send, as a packet; from then on it is on its way. None where there is nothing, or as much on
    /// its way as may be.
    pub(crate) fn next<'p>(
        &mut self,
        now: u64,
        room: &'p mut [u8; MESSAGE_BYTES],
    ) -> Option<&'p [u8]> {
        while self.has_next() {
            let key = self.order.pop_front()?;
            let Some(kept) = self.waiting.remove(&key) else {
                continue;
            };
            let count = kept.counted.count(now);
            if count == 0 {
                continue;
            }
            let Ok(event) = postcard::from_bytes(&kept.event) else {
                continue;
            };
            let lost = if self.told.is_none() { self.lost } else { 0 };
            let sequence = self.last + 1;
            let report = Report {
                sequence,
                count,
                lost,
                event,
            };
            let length = match Message::Report(report).encode(room) {
                Ok(packet) => packet.len(),
                Err(_) => continue,
            };
            self.last = sequence;
            if lost > 0 {
                self.told = Some((sequence, lost));
            }
            self.under_way.push_back((sequence, key, kept));
            return Some(&room[..length]);
        }
        None
    }

    /// The last report could not be sent: it waits again, before all others.
    pub(crate) fn take_back(&mut self) {
        if let Some((sequence, key, kept)) = self.under_way.pop_back() {
            self.last -= 1;
            if self.told.is_some_and(|(telling, _)| telling == sequence) {
                self.told = None;
            }
            self.wait_again(key, kept);
        }
    }

    /// All reports to that sequence were judged. Nothing hangs on them any more.
    pub(crate) fn judged(&mut self, sequence: u64) {
        while self
            .under_way
            .front()
            .is_some_and(|(sent, ..)| *sent <= sequence)
        {
            self.under_way.pop_front();
        }
        if let Some((telling, lost)) = self.told
            && telling <= sequence
        {
            self.lost -= lost;
            self.told = None;
        }
    }

    /// The connection broke: what was not judged is to be sent again, on the next one.
    pub(crate) fn broken(&mut self) {
        while !self.under_way.is_empty() {
            self.take_back();
        }
        self.last = 0;
    }

    /// Forgets what is too old to be told.
    pub(crate) fn drop_stale(&mut self, now: u64) {
        self.waiting.retain(|_, kept| kept.counted.count(now) > 0);
        let waiting = &self.waiting;
        self.order.retain(|key| waiting.contains_key(key));
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }

    /// Hangs a waiter on all reports about a client; none where all about him is judged. `make` is called where
    /// there is one.
    pub(crate) fn wait<R>(&mut self, client: IpAddr, make: impl FnOnce() -> (W, R)) -> Option<R>
    where
        W: Clone,
    {
        let client = Some(ClientKey::of(client));
        let kinds = Kind::ALL.map(|kind| (kind, client));
        let mut sent = self.under_way.iter().map(|(_, key, _)| key);
        let waits = |key| self.waiting.contains_key(key);
        if !sent.any(|key| key.1 == client) && !kinds.iter().any(waits) {
            return None;
        }
        let (waiter, result) = make();
        for key in &kinds {
            if let Some(kept) = self.waiting.get_mut(key) {
                kept.waiters.push(waiter.clone());
            }
        }
        // On each that is on its way, and not on the last alone: where the connection breaks and more of the same is
        // seen, they are not told again in their order.
        for (_, key, kept) in &mut self.under_way {
            if key.1 == client {
                kept.waiters.push(waiter.clone());
            }
        }
        Some(result)
    }

    fn wait_again(&mut self, key: Key, mut kept: Kept<W>) {
        if let Some(later) = self.waiting.get_mut(&key) {
            // More of the same was seen meanwhile; this one was the first.
            kept.counted.merge(later.counted);
            kept.waiters.append(&mut later.waiters);
            *later = kept;
            return;
        }
        // Room is kept for what was on its way, beyond what may wait.
        self.waiting.insert(key, kept);
        self.order.push_front(key);
    }
}

#[cfg(test)]
mod tests;
