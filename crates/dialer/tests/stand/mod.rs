//! A dialer with a caller's socket, and listeners that it may be told to reach.

use std::future::Future;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use casemate_dialer::config::Reach;
use casemate_dialer::resolve::Resolver;
use casemate_dialer::serve::{Dialer, serve};
use dialer_api::Client;
use sandbox::Plan;
use tokio_util::sync::CancellationToken;

/// How many listeners there are.
pub(crate) const LISTENERS: usize = 2;

const HOSTS: &str = "127.0.0.1 inner.example\n127.0.0.9 twice.example\n127.0.0.1 twice.example\n\
                     169.254.169.254 metadata.example\n";

pub(crate) struct Stand {
    folder: tempfile::TempDir,
    pub(crate) listeners: Vec<TcpListener>,
    reaches: Vec<Reach>,
}

pub(crate) fn reach(unit: &str, host: &str, ports: &[u16], private: bool) -> Reach {
    Reach {
        unit: unit.to_owned(),
        host: host.parse().unwrap(),
        ports: ports.to_vec(),
        private,
    }
}

impl Stand {
    pub(crate) fn new(reaches: impl FnOnce(&[u16]) -> Vec<Reach>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hosts"), HOSTS).unwrap();
        std::fs::write(folder.path().join("resolv.conf"), "# none\n").unwrap();
        let listeners: Vec<TcpListener> = (0..LISTENERS)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let reaches = reaches(&ports(&listeners));
        Self {
            folder,
            listeners,
            reaches,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("dialer.sock")
    }

    /// Runs a caller, `llm`, against a dialer on a thread confined as in service.
    pub(crate) fn served<F, Fut, T>(&self, caller: F) -> T
    where
        F: FnOnce(Client, Vec<u16>) -> Fut + Send,
        Fut: Future<Output = T>,
        T: Send,
    {
        let folder = self.folder.path();
        let plan = Plan::new()
            .internet()
            .read(folder)
            .bind(folder)
            .connect(folder);
        let dialer = Arc::new(Dialer::new(
            self.reaches.clone(),
            Resolver::of(folder.join("resolv.conf"), folder.join("hosts"), 53),
        ));
        testkit::confined_with(&plan, |confined| async move {
            let listener = tokio::net::UnixListener::bind(self.socket()).unwrap();
            let drain = CancellationToken::new();
            let serving = serve(dialer, &confined, "llm".to_owned(), listener, drain.clone());
            let calling = async {
                let value = caller(Client::new(self.socket()), ports(&self.listeners)).await;
                drain.cancel();
                value
            };
            tokio::join!(serving, calling).1
        })
    }
}

fn ports(listeners: &[TcpListener]) -> Vec<u16> {
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}
