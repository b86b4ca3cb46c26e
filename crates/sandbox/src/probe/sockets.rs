//! Sockets of every family, and ways out by those that there are.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{AddressFamily, Protocol, SocketType};

use super::errno::passes;
use super::{Act, Targets, files};
use crate::Plan;

/// Families and types: name, family, type, protocol (0: the family's own). rustix names no AF_ALG
/// (38), AF_QIPCRTR (42), AF_SMC (43).
const SOCKETS: [(&str, AddressFamily, SocketType, u32); 22] = [
    ("INET stream", AddressFamily::INET, SocketType::STREAM, 0),
    ("INET datagram", AddressFamily::INET, SocketType::DGRAM, 0),
    ("INET6 stream", AddressFamily::INET6, SocketType::STREAM, 0),
    ("INET6 datagram", AddressFamily::INET6, SocketType::DGRAM, 0),
    ("INET raw", AddressFamily::INET, SocketType::RAW, 255),
    ("INET6 raw", AddressFamily::INET6, SocketType::RAW, 255),
    ("INET ping", AddressFamily::INET, SocketType::DGRAM, 1),
    ("INET MPTCP", AddressFamily::INET, SocketType::STREAM, 262),
    ("INET SCTP", AddressFamily::INET, SocketType::STREAM, 132),
    ("NETLINK route", AddressFamily::NETLINK, SocketType::RAW, 0),
    ("NETLINK audit", AddressFamily::NETLINK, SocketType::RAW, 9),
    (
        "NETLINK netfilter",
        AddressFamily::NETLINK,
        SocketType::RAW,
        12,
    ),
    ("PACKET", AddressFamily::PACKET, SocketType::RAW, 0),
    ("VSOCK", AddressFamily::VSOCK, SocketType::STREAM, 0),
    ("BLUETOOTH", AddressFamily::BLUETOOTH, SocketType::RAW, 1),
    ("ALG", AddressFamily::from_raw(38), SocketType::SEQPACKET, 0),
    ("CAN", AddressFamily::CAN, SocketType::RAW, 1),
    ("KEY", AddressFamily::KEY, SocketType::RAW, 2),
    ("XDP", AddressFamily::XDP, SocketType::RAW, 0),
    ("TIPC", AddressFamily::TIPC, SocketType::DGRAM, 0),
    ("QIPCRTR", AddressFamily::from_raw(42), SocketType::DGRAM, 0),
    ("SMC", AddressFamily::from_raw(43), SocketType::STREAM, 0),
];

/// Sockets that most machines have and that lead to the service manager, its peers and the system's
/// users.
const SYSTEM_SOCKETS: [&str; 3] = [
    "/run/systemd/private",
    "/run/dbus/system_bus_socket",
    "/run/systemd/userdb/io.systemd.DynamicUser",
];

/// How long a connection out may take, in milliseconds.
const CONNECT_MS: u64 = 1_000;

pub(super) fn acts(plan: &Plan, targets: &Targets) -> Vec<Act> {
    let internet = plan.has_internet();
    let mut acts: Vec<Act> = SOCKETS
        .iter()
        .map(|&(name, family, kind, protocol)| {
            let attempt = move || {
                let protocol = rustix::net::RawProtocol::new(protocol).map(Protocol::from_raw);
                rustix::net::socket(family, kind, protocol)
                    .map(drop)
                    .map_err(io::Error::from)
            };
            let plain = matches!(family, AddressFamily::INET | AddressFamily::INET6)
                && kind != SocketType::RAW;
            Act::new("sockets", format!("open a socket: {name}"), attempt).granted_if(
                internet && plain && protocol == 0
                    || plan.has_packet_filter() && filters(family, protocol),
            )
        })
        .collect();
    let loopback: [(&str, IpAddr); 2] = [
        ("IPv4", Ipv4Addr::LOCALHOST.into()),
        ("IPv6", Ipv6Addr::LOCALHOST.into()),
    ];
    for (name, address) in loopback {
        let act = Act::new(
            "network",
            format!("connect by TCP over {name}"),
            move || connect_tcp((address, 443).into()),
        );
        acts.push(act.granted_if(internet));
        let act = Act::new("network", format!("send by UDP over {name}"), move || {
            send_udp((address, 53).into())
        });
        acts.push(act.granted_if(internet));
        acts.push(Act::new(
            "network",
            format!("listen for UDP over {name}"),
            move || UdpSocket::bind((address, 0)).map(drop),
        ));
        acts.push(Act::new(
            "network",
            format!("listen for TCP over {name}"),
            move || TcpListener::bind((address, 0)).map(drop),
        ));
    }
    acts.push(Act::new(
        "network",
        "listen for TCP without binding",
        listen_unbound,
    ));
    let system = SYSTEM_SOCKETS.iter().map(PathBuf::from);
    acts.extend(system.chain(targets.sockets.iter().cloned()).map(|path| {
        let granted = plan
            .connects()
            .chain(plan.binds())
            .any(|own| path.starts_with(own));
        let name = format!("connect to {}", path.display());
        Act::new("unix sockets", name, move || connect_unix(&path)).granted_if(granted)
    }));
    if let Some(name) = targets.abstract_socket.clone() {
        acts.push(Act::new(
            "unix sockets",
            format!("connect to abstract @{name}"),
            move || UnixStream::connect_addr(&UnixAddress::from_abstract_name(&name)?).map(drop),
        ));
    }
    acts.push(Act::new(
        "unix sockets",
        "listen on an abstract socket",
        || {
            let name = format!("casemate-probe-{}", std::process::id());
            UnixListener::bind_addr(&UnixAddress::from_abstract_name(name)?).map(drop)
        },
    ));
    for directory in ["/run", "/tmp"].map(Path::new) {
        let granted = plan.binds().any(|own| directory.starts_with(own));
        let name = format!("listen on a socket in {}", directory.display());
        acts.push(
            Act::new("unix sockets", name, move || listen_unix(directory)).granted_if(granted),
        );
    }
    acts
}

/// Whether it leads to the packet filter, or to the addresses and routes that go with it.
fn filters(family: AddressFamily, protocol: u32) -> bool {
    family == AddressFamily::NETLINK && [0, 12].contains(&protocol)
}

/// A connection that is refused has left the process as well.
fn connect_tcp(address: SocketAddr) -> io::Result<()> {
    let connected =
        TcpStream::connect_timeout(&address, Duration::from_millis(CONNECT_MS)).map(drop);
    passes(connected, &[libc::ECONNREFUSED])
}

/// From a port that the kernel picks, as a client does without bind(2).
fn send_udp(address: SocketAddr) -> io::Result<()> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket = rustix::net::socket(family, SocketType::DGRAM, None)?;
    UdpSocket::from(socket)
        .send_to(b"casemate-probe", address)
        .map(drop)
}

/// `listen(2)` binds an unbound socket to a free port by itself, past Landlock's rule for binding.
fn listen_unbound() -> io::Result<()> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    rustix::net::listen(socket, 1).map_err(io::Error::from)
}

/// A socket of the other type was reached all the same.
fn connect_unix(path: &Path) -> io::Result<()> {
    passes(UnixStream::connect(path).map(drop), &[libc::EPROTOTYPE])?;
    passes(UnixDatagram::unbound()?.connect(path), &[libc::EPROTOTYPE])
}

fn listen_unix(directory: &Path) -> io::Result<()> {
    let path = files::scratch(directory, "socket");
    drop(UnixListener::bind(&path)?);
    std::fs::remove_file(&path)
}
