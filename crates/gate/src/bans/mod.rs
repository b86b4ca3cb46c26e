//! Refuses in process whom `guard` bans: from the moment at which it says so, and thus before the firewall can.

mod cut;
mod line;
mod table;
mod visits;

pub(crate) use cut::cut;
pub(crate) use line::Line;
pub(crate) use visits::Visit;

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use event::Change;
use event::wire::Ban;
use http::{Response, StatusCode};
use ipc::Body;
use tokio::sync::watch;

use crate::client::Proxies;
use table::{BANS_MAX, Put, Table};
use visits::Visits;

/// How long the first connection waits for the bans that are in force, in milliseconds. Beyond it the gate serves.
const LISTED_MS: u64 = 5_000;

/// Who is banned, and who is here.
#[derive(Debug)]
pub(crate) struct Bans {
    table: RwLock<Table>,
    /// How many bans there may be, so that where there are none nothing is looked up.
    count: AtomicUsize,
    visits: Arc<Visits>,
    /// A proxy stands for many, and is never refused.
    proxies: Arc<Proxies>,
    begun: Instant,
    /// Whether all bans that are in force were told once.
    listed: watch::Sender<bool>,
}

impl Bans {
    pub(crate) fn new(proxies: Arc<Proxies>) -> Self {
        Self {
            table: RwLock::new(Table::new()),
            count: AtomicUsize::new(0),
            visits: Arc::default(),
            proxies,
            begun: Instant::now(),
            listed: watch::Sender::new(false),
        }
    }

    /// From now on refuses whom it is told to by whoever listens on that socket, also when he comes later. Waits until
    /// he has said who is banned already, where he listens.
    pub(crate) async fn follow(self: &Arc<Self>, socket: &Path) {
        let (bans, proxies) = (Arc::clone(self), Arc::clone(&self.proxies));
        let spared = move |client| proxies.trusts(client);
        match event::follow(socket, spared, move |change| bans.change(change)) {
            Ok(false) => {}
            Ok(true) => {
                let mut listed = self.listed.subscribe();
                let told = listed.wait_for(|listed| *listed);
                let time = Duration::from_millis(LISTED_MS);
                if tokio::time::timeout(time, told).await.is_err() {
                    tracing::warn!(
                        "visitors are served, though guard has not said for {time:?} who is banned; until it does, only the firewall refuses them"
                    );
                }
            }
            Err(error) => {
                tracing::error!("nobody hears of security events, and nobody is banned: {error}");
            }
        }
    }

    /// Whether a client is to be refused.
    pub(crate) fn refuses(&self, client: IpAddr) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let client = client.to_canonical();
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let covered = table.covers(client, self.now());
        drop(table);
        covered && !self.proxies.trusts(client)
    }

    /// Lets a client in, or not. Whoever is banned from then on is told by his visit.
    pub(crate) fn admit(&self, client: IpAddr) -> Option<Visit> {
        // First he is here and then he is looked up: a ban finds him in one way or the other.
        let visit = Visits::enter(&self.visits, client.to_canonical());
        (!self.refuses(client)).then_some(visit)
    }

    fn change(&self, change: Change) {
        match change {
            Change::Again => self.write().list_again(),
            Change::Banned(bans) => self.ban(&bans),
            Change::Lifted(prefixes) => {
                let mut table = self.write();
                prefixes.iter().for_each(|prefix| table.lift(prefix));
                self.count.store(table.len(), Ordering::Release);
            }
            Change::Current => {
                let mut table = self.write();
                table.listed();
                self.count.store(table.len(), Ordering::Release);
                drop(table);
                self.listed.send_replace(true);
            }
        }
    }

    fn ban(&self, bans: &[Ban]) {
        let mut table = self.write();
        // Whoever was let in because a ban had ended was so before now.
        let now = self.now();
        let (mut gone, mut without_room) = (Vec::new(), 0);
        for ban in bans {
            match table.put(ban, now) {
                Put::New => gone.push(ban.prefix),
                // Whom it covers is not here.
                Put::Known => {}
                Put::NoRoom => {
                    without_room += 1;
                    gone.push(ban.prefix);
                }
            }
        }
        self.count.store(table.len(), Ordering::Release);
        drop(table);
        if without_room > 0 {
            tracing::warn!(
                "{without_room} bans are the firewall's alone: the gate keeps {BANS_MAX} at most"
            );
        }
        self.visits.send_away(&gone);
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_secs()
    }
}

/// What a banned client is told whose connection is a proxy's.
pub(crate) const REFUSAL: &str = "Requests from this address are not answered at the moment.";

/// The same as an answer.
pub(crate) fn refusal() -> Response<Body> {
    ipc::problem(StatusCode::FORBIDDEN, REFUSAL)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn banned(prefix: &str) -> Change {
        let prefix = prefix.parse().unwrap();
        Change::Banned(vec![Ban {
            prefix,
            left_s: None,
        }])
    }

    /// Whoever decides tells all bans again when he comes again: nobody is here whom they cover, and nobody looks.
    #[test]
    fn for_a_ban_that_is_known_nobody_is_looked_for() {
        let bans = Bans::new(Arc::default());
        let client = "192.0.2.7".parse::<IpAddr>().unwrap();
        bans.change(banned("192.0.2.0/24"));
        let here = Visits::enter(&bans.visits, client);
        bans.change(Change::Again);
        bans.change(banned("192.0.2.0/24"));
        bans.change(Change::Current);
        assert!(!here.token().is_cancelled());
        // One that was lifted meanwhile is new.
        bans.change(Change::Lifted(vec!["192.0.2.0/24".parse().unwrap()]));
        bans.change(banned("192.0.2.0/24"));
        assert!(here.token().is_cancelled());
    }

    #[test]
    fn a_proxy_is_never_refused() {
        let settings = daemon::parse("networks = ['10.0.0.0/8']").unwrap();
        let proxies = Proxies::new(&settings, "").unwrap();
        let bans = Bans::new(Arc::new(proxies));
        let client = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(bans.admit(client("192.0.2.7")).is_some());
        bans.change(banned("192.0.2.0/24"));
        bans.change(banned("10.0.0.0/8"));
        assert!(bans.refuses(client("192.0.2.7")));
        assert!(bans.refuses(client("::ffff:192.0.2.7")));
        assert!(bans.admit(client("192.0.2.7")).is_none());
        assert!(!bans.refuses(client("10.1.2.3")));
        assert!(bans.admit(client("10.1.2.3")).is_some());
        bans.change(Change::Lifted(vec!["192.0.2.0/24".parse().unwrap()]));
        assert!(!bans.refuses(client("192.0.2.7")));
    }
}
