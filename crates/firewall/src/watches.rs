//! What the firewall notices by itself: its machine's addresses change, somebody else changes the table, bans end.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::firewall::Firewall;
use crate::netlink::Socket;
use crate::own;
use crate::serve::on_a_thread;
use crate::table::{TableError, Tenure, Watch};

/// How often bans that have ended are forgotten.
const EXPIRY_TIME: Duration = Duration::from_secs(30);

/// How long to wait after the table could not be restored, or a socket not be waited for.
const RETRY_TIME: Duration = Duration::from_millis(200);

/// The longest such wait.
const RETRY_TIME_MAX: Duration = Duration::from_secs(30);

/// Stack of a thread that waits, in bytes.
const STACK_BYTES: usize = 128 * 1024;

/// Runs `watch` on a thread of its own until the process ends.
fn spawn(name: &str, watch: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES);
    thread.spawn(watch).map(drop)
}

/// Waits until there is something to read.
fn wait(socket: impl AsFd) {
    match poll(&mut [PollFd::new(&socket, PollFlags::IN)], None) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => {
            tracing::warn!("a netlink socket could not be waited for: {error}");
            std::thread::sleep(RETRY_TIME);
        }
    }
}

/// Reads the machine's addresses and gateways, and anew whenever `changes` tells of one.
pub(crate) fn addresses(firewall: Arc<Firewall>, mut changes: Socket) -> io::Result<()> {
    spawn("addresses", move || {
        let mut pauses = Pauses::default();
        loop {
            match read_addresses(&firewall, &mut changes) {
                Ok(()) => {
                    pauses = Pauses::default();
                    wait(&changes);
                }
                Err(error) => {
                    tracing::warn!(
                        "this machine's addresses could not be read; those known before are never banned: {error}"
                    );
                    // Whatever stays broken is waited for ever longer, and not for what it says.
                    std::thread::sleep(pauses.next());
                }
            }
        }
    })
}

fn read_addresses(firewall: &Firewall, changes: &mut Socket) -> Result<(), TableError> {
    match changes.heard(|_| {}) {
        // It is all read anew.
        Err(error) if !error.is_overrun() => return Err(error.into()),
        _ => {}
    }
    firewall.moved(own::read()?)
}

/// Pauses between attempts, each twice as long as the one before.
#[derive(Debug, Default)]
struct Pauses(Option<Duration>);

impl Pauses {
    fn next(&mut self) -> Duration {
        let pause = self.0.map_or(RETRY_TIME, |before| before * 2);
        *self.0.insert(pause.min(RETRY_TIME_MAX))
    }
}

/// Restores the table whenever somebody else has changed it. There is nothing to do where the kernel prevents that.
pub(crate) fn table(firewall: Arc<Firewall>) -> Result<(), TableError> {
    let mut watch = {
        let table = firewall.table.next();
        if table.tenure() == Tenure::Owned {
            return Ok(());
        }
        Watch::begin(&table)?
    };
    tracing::info!(
        "this kernel keeps nobody from changing the firewall's table; what is changed is restored"
    );
    let spawned = spawn("table", move || {
        let (mut pauses, mut again) = (Pauses::default(), false);
        loop {
            if !again {
                wait(&watch);
            }
            match mend(&firewall, watch.heard(), again) {
                Ok(restored) => {
                    if restored {
                        tracing::warn!(
                            "somebody else had changed the firewall's table, and it was restored"
                        );
                    }
                    (pauses, again) = (Pauses::default(), false);
                }
                Err(error) => {
                    tracing::error!(
                        "somebody else has changed the firewall's table, and it could not be restored: {error}"
                    );
                    // A ban that finds it missing restores it too.
                    std::thread::sleep(pauses.next());
                    again = true;
                }
            }
        }
    });
    spawned.map_err(|error| TableError::Kernel(error.into()))
}

/// Restores the table if what was heard, or the table itself, says that somebody else has changed it, or if it could not
/// be restored before. Says whether it was.
fn mend(
    firewall: &Firewall,
    heard: Result<Option<bool>, TableError>,
    again: bool,
) -> Result<bool, TableError> {
    match heard {
        Ok(Some(false)) if !again => Ok(false),
        // Too much was said to tell.
        Ok(None) if !again => firewall.examine(),
        Ok(_) => firewall.restore().map(|()| true),
        // Deaf, it restores now and then.
        Err(error) => firewall.restore().and(Err(error)),
    }
}

/// Fills block lists again that somebody else may have changed.
pub(crate) async fn lists(firewall: Arc<Firewall>) {
    loop {
        firewall.stale().await;
        let mut pauses = Pauses::default();
        while let Err(error) = refill(&firewall).await {
            tracing::error!(
                "a block list that somebody else may have changed could not be filled again: {error}"
            );
            tokio::time::sleep(pauses.next()).await;
        }
    }
}

async fn refill(firewall: &Arc<Firewall>) -> Result<(), TableError> {
    let turn = firewall.load_turn().await;
    let shared = Arc::clone(firewall);
    on_a_thread(move || {
        let filled = shared.refill();
        drop(turn);
        filled
    })
    .await
}

/// Forgets bans that have ended.
pub(crate) async fn time(firewall: Arc<Firewall>) {
    let mut beat = tokio::time::interval(EXPIRY_TIME);
    loop {
        beat.tick().await;
        let shared = Arc::clone(&firewall);
        // It ends with the process.
        let _ = on_a_thread(move || {
            shared.table.next().expire();
            Ok(())
        })
        .await;
    }
}
