//! Watches a running machine until it is off, obeying orders and signals meanwhile.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Event, Order, report};
use crate::cgroup::Cgroup;
use crate::failure::{Outcome, While};

/// How long an orderly shutdown may take before the machine is killed, in seconds.
const POWER_OFF_SECONDS: u64 = 60;

/// How systemd-nspawn ends when the container asked for a restart and a service manager is to see to it.
const RESTART_STATUS: i32 = 133;

/// The size of the largest notification that is read, in bytes.
const NOTIFICATION_BYTES: usize = 4096;

/// A machine that has been started.
pub(super) struct Running<'a> {
    /// The program that runs the machine.
    pub(super) child: Child,
    /// Everything that belongs to the machine is in this group.
    pub(super) cgroup: Cgroup,
    /// Where the program's sd_notify messages arrive, if it sends any.
    pub(super) notifications: Option<UnixDatagram>,
    /// Begins an orderly shutdown; takes the program's process id.
    pub(super) power_off: &'a dyn Fn(u32) -> Outcome<()>,
    /// Starts the machine again after it asked for a restart, if it may.
    pub(super) restart: Option<&'a dyn Fn() -> Outcome<Child>>,
}

/// Waits until the machine is off, then frees its control group and reports it stopped.
pub(super) fn supervise(running: Running<'_>) -> Outcome<()> {
    let cgroup = running.cgroup.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .during("no event loop could be started")?;
    let outcome = runtime.block_on(watch(running));
    // The thread that waits for the child is not waited for: the control group's end ends the child.
    runtime.shutdown_background();
    cgroup.destroy()?;
    outcome?;
    // A parent that is gone needs no report.
    let _gone = report(&Event::Stopped);
    Ok(())
}

async fn watch(running: Running<'_>) -> Outcome<()> {
    let mut pid = running.child.id();
    let mut exited = waiter(running.child);
    let notifications = running
        .notifications
        .map(tokio::net::UnixDatagram::from_std)
        .transpose()
        .during("the notification socket could not be watched")?;
    let mut terminate = signal(SignalKind::terminate()).during("SIGTERM could not be watched")?;
    let mut interrupt = signal(SignalKind::interrupt()).during("SIGINT could not be watched")?;
    let mut orders = orders();
    let mut stopping = false;
    let mut deadline = std::pin::pin!(tokio::time::sleep(Duration::from_secs(u64::from(u32::MAX))));
    let mut buffer = vec![0; NOTIFICATION_BYTES];

    loop {
        let order = tokio::select! {
            status = &mut exited => {
                let status = status.during("the machine was lost from sight")?;
                let status = status.during("the machine could not be waited for")?;
                match running.restart {
                    Some(restart) if status.code() == Some(RESTART_STATUS) && !stopping => {
                        let child = restart()?;
                        pid = child.id();
                        exited = waiter(child);
                        None
                    }
                    _ => return Ok(()),
                }
            }
            order = orders.recv() => Some(order.unwrap_or(Order::Crash)),
            _ = terminate.recv() => Some(Order::PowerOff),
            _ = interrupt.recv() => Some(Order::PowerOff),
            () = &mut deadline => Some(Order::Crash),
            length = receive(notifications.as_ref(), &mut buffer) => {
                for event in notified(&buffer[..length?]) {
                    report(&event)?;
                }
                None
            }
        };
        match order {
            Some(Order::PowerOff) if !stopping => {
                stopping = true;
                deadline
                    .as_mut()
                    .reset(tokio::time::Instant::now() + Duration::from_secs(POWER_OFF_SECONDS));
                (running.power_off)(pid)?;
            }
            Some(Order::PowerOff | Order::Crash) => {
                running.cgroup.kill()?;
                let _status = exited.await;
                return Ok(());
            }
            None => {}
        }
    }
}

/// The child's exit, awaited on a thread of its own.
fn waiter(mut child: Child) -> tokio::task::JoinHandle<std::io::Result<ExitStatus>> {
    tokio::task::spawn_blocking(move || child.wait())
}

/// The orders on standard input; the channel ends with it. The thread that reads cannot be interrupted and
/// ends with the process.
fn orders() -> UnboundedReceiver<Order> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if let Some(order) = Order::parse(&line)
                && sender.send(order).is_err()
            {
                break;
            }
        }
    });
    receiver
}

/// The next notification's length; never returns without a socket.
async fn receive(socket: Option<&tokio::net::UnixDatagram>, buffer: &mut [u8]) -> Outcome<usize> {
    match socket {
        Some(socket) => socket
            .recv(buffer)
            .await
            .during("the notification socket failed"),
        None => std::future::pending().await,
    }
}

/// The events in one notification of systemd-nspawn (`sd_notify(3)`, `X_NSPAWN_LEADER_PID=` and `READY=1`).
fn notified(message: &[u8]) -> Vec<Event> {
    String::from_utf8_lossy(message)
        .lines()
        .filter_map(|line| match line.split_once('=')? {
            ("X_NSPAWN_LEADER_PID", pid) => Some(Event::Leader {
                pid: pid.parse().ok()?,
            }),
            ("READY", "1") => Some(Event::Ready),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leader_and_readiness_are_read_and_the_rest_is_not() {
        let message =
            b"STATUS=Container running.\nX_NSPAWN_LEADER_PID=4242\nREADY=1\nREADY=0\nnoise";
        assert_eq!(
            notified(message),
            [Event::Leader { pid: 4242 }, Event::Ready]
        );
        assert_eq!(notified(b"X_NSPAWN_LEADER_PID=-1\n\xff\xfe"), []);
    }
}
