//! A stand-in for the firewall: it keeps bans, and fails as it is told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use firewall_api::{Applied, Ban, Generation, Header, Refused, Standing, State, Unban, Why};
use http::{Method, StatusCode};
use ipc::Limits;
use sandbox::Confined;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

/// What the firewall's stand-in has, and what it does not take.
#[derive(Debug, Default)]
pub(crate) struct Kernel {
    pub(crate) generation: u64,
    pub(crate) bans: BTreeMap<String, u32>,
    pub(crate) own: Option<IpAddr>,
    /// So many calls that put bans are refused, for want of memory.
    pub(crate) failing: usize,
    /// No call is answered.
    pub(crate) hung: bool,
}

pub(crate) type Shared = Arc<Mutex<Kernel>>;

pub(crate) fn socket(folder: &Path) -> PathBuf {
    folder.join("firewall.sock")
}

pub(crate) fn in_kernel(kernel: &Shared) -> Vec<String> {
    kernel.lock().unwrap().bans.keys().cloned().collect()
}

pub(crate) fn lose_all(kernel: &Shared) {
    let mut kernel = kernel.lock().unwrap();
    kernel.generation += 1;
    kernel.bans.clear();
}

/// Listens until what it gives is cancelled.
pub(crate) fn stand_in(confined: &Confined, folder: &Path, kernel: &Shared) -> CancellationToken {
    let (confined, kernel) = (confined.clone(), Arc::clone(kernel));
    let _ = std::fs::remove_file(socket(folder));
    let listener = UnixListener::bind(socket(folder)).unwrap();
    let drain = CancellationToken::new();
    let ended = drain.clone();
    tokio::spawn(async move {
        let answer = move |_, request| {
            let kernel = Arc::clone(&kernel);
            async move { answer(&kernel, request).await }
        };
        ipc::serve(&confined, listener, Limits::default(), ended, answer).await;
    });
    drain
}

async fn answer(kernel: &Shared, request: ipc::Request) -> ipc::Response {
    if kernel.lock().unwrap().hung {
        std::future::pending::<()>().await;
    }
    let generation = Generation(kernel.lock().unwrap().generation);
    let method = request.method().clone();
    if request.uri().path() == firewall_api::STATE_PATH {
        let state = State {
            generation,
            bans: kernel.lock().unwrap().bans.len(),
            blocks: Vec::new(),
            tcp: Vec::new(),
            udp: Vec::new(),
            closed_packets: 0,
            restored: 0,
        };
        return ipc::json(StatusCode::OK, &state);
    }
    if method == Method::GET {
        return listed(&kernel.lock().unwrap(), generation);
    }
    let body = ipc::read_body(request.into_body(), 1 << 20, Duration::from_secs(1))
        .await
        .unwrap();
    let mut kernel = kernel.lock().unwrap();
    if method == Method::POST && kernel.failing > 0 {
        kernel.failing -= 1;
        return ipc::problem(StatusCode::SERVICE_UNAVAILABLE, "no memory");
    }
    ipc::json(
        StatusCode::OK,
        &changed(&mut kernel, &method, &body, generation),
    )
}

fn listed(kernel: &Kernel, generation: Generation) -> ipc::Response {
    let mut lines = serde_json::to_string(&Header { generation }).unwrap() + "\n";
    for (prefix, seconds) in &kernel.bans {
        let standing = Standing {
            prefix: prefix.parse().unwrap(),
            seconds: *seconds,
            packets: 0,
            bytes: 0,
        };
        lines += &serde_json::to_string(&standing).unwrap();
        lines.push('\n');
    }
    ipc::Response::new(ipc::full(lines))
}

fn changed(kernel: &mut Kernel, method: &Method, body: &[u8], generation: Generation) -> Applied {
    let (mut refused, mut changed) = (Vec::new(), 0);
    if method == Method::POST {
        for ban in serde_json::from_slice::<Vec<Ban>>(body).unwrap() {
            if kernel.own.is_some_and(|own| ban.prefix.has(own)) {
                let (prefix, why) = (ban.prefix, Why::Own);
                refused.push(Refused { prefix, why });
            } else {
                changed += 1;
                let seconds = kernel.bans.entry(ban.prefix.net().to_string()).or_default();
                *seconds = ban.seconds.max(*seconds);
            }
        }
    } else {
        for ban in serde_json::from_slice::<Vec<Unban>>(body).unwrap() {
            changed += usize::from(kernel.bans.remove(&ban.prefix.net().to_string()).is_some());
        }
    }
    Applied {
        generation,
        changed,
        refused_count: refused.len(),
        refused,
    }
}
