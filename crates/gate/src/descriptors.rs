//! How the descriptors that this process may open are shared out.
//!
//! Without any left, nothing could be told either, not even the service manager that all is well, and its watchdog would
//! end a gate that serves thousands. So visitors' connections have their part, and connections to bots have what is left: one
//! for each request that is being answered and for each WebSocket.

use rustix::process::{Resource, getrlimit};

/// Descriptors for everything else: listeners, runtimes, certificates that are read anew, connections that are refused,
/// unused ones to bots, the journal, the service manager.
const RESERVE: u64 = 1024;

/// Of four others, how many may be visitors' connections: idle ones must leave room for answers.
const CONNECTIONS_OF_FOUR: u64 = 3;

/// What there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Visitors' connections at once.
    pub(crate) connections: usize,
    /// Requests that are being answered at once, and WebSockets.
    pub(crate) answers: usize,
}

impl Room {
    /// For as many of the connections that `connections` allows as this process may open. Says so where it is fewer.
    pub(crate) fn of_process(connections: usize) -> Self {
        let Some(limit) = getrlimit(Resource::Nofile).current else {
            return Self {
                connections,
                answers: tokio::sync::Semaphore::MAX_PERMITS,
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
        let all = limit.saturating_sub(RESERVE).max(2);
        let most = (all / 4 * CONNECTIONS_OF_FOUR).max(1);
        let connections = most.min(connections as u64);
        let whole = |count: u64| usize::try_from(count).unwrap_or(usize::MAX >> 3);
        Self {
            connections: whole(connections),
            answers: whole(all - connections),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_units_limit_has_room_for_the_most_that_can_be_set() {
        let shared = |connections, limit| {
            let room = Room::within(connections, limit);
            (room.connections, room.answers)
        };
        assert_eq!(shared(15_000, 32_768), (15_000, 16_744));
        assert_eq!(shared(10_500, 20_000), (10_500, 8476));
        assert_eq!(shared(8192, 4096), (2304, 768));
        assert_eq!(shared(100, 64), (1, 1));
    }

    proptest! {
        #[test]
        fn they_always_fit(connections in 1..100_000_usize, limit in 1026..u64::MAX) {
            let room = Room::within(connections, limit);
            prop_assert!((1..=connections).contains(&room.connections) && room.answers > 0);
            prop_assert!((room.connections as u64).saturating_add(room.answers as u64) <= limit - RESERVE);
        }
    }
}
