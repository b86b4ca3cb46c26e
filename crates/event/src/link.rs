//! The sending side: one thread that keeps a connection to whoever decides on bans, and hears his answers.
//!
//! A thread and no task: a service may have several runtimes, or none, and what holds one of them up must not hold up
//! what is said of it. It is reporters who send, at once, where there is room; the thread sends what had to wait.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ipnet::IpNet;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use tokio::sync::oneshot;

use crate::bound::second;
use crate::outbox::Outbox;
use crate::receive::{receive, send_packet};
use crate::wire::{ANSWER_BYTES, Answer, Ban, MESSAGE_BYTES, Message};

/// When a connection is tried again, in milliseconds: at first, and at last.
const RETRY_MS: u64 = 100;
const RETRY_MAX_MS: u64 = 5_000;

/// What a follower is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// From here on all bans that are in force are told, until [`Change::Current`]. What was told before stays in
    /// force until then.
    Again,
    /// These are in force.
    Banned(Vec<Ban>),
    /// Of what was told before [`Change::Again`], only what was told again since is in force.
    Current,
    /// These are no longer in force.
    Lifted(Vec<IpNet>),
}

pub(crate) type Follower = Box<dyn FnMut(Change) + Send>;

/// Whose events are the journal's alone.
pub(crate) type Spared = Box<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Dropped when the judgement came, or will not come.
pub(crate) type Waiter = Arc<oneshot::Sender<()>>;

/// The connection, and what is to go over it.
pub(crate) struct Link {
    pub(crate) path: PathBuf,
    pub(crate) wake: OwnedFd,
    pub(crate) state: Mutex<State>,
    /// Whether it is worth waiting for a judgement.
    pub(crate) answers: AtomicBool,
    /// Whether anything may be kept, so that where nothing is nobody looks for it. Written with the state locked.
    pub(crate) keeps: AtomicBool,
    pub(crate) follower: Mutex<Option<Follower>>,
    pub(crate) spared: Spared,
}

pub(crate) struct State {
    pub(crate) socket: Option<Arc<OwnedFd>>,
    pub(crate) outbox: Outbox<Waiter>,
    /// Whether `Follow` is to be sent.
    pub(crate) follow: bool,
}

impl State {
    /// Sends what there is; whether all that may be sent now was.
    pub(crate) fn send(&mut self, socket: &OwnedFd) -> bool {
        let mut room = [0; MESSAGE_BYTES];
        if self.follow {
            let Ok(packet) = Message::Follow.encode(&mut room) else {
                return true;
            };
            if send_packet(socket, packet).is_err() {
                return false;
            }
            self.follow = false;
        }
        let now = second();
        while let Some(packet) = self.outbox.next(now, &mut room) {
            if send_packet(socket, packet).is_err() {
                // Full, or broken: the thread sees which.
                self.outbox.take_back();
                return false;
            }
        }
        true
    }
}

impl Link {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wake(&self) {
        // It is full only where the thread is to wake already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn tell(&self, change: Change) {
        let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(follower) = follower.as_mut() {
            follower(change);
        }
    }

    fn follows(&self) -> bool {
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        follower.is_some()
    }

    pub(crate) fn connect(&self) -> io::Result<()> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(&self.path)?)?;
        let socket = Arc::new(socket);
        let follows = self.follows();
        if follows {
            self.tell(Change::Again);
        }
        let mut state = self.lock();
        state.follow = follows;
        state.socket = Some(Arc::clone(&socket));
        self.answers.store(true, Ordering::Relaxed);
        // What does not go now, the thread sends.
        state.send(&socket);
        Ok(())
    }

    pub(crate) fn run(&self, connected: bool) {
        let mut retry = RETRY_MS;
        if connected {
            self.serve();
        }
        loop {
            thread::sleep(Duration::from_millis(retry));
            match self.connect() {
                Ok(()) if self.serve() => retry = RETRY_MS,
                Ok(()) => retry = RETRY_MAX_MS.min(retry * 2),
                Err(error) => {
                    tracing::debug!("nobody who decides on bans listens: {error}");
                    self.lock().outbox.drop_stale(second());
                    retry = RETRY_MAX_MS.min(retry * 2);
                }
            }
        }
    }

    /// Hears answers and sends what waits, until the connection breaks; whether it was of use.
    fn serve(&self) -> bool {
        let Some(socket) = self.lock().socket.clone() else {
            return false;
        };
        let mut heard = false;
        let ended = loop {
            if let Err(error) = self.turn(&socket, &mut heard) {
                break error;
            }
        };
        self.answers.store(false, Ordering::Relaxed);
        let mut state = self.lock();
        state.socket = None;
        state.outbox.broken();
        drop(state);
        tracing::info!(
            "the connection to whoever decides on bans ended; events are kept for a minute, and bans stay: {ended}"
        );
        heard
    }

    /// Waits for something to do, and does it.
    fn turn(&self, socket: &OwnedFd, heard: &mut bool) -> io::Result<()> {
        let state = self.lock();
        let mut wanted = PollFlags::IN;
        if state.follow || state.outbox.has_next() {
            wanted |= PollFlags::OUT;
        }
        drop(state);
        let mut asked = [
            PollFd::from_borrowed_fd(socket.as_fd(), wanted),
            PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN),
        ];
        match poll(&mut asked, None) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let (ready, woken) = (asked[0].revents(), !asked[1].revents().is_empty());
        if woken {
            self.clear();
        }
        if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.hear(socket)?;
            *heard = true;
        }
        self.lock().send(socket);
        Ok(())
    }

    /// Hears all answers that are there.
    fn hear(&self, socket: &OwnedFd) -> io::Result<()> {
        let mut room = [0; ANSWER_BYTES + 1];
        loop {
            let length = match receive(socket, &mut room) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => length.min(room.len()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            match Answer::decode(&room[..length]).map_err(io::Error::other)? {
                Answer::Judged { sequence, ban } => {
                    if let Some(ban) = ban {
                        self.tell(Change::Banned(vec![ban]));
                    }
                    self.answers.store(true, Ordering::Relaxed);
                    let mut state = self.lock();
                    state.outbox.judged(sequence);
                    let keeps = !state.outbox.is_empty();
                    self.keeps.store(keeps, Ordering::Release);
                }
                Answer::Banned(bans) => self.tell(Change::Banned(bans)),
                Answer::Current => self.tell(Change::Current),
                Answer::Lifted(prefixes) => self.tell(Change::Lifted(prefixes)),
            }
        }
    }

    fn clear(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0_u8; 8][..]);
    }
}
