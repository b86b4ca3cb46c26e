//! Leads a port of this machine into a container, in user space: no interface and no firewall rule is needed.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::failure::{Failure, Outcome, While};

/// The port that the appliance serves.
const APPLIANCE_PORT: u16 = 443;

/// How long to hold off after a failed accept (out of descriptors, say), in milliseconds.
const ACCEPT_PAUSE_MILLIS: u64 = 50;

/// A forwarded port. It ends when this is dropped.
pub(crate) struct Forward {
    listener: TcpListener,
    current: Option<oneshot::Sender<()>>,
}

impl Forward {
    /// Takes the port, so that a second use of it is noticed before anything is booted.
    pub(crate) fn listen(address: SocketAddr) -> Outcome<Self> {
        let listener = TcpListener::bind(address).map_err(|error| {
            Failure::new(format!(
                "{address} cannot be listened on ({error}). Choose another with --listen ADDRESS:PORT"
            ))
        })?;
        listener
            .set_nonblocking(true)
            .during("the listening socket could not be set up")?;
        Ok(Self {
            listener,
            current: None,
        })
    }

    /// Leads connections to the container whose PID 1 is `leader`, and no longer to an earlier one.
    pub(crate) fn lead_to(&mut self, leader: u32) -> Outcome<()> {
        let namespace = File::open(format!("/proc/{leader}/ns/net"))
            .during("the container's network could not be opened")?;
        let listener = self
            .listener
            .try_clone()
            .during("the listening socket could not be shared")?;
        let (stop, stopped) = oneshot::channel();
        self.current = Some(stop);
        std::thread::Builder::new()
            .name("forward".into())
            .spawn(move || {
                if let Err(failure) = serve(&namespace, listener, stopped) {
                    eprintln!("the port is no longer forwarded: {failure}");
                }
            })
            .during("the forwarding thread could not be started")?;
        Ok(())
    }
}

/// Forwards on the calling thread, which moves into the container's network: sockets that it opens are there,
/// while the listening socket stays where it was made.
fn serve(namespace: &File, listener: TcpListener, stopped: oneshot::Receiver<()>) -> Outcome<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .during("the container's network could not be entered")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .during("no event loop could be started")?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)
            .during("the listening socket could not be watched")?;
        tokio::select! {
            () = accept(&listener) => Ok(()),
            // Also when the sender is dropped.
            _ = stopped => Ok(()),
        }
    })
}

async fn accept(listener: &tokio::net::TcpListener) {
    loop {
        match listener.accept().await {
            Ok((visitor, _)) => {
                tokio::spawn(pass(visitor));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MILLIS)).await,
        }
    }
}

/// Passes bytes both ways; when one side has sent all it will, the other is told so and may still answer.
async fn pass(mut visitor: TcpStream) {
    let Ok(mut inner) = TcpStream::connect((Ipv4Addr::LOCALHOST, APPLIANCE_PORT)).await else {
        return;
    };
    // Streamed answers come in small pieces that must not wait for one another.
    let _slower = visitor.set_nodelay(true).and(inner.set_nodelay(true));
    // A connection that breaks is over on both sides; there is nobody else to tell.
    let _broken = tokio::io::copy_bidirectional(&mut visitor, &mut inner).await;
}
