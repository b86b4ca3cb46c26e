//! Sockets for the resolver that are never bound by name: the unit forbids
//! bind(2) (`SocketBindDeny=`), and the kernel picks a random port by itself
//! for whoever sends first.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::time::Duration;

use hickory_resolver::net::runtime::{RuntimeProvider, TokioRuntimeProvider};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// The runtime's provider, but for [`RuntimeProvider::bind_udp`].
#[derive(Clone, Default)]
pub(crate) struct Unbound(TokioRuntimeProvider);

type Opening<T> = Pin<Box<dyn Send + Future<Output = io::Result<T>>>>;

impl RuntimeProvider for Unbound {
    type Handle = <TokioRuntimeProvider as RuntimeProvider>::Handle;
    type Timer = <TokioRuntimeProvider as RuntimeProvider>::Timer;
    type Udp = <TokioRuntimeProvider as RuntimeProvider>::Udp;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self::Handle {
        self.0.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        _local: Option<SocketAddr>,
        time: Option<Duration>,
    ) -> Opening<Self::Tcp> {
        self.0.connect_tcp(server, None, time)
    }

    fn bind_udp(&self, _local: SocketAddr, server: SocketAddr) -> Opening<Self::Udp> {
        Box::pin(async move { tokio::net::UdpSocket::from_std(open(server)?) })
    }
}

fn open(server: SocketAddr) -> io::Result<UdpSocket> {
    let family = match server {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socket_with(family, SocketType::DGRAM, flags, None)?.into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_picks_a_port_when_it_sends_and_not_before() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let mut ports = std::collections::HashSet::new();
        for _ in 0..8 {
            let socket = open(address).unwrap();
            assert_eq!(socket.local_addr().unwrap().port(), 0);
            socket.send_to(b"?", address).unwrap();
            ports.insert(socket.local_addr().unwrap().port());
        }
        assert!(ports.len() > 4 && !ports.contains(&0), "{ports:?}");
    }
}
