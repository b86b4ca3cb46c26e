use std::path::{Path, PathBuf};

/// What a service may still touch once it is confined. A new plan grants nothing: no file, no
/// socket family but Unix, no capability.
///
/// The plan speaks of what the process opens after confinement. Descriptors that it holds by then
/// (inherited sockets, its journal socket, an opened store) keep working and need no grant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    connect: Vec<PathBuf>,
    bind: Vec<PathBuf>,
    packets: bool,
    internet: bool,
    packet_filter: bool,
    reload_manager: bool,
}

impl Plan {
    /// A plan that grants nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Grants reading the file `path`, or listing and reading everything below the directory
    /// `path`. Never execution.
    #[must_use]
    pub fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.read.push(path.into());
        self
    }

    /// Grants reading and writing below the directory `path`: make, rename, truncate and remove
    /// regular files and directories. Never execution, sockets, device nodes, pipes or symbolic
    /// links.
    #[must_use]
    pub fn write(mut self, path: impl Into<PathBuf>) -> Self {
        self.write.push(path.into());
        self
    }

    /// Grants connecting to the Unix socket `path`, or to those below the directory `path`. Kernels
    /// below Landlock ABI 9 can't limit this; there the unit's `RootDirectory=` alone does, and the
    /// report lists the gap.
    #[must_use]
    pub fn connect(mut self, path: impl Into<PathBuf>) -> Self {
        self.connect.push(path.into());
        self
    }

    /// As [`Self::connect`], and to sockets of type `SOCK_SEQPACKET` too, which no other plan may open.
    #[must_use]
    pub fn connect_packets(mut self, path: impl Into<PathBuf>) -> Self {
        self.packets = true;
        self.connect(path)
    }

    /// Grants making Unix sockets below the directory `path` and listening on them. The appliance's
    /// services don't need it, as systemd hands them their listeners; tests that stand in for
    /// systemd do.
    #[must_use]
    pub fn bind(mut self, path: impl Into<PathBuf>) -> Self {
        self.bind.push(path.into());
        self
    }

    /// Grants TCP and UDP over IPv4 and IPv6: connecting and sending, never binding or listening.
    #[must_use]
    pub fn internet(mut self) -> Self {
        self.internet = true;
        self
    }

    /// Grants changing the kernel's packet filter: the process keeps `CAP_NET_ADMIN`, and may open netlink sockets to
    /// the packet filter and, to know its addresses, to routing. Of the other acts that the capability permits, the
    /// filter of system calls leaves those over these two sockets.
    #[must_use]
    pub fn packet_filter(mut self) -> Self {
        self.packet_filter = true;
        self
    }

    /// Grants sending `SIGHUP`, and no other signal, to process 1, which then reads its units anew
    /// (systemd(1)). It keeps no capability: the kernel lets the signal through only where the
    /// process runs as the user of process 1 (kill(2)).
    #[must_use]
    pub fn reload_manager(mut self) -> Self {
        self.reload_manager = true;
        self
    }

    /// Whether the plan grants `SIGHUP` to process 1.
    #[must_use]
    pub fn has_reload_manager(&self) -> bool {
        self.reload_manager
    }

    /// Whether the plan grants sockets of type `SOCK_SEQPACKET`.
    #[must_use]
    pub fn has_packets(&self) -> bool {
        self.packets
    }

    /// Whether the plan grants changing the packet filter.
    #[must_use]
    pub fn has_packet_filter(&self) -> bool {
        self.packet_filter
    }

    /// Whether the plan grants the Internet's socket families.
    #[must_use]
    pub fn has_internet(&self) -> bool {
        self.internet
    }

    /// Whether the plan grants listening on Unix sockets somewhere.
    #[must_use]
    pub fn has_bind(&self) -> bool {
        !self.bind.is_empty()
    }

    /// The paths granted for reading.
    pub fn reads(&self) -> impl Iterator<Item = &Path> {
        self.read.iter().map(PathBuf::as_path)
    }

    /// The directories granted for writing.
    pub fn writes(&self) -> impl Iterator<Item = &Path> {
        self.write.iter().map(PathBuf::as_path)
    }

    /// The sockets, or directories of sockets, granted for connecting.
    pub fn connects(&self) -> impl Iterator<Item = &Path> {
        self.connect.iter().map(PathBuf::as_path)
    }

    /// The directories granted for listening.
    pub fn binds(&self) -> impl Iterator<Item = &Path> {
        self.bind.iter().map(PathBuf::as_path)
    }
}
