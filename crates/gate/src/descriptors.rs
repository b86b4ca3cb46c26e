//! How the descriptors that this process may open are shared out.
//!
//! Without any left, nothing could be told either, not even the service manager that all is well, and its watchdog would
//! end a gate that serves thousands. So visitors' connections have their part, and connections to bots have what is left: one
//! for each request that is being answered and for each WebSocket, but for answers that may take long, which share theirs.

use ipc::STREAMS_PER_CONNECTION;
use rustix::process::{Resource, getrlimit};
use tokio::sync::Semaphore;

/// Descriptors for everything else: listeners, runtimes, certificates that are read anew, connections that are refused,
/// unused ones to bots, the journal, the service manager.
const RESERVE: u64 = 1024;

/// Of four others, how many may be visitors' connections: idle ones must leave room for answers.
const CONNECTIONS_OF_FOUR: u64 = 3;

/// Of how many others one may be a connection that answers share. With 128 on each that is four times what they need, as
/// each thread has its own for each bot, and visitors who leave do so from all of them.
const LINES_ONE_OF: u64 = 32;

/// Answers that share connections, for each visitor's connection: each may ask something beside an answer that takes long.
/// They take memory, for which the unit's `MemoryMax=` has room.
const STREAMS_EACH: usize = 2;

/// As many of them there may be at least.
const STREAMS_FLOOR: usize = 1024;

/// What there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Visitors' connections at once.
    pub(crate) connections: usize,
    /// Requests that are being answered at once over a connection of their own, and WebSockets.
    pub(crate) answers: usize,
    /// Requests that are being answered at once and share connections.
    pub(crate) streams: usize,
    /// Connections that they share.
    pub(crate) lines: usize,
}

impl Room {
    /// For as many of the connections that `connections` allows as this process may open. Says so where it is fewer.
    pub(crate) fn of_process(connections: usize) -> Self {
        let Some(limit) = getrlimit(Resource::Nofile).current else {
            return Self {
                connections,
                answers: Semaphore::MAX_PERMITS,
                streams: streams(connections),
                lines: Semaphore::MAX_PERMITS,
            };
        };
        let room = Self::within(connections, limit);
        if room.connections < connections {
            tracing::warn!(
                "`connections` is {connections}, and this process may open {limit} descriptors: {} are served at once, and \
                 more are told to come again; a greater LimitNOFILE= gives more",
                room.connections
            );
        }
        room
    }

    /// Shares out `limit` descriptors; there is room for one of each at least.
    fn within(connections: usize, limit: u64) -> Self {
        let all = limit.saturating_sub(RESERVE).max(3);
        let lines = (all / LINES_ONE_OF).max(1);
        let most = (all / 4 * CONNECTIONS_OF_FOUR).max(1);
        let taken = most.min(connections as u64);
        let whole = |count: u64| {
            usize::try_from(count).map_or(Semaphore::MAX_PERMITS, |count| {
                count.min(Semaphore::MAX_PERMITS)
            })
        };
        let connections = whole(taken);
        let fit = lines.saturating_mul(u64::from(STREAMS_PER_CONNECTION));
        Self {
            connections,
            answers: whole(all - taken - lines),
            streams: streams(connections).min(whole(fit)),
            lines: whole(lines),
        }
    }
}

/// Requests that are being answered at once and share connections, beside so many visitors' connections.
fn streams(connections: usize) -> usize {
    let streams = connections.saturating_mul(STREAMS_EACH);
    streams.clamp(STREAMS_FLOOR, Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_units_limit_has_room_for_the_most_that_can_be_set() {
        let shared = |connections, limit| {
            let room = Room::within(connections, limit);
            (room.connections, room.answers, room.streams, room.lines)
        };
        assert_eq!(shared(15_000, 32_768), (15_000, 15_752, 30_000, 992));
        assert_eq!(shared(10_500, 20_000), (10_500, 7883, 21_000, 593));
        assert_eq!(shared(8192, 4096), (2304, 672, 4608, 96));
        assert_eq!(shared(100, 64), (1, 1, 128, 1));
    }

    proptest! {
        #[test]
        fn they_always_fit(connections in 1..100_000_usize, limit in 1027..u64::MAX) {
            let room = Room::within(connections, limit);
            prop_assert!((1..=connections).contains(&room.connections));
            prop_assert!(room.answers > 0 && room.streams > 0 && room.lines > 0);
            let all = [room.connections, room.answers, room.lines].map(|part| part as u64);
            prop_assert!(all.into_iter().fold(0, u64::saturating_add) <= limit - RESERVE);
        }
    }
}
