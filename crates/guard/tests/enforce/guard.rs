//! Guard, but for its sockets.

use std::path::Path;
use std::sync::Arc;

use casemate_guard::core::Core;
use casemate_guard::decide::never::Never;
use casemate_guard::decide::{Engine, Reach};
use casemate_guard::keep::{self, Changes};
use casemate_guard::prefix::Prefix;
use casemate_guard::wall::Wall;
use casemate_guard::{load, rules};
use secret::Key;

use crate::kernel::socket;

/// How it is set.
#[derive(Debug, Default, Clone)]
pub(crate) struct Set {
    pub(crate) dry_run: bool,
    pub(crate) neighbours: u32,
    pub(crate) four_bits: Option<u8>,
    pub(crate) never: Vec<Prefix>,
}

pub(crate) struct Guard {
    pub(crate) core: Arc<Core>,
    writer: tokio::task::JoinHandle<()>,
}

impl Guard {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::set(folder, Set::default())
    }

    pub(crate) fn set(folder: &Path, set: Set) -> Self {
        let key = Key::new([7; 32]);
        let (path, anchor) = (folder.join("guard.redb"), folder.join("guard.anchor"));
        let store = keep::open(&path, &anchor, &key).unwrap();
        let reach = Reach {
            ipv4_bits: set.four_bits.unwrap_or(32),
            neighbours: set.neighbours,
            dry_run: set.dry_run,
        };
        let rules = rules::in_force(&[], &[]).unwrap();
        let mut engine = Engine::new(rules, reach, Never::new(set.never));
        let changes = Changes::default();
        load::load(&store, &mut engine, &[], &changes).unwrap();
        let writer = tokio::spawn(keep::run(store.clone(), changes.clone()));
        let wall = Wall::new(firewall_api::Client::new(socket(folder)));
        let core = Arc::new(Core::new(engine, wall, store, changes));
        Self { core, writer }
    }

    /// Returns once all is stored.
    pub(crate) async fn stop(self) {
        self.core.changes.close();
        self.writer.await.unwrap();
    }

    /// Has somebody guess passwords until they are banned.
    pub(crate) async fn offend(&self, client: &str) {
        let unit = Arc::from("ssh.service");
        for _ in 0..5 {
            let client = Some(client.parse().unwrap());
            let judged = self.core.judge("ssh-failed", client, &unit, 1, None);
            self.core.enforce(&judged.new).await;
        }
    }

    /// The bans that it holds.
    pub(crate) fn bans(&self) -> Vec<String> {
        let state = self.core.state();
        let mut bans: Vec<_> = state
            .engine
            .bans
            .iter()
            .map(|(prefix, _)| prefix.to_string())
            .collect();
        bans.sort();
        bans
    }
}

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse::<ipnet::IpNet>().unwrap().into()
}
