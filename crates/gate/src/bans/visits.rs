//! Who is here, so that whoever is banned can be told to go at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event::wire::Ban;
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use super::table::Table;

/// How long a connection of somebody who is banned may take to be closed.
const GONE_TIME: Duration = Duration::from_secs(5);

/// All who are here, by address. How many may be is bounded by the gate's connections and their streams.
#[derive(Debug, Default)]
pub(crate) struct Visits(Mutex<Here>);

#[derive(Debug, Default)]
struct Here {
    clients: HashMap<IpAddr, Client>,
    /// Tells a client who came again from one who was sent away.
    next: u64,
}

#[derive(Debug)]
struct Client {
    number: u64,
    visits: usize,
    banned: CancellationToken,
}

/// A connection or a request of a client who is here. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Visit {
    visits: Arc<Visits>,
    client: IpAddr,
    number: u64,
    banned: CancellationToken,
}

impl Visits {
    /// One more of a client.
    pub(crate) fn enter(visits: &Arc<Self>, client: IpAddr) -> Visit {
        let mut here = visits.here();
        let next = here.next;
        here.next += 1;
        let entry = here.clients.entry(client).or_insert_with(|| Client {
            number: next,
            visits: 0,
            banned: CancellationToken::new(),
        });
        entry.visits += 1;
        Visit {
            client,
            number: entry.number,
            banned: entry.banned.clone(),
            visits: Arc::clone(visits),
        }
    }

    /// Sends all of some prefixes away, in one pass over those who are here.
    pub(crate) fn send_away(&self, prefixes: &[IpNet]) {
        if prefixes.is_empty() {
            return;
        }
        let (single, wide): (Vec<&IpNet>, Vec<&IpNet>) = prefixes
            .iter()
            .partition(|prefix| prefix.prefix_len() == prefix.max_prefix_len());
        let mut covered = Table::new();
        for prefix in &wide {
            let (prefix, left_s) = (**prefix, None);
            covered.put(&Ban { prefix, left_s }, 0);
        }
        let mut here = self.here();
        let mut gone: Vec<Client> = Vec::new();
        for prefix in single {
            gone.extend(here.clients.remove(&prefix.addr()));
        }
        if !wide.is_empty() {
            let all = here
                .clients
                .extract_if(|client, _| covered.covers(*client, 0));
            gone.extend(all.map(|(_, client)| client));
        }
        drop(here);
        for client in gone {
            client.banned.cancel();
        }
    }

    fn here(&self) -> MutexGuard<'_, Here> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visit {
    /// Ends when the client is banned.
    pub(crate) async fn banned(&self) {
        self.banned.cancelled().await;
    }

    /// For a client who is refused on a connection of his own: ends when it should have been closed long ago. Until then
    /// it is not answered there, as whoever watches it closes it.
    pub(crate) async fn gone(&self) {
        self.banned().await;
        tokio::time::sleep(GONE_TIME).await;
    }

    /// What is cancelled when the client is banned.
    pub(crate) fn token(&self) -> CancellationToken {
        self.banned.clone()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut here = self.visits.here();
        let Some(client) = here.clients.get_mut(&self.client) else {
            return;
        };
        if client.number == self.number {
            client.visits -= 1;
            if client.visits == 0 {
                here.clients.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_is_banned_is_told_and_nobody_else() {
        let visits = Arc::new(Visits::default());
        let enter = |text: &str| Visits::enter(&visits, text.parse().unwrap());
        let (one, again, other) = (enter("192.0.2.1"), enter("192.0.2.1"), enter("192.0.2.2"));
        let v6 = enter("2001:db8:1:2::3");
        visits.send_away(&["192.0.2.1/32".parse().unwrap()]);
        assert!(one.token().is_cancelled() && again.token().is_cancelled());
        assert!(!other.token().is_cancelled());
        visits.send_away(&["2001:db8:1::/48".parse().unwrap()]);
        assert!(v6.token().is_cancelled() && !other.token().is_cancelled());
        // Whoever comes again has a new visit, which the old one's end does not touch.
        let later = enter("192.0.2.1");
        assert!(!later.token().is_cancelled());
        drop((one, again));
        visits.send_away(&["192.0.2.0/24".parse().unwrap()]);
        assert!(later.token().is_cancelled() && other.token().is_cancelled());
        drop((later, other, v6));
        let left = enter("192.0.2.1");
        assert_eq!(visits.here().clients.len(), 1);
        drop(left);
        assert!(visits.here().clients.is_empty());
    }

    proptest! {
        /// All who are covered are told to go, whatever the lengths of the prefixes, and nobody else.
        #[test]
        fn it_is_as_each_prefix_by_itself(
            here in proptest::collection::vec((0_u32..16, any::<bool>()), 0..20),
            banned in proptest::collection::vec((0_u32..16, 28_u8..=32, any::<bool>()), 0..6),
        ) {
            let address = |number: u32, is_v4| match is_v4 {
                true => IpAddr::from(Ipv4Addr::from(number)),
                false => Ipv6Addr::from(u128::from(number) << 96).into(),
            };
            let visits = Arc::new(Visits::default());
            let here: Vec<_> = here
                .into_iter()
                .map(|(number, is_v4)| Visits::enter(&visits, address(number, is_v4)))
                .collect();
            let prefix = |(number, length, is_v4)| IpNet::new_assert(address(number, is_v4), length).trunc();
            let banned: Vec<IpNet> = banned.into_iter().map(prefix).collect();
            visits.send_away(&banned);
            for visit in &here {
                let is_banned = banned.iter().any(|prefix| prefix.contains(&visit.client));
                prop_assert_eq!(visit.token().is_cancelled(), is_banned);
            }
        }
    }
}
