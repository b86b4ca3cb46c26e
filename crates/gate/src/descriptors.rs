//! How many connections fit into the descriptors that this process may open.
//!
//! Without any left, nothing could be told either, not even the service manager that all is well, and its watchdog would
//! end a gate that serves thousands.

use rustix::process::{Resource, getrlimit};

/// Descriptors that one visitor takes: his connection, and the one to his bot.
const EACH: u64 = 2;

/// Descriptors for everything else: listeners, runtimes, certificates that are read anew, connections that are refused,
/// unused ones to bots, the journal, the service manager.
const RESERVE: u64 = 1024;

/// How many connections are served of those that `connections` allows. Says so where it is fewer.
pub(crate) fn served(connections: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let served = limit.map_or(connections, |limit| within(connections, limit));
    if served < connections {
        let limit = limit.unwrap_or_default();
        let needed = EACH * connections as u64 + RESERVE;
        tracing::warn!(
            "`connections` is {connections}, and this process may open {limit} descriptors: {served} are served at once, \
             and more are told to come again; LimitNOFILE={needed} would do for all"
        );
    }
    served
}

/// How many connections `limit` descriptors are enough for; one at least.
fn within(connections: usize, limit: u64) -> usize {
    let fit = limit.saturating_sub(RESERVE) / EACH;
    usize::try_from(fit).map_or(connections, |fit| connections.min(fit).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_units_limit_is_enough_for_the_most_that_can_be_set() {
        assert_eq!(within(15_000, 32_768), 15_000);
        assert_eq!(within(8192, 20_000), 8192);
        assert_eq!(within(12_000, 20_000), 9488);
        assert_eq!(within(100, 64), 1);
    }

    proptest! {
        #[test]
        fn they_always_fit(connections in 1..100_000_usize, limit in 1026..u64::MAX) {
            let served = within(connections, limit);
            prop_assert!((1..=connections).contains(&served));
            prop_assert!(EACH * served as u64 + RESERVE <= limit);
        }
    }
}
