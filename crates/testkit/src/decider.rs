//! A stand-in for whoever decides on bans: it speaks the contract's wire and decides as a test says.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event::wire::{Answer, Ban, Message};
use event::{Connection, Packet, ReceiveError, Receiver};
use ipnet::IpNet;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::UnixListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;

/// Changes that a follower may be behind.
const BEHIND_MAX: usize = 1024;

/// What was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The event's name.
    pub name: &'static str,
    /// Who caused it.
    pub client: Option<IpAddr>,
    /// How many there were.
    pub count: u32,
    /// What the journal says of it.
    pub said: String,
}

type Judge = Box<dyn FnMut(&Told) -> Option<Ban> + Send>;

struct State {
    told: Vec<Told>,
    bans: Vec<Ban>,
    judge: Judge,
}

/// A socket on which somebody will listen.
#[derive(Debug)]
pub struct Bound(std::os::unix::net::UnixListener);

/// It listens until it is dropped.
pub struct Decider {
    state: Arc<Mutex<State>>,
    changes: broadcast::Sender<Answer>,
    mute: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl std::fmt::Debug for Decider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decider")
    }
}

impl Decider {
    /// Listens at `path` and bans nobody.
    ///
    /// # Panics
    /// When it can't listen there, or there is no runtime.
    #[must_use]
    pub fn listen(path: &Path) -> Self {
        Self::bind(path).decide()
    }

    /// Makes the socket, as the service manager does. Whoever connects waits until somebody decides.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a test that cannot be set up has failed"
    )]
    pub fn bind(path: &Path) -> Bound {
        let address = SocketAddrUnix::new(path).expect("the path is short");
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
                .expect("a socket");
        rustix::net::bind(&socket, &address).expect("nobody else listens there");
        rustix::net::listen(&socket, BACKLOG).expect("it listens");
        Bound(socket.into())
    }

    /// Bans whom `judge` says, from the next report on.
    pub fn judge(&self, judge: impl FnMut(&Told) -> Option<Ban> + Send + 'static) {
        lock(&self.state).judge = Box::new(judge);
    }

    /// Bans a prefix now.
    pub fn ban(&self, prefix: IpNet, left_s: Option<u32>) {
        let mut state = lock(&self.state);
        banned(&mut state, &self.changes, Ban { prefix, left_s });
    }

    /// Ends the ban of a prefix.
    pub fn lift(&self, prefix: IpNet) {
        lock(&self.state).bans.retain(|ban| ban.prefix != prefix);
        // Nobody may follow.
        let _ = self.changes.send(Answer::Lifted(vec![prefix]));
    }

    /// Goes on listening and says no more, or speaks again.
    pub fn mute(&self, muted: bool) {
        self.mute.send_replace(muted);
    }

    /// What was reported since this was last asked.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        std::mem::take(&mut lock(&self.state).told)
    }
}

impl Bound {
    /// Listens, and bans nobody.
    ///
    /// # Panics
    /// Without a runtime.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a test that cannot be set up has failed"
    )]
    pub fn decide(self) -> Decider {
        let listener = UnixListener::from_std(self.0).expect("a runtime takes it");
        let state = Arc::new(Mutex::new(State {
            told: Vec::new(),
            bans: Vec::new(),
            judge: Box::new(|_| None),
        }));
        let (changes, _) = broadcast::channel(BEHIND_MAX);
        let (mute, muted) = watch::channel(false);
        let shared = (Arc::clone(&state), changes.clone(), muted);
        let task = tokio::spawn(accept(Receiver::new(listener), shared));
        Decider {
            state,
            changes,
            mute,
            task,
        }
    }
}

impl Drop for Decider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = (
    Arc<Mutex<State>>,
    broadcast::Sender<Answer>,
    watch::Receiver<bool>,
);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// With the state locked, so that no follower misses it who asks meanwhile.
fn banned(state: &mut State, changes: &broadcast::Sender<Answer>, ban: Ban) {
    state.bans.push(ban);
    // Nobody may follow.
    let _ = changes.send(Answer::Banned(vec![ban]));
}

async fn accept(receiver: Receiver, shared: Shared) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((connection, _peer)) = receiver.accept().await {
        let shared = shared.clone();
        connections.spawn(async move {
            // However it ends, it has ended.
            let _ = serve(&connection, shared).await;
        });
    }
}

async fn serve(connection: &Connection, shared: Shared) -> Result<(), ReceiveError> {
    let (state, changes, mut muted) = shared;
    let mut packet = Packet::default();
    let mut following: Option<broadcast::Receiver<Answer>> = None;
    loop {
        if muted.wait_for(|muted| !muted).await.is_err() {
            return Ok(());
        }
        let change = async {
            match &mut following {
                Some(changes) => changes.recv().await.ok(),
                None => std::future::pending().await,
            }
        };
        let message = tokio::select! {
            // What was decided is said before what is decided next.
            biased;
            change = change => match change {
                Some(answer) => {
                    connection.send(&answer).await?;
                    continue;
                }
                None => return Ok(()),
            },
            _ = muted.changed() => continue,
            message = connection.next(&mut packet) => message?,
        };
        match message {
            None => return Ok(()),
            Some(Message::Follow) => {
                let bans = {
                    let state = lock(&state);
                    following = Some(changes.subscribe());
                    state.bans.clone()
                };
                for some in bans.chunks(event::wire::BANS_A_MESSAGE) {
                    connection.send(&Answer::Banned(some.to_vec())).await?;
                }
                connection.send(&Answer::Current).await?;
            }
            Some(Message::Report(report)) => {
                let told = Told {
                    name: report.event.name(),
                    client: report.event.client(),
                    count: report.count,
                    said: report.event.to_string(),
                };
                let ban = {
                    let mut state = lock(&state);
                    let ban = (state.judge)(&told);
                    state.told.push(told);
                    if let Some(ban) = ban {
                        banned(&mut state, &changes, ban);
                    }
                    ban
                };
                let sequence = report.sequence;
                connection.send(&Answer::Judged { sequence, ban }).await?;
            }
        }
    }
}
