//! What a service calls: the one connection of a process.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::oneshot;

use crate::Event;
use crate::bound::second;
use crate::link::{Change, Follower, Link, Spared, State};
use crate::outbox::Outbox;

/// How long an answer waits for the judgement of what its client did, in milliseconds. Beyond it the client is served,
/// and nobody waits again until a judgement comes. A judgement takes well under 1 ms; this is for a machine that is busy,
/// and as it is waited for once, it costs little where nobody answers.
pub const JUDGED_MS: u64 = 200;

/// How long [`flush`](crate::flush) waits for the last judgements, in milliseconds.
pub(crate) const FLUSH_MS: u64 = 500;

/// The stack of the thread, in bytes.
const STACK_BYTES: usize = 256 * 1024;

static LINK: OnceLock<Link> = OnceLock::new();

/// From now on [`report`](crate::report) also sends events to that socket, whenever somebody listens there, and while
/// nobody does keeps them for a minute. To be called once, after confinement; later calls change nothing.
///
/// # Errors
/// When the system has no room for a thread.
pub fn connect(path: impl Into<PathBuf>) -> io::Result<()> {
    open(path.into(), None, Box::new(|_| false)).map(drop)
}

/// As [`connect`], and tells `follower` of every ban, on a thread of its own: it must not wait. It is told before the
/// judgement that a ban came with. What clients do whom `spared` names is not sent, such as those who stand for many.
/// Says whether somebody listens now.
///
/// # Errors
/// When the system has no room for a thread.
pub fn follow(
    path: impl Into<PathBuf>,
    spared: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    follower: impl FnMut(Change) + Send + 'static,
) -> io::Result<bool> {
    open(path.into(), Some(Box::new(follower)), Box::new(spared))
}

fn open(path: PathBuf, follower: Option<Follower>, spared: Spared) -> io::Result<bool> {
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let state = State {
        socket: None,
        outbox: Outbox::new(),
        follow: false,
    };
    let link = Link {
        path,
        wake,
        state: Mutex::new(state),
        answers: AtomicBool::new(false),
        keeps: AtomicBool::new(false),
        follower: Mutex::new(follower),
        spared,
    };
    if LINK.set(link).is_err() {
        return Ok(false);
    }
    let Some(link) = LINK.get() else {
        return Ok(false);
    };
    // So that the first event finds it open.
    let connected = link.connect().is_ok();
    let thread = thread::Builder::new().name("events".to_owned());
    let run = move || link.run(connected);
    thread.stack_size(STACK_BYTES).spawn(run)?;
    Ok(connected)
}

/// Sends an event, or keeps it until it can be sent. Never waits.
pub(crate) fn send(event: &Event<'_>) {
    if let Some(link) = LINK.get() {
        if event.client().is_some_and(&link.spared) {
            return;
        }
        let mut state = link.lock();
        state.outbox.put(event, second());
        link.keeps.store(true, Ordering::Release);
        if let Some(socket) = state.socket.clone()
            && !state.send(&socket)
        {
            drop(state);
            link.wake();
        }
    }
}

/// Waits until all that was reported of a client is judged, so that whoever is banned for it is not answered any more.
/// At most [`JUDGED_MS`]; at once where nothing was reported of him, nobody decides on bans, or he does not answer.
pub async fn judged(client: IpAddr) {
    if let Some(judgement) = judgement(client) {
        judgement.await;
    }
}

/// As [`judged`]; none where there is nothing to wait for. Costs next to nothing where nothing is kept of anybody.
pub fn judgement(client: IpAddr) -> Option<impl Future<Output = ()> + Send + Sync + use<>> {
    let link = LINK.get()?;
    if !link.keeps.load(Ordering::Acquire) || !link.answers.load(Ordering::Relaxed) {
        return None;
    }
    let make = || {
        let (waiter, judged) = oneshot::channel();
        (Arc::new(waiter), judged)
    };
    let waiting = link.lock().outbox.wait(client, make)?;
    Some(until_judged(link, waiting))
}

async fn until_judged(link: &'static Link, waiting: oneshot::Receiver<()>) {
    let time = Duration::from_millis(JUDGED_MS);
    if tokio::time::timeout(time, waiting).await.is_err()
        && link.answers.swap(false, Ordering::Relaxed)
    {
        tracing::warn!(
            "whoever decides on bans has not answered for {JUDGED_MS} ms; until he does, answers do not wait for him, and a client may get some after he is to be banned"
        );
    }
}

/// Waits until all is judged, for [`FLUSH_MS`] at most, where somebody listens.
pub(crate) fn settle() {
    let Some(link) = LINK.get() else { return };
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(FLUSH_MS) {
        let state = link.lock();
        if state.socket.is_none() || state.outbox.is_empty() {
            return;
        }
        drop(state);
        thread::sleep(Duration::from_millis(1));
    }
}
