//! Sockets and files that the service manager opened and handed over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd};

use libsystemd::activation::{FileDescriptor, IsType as _, receive_descriptors_with_names};

/// Why a socket that a service needs is not there.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The unit was not started through its `.socket` unit.
    #[error("no socket named {0:?} was handed over; start the service through its .socket unit")]
    Missing(String),
    /// The unit did not open it.
    #[error("no file named {0:?} was handed over; start this through its systemd unit")]
    NotOpened(String),
    /// The sockets could not be taken over.
    #[error("the sockets handed over could not be taken")]
    Receive(#[from] libsystemd::errors::SdError),
    /// Neither Unix nor TCP.
    #[error("the descriptor named {0:?} is not a listening socket")]
    Kind(String),
    /// The runtime could not use it.
    #[error("the socket named {0:?} could not be used")]
    Use(String, #[source] io::Error),
}

/// Takes the file that the service manager opened for a job (`OpenFile=PATH:NAME`,
/// systemd.service(5)): the process needs no right of its own to open it. To be called once, since
/// it takes all descriptors that were handed over.
///
/// # Errors
/// When there is none of that name.
pub fn opened(name: &str) -> Result<File, SocketError> {
    let missing = || SocketError::NotOpened(name.to_owned());
    if std::env::var_os("LISTEN_FDS").is_none() {
        return Err(missing());
    }
    let mut found = None;
    for (descriptor, given) in receive_descriptors_with_names(false)? {
        let owned = own(descriptor);
        if given == name {
            found = Some(File::from(owned));
        }
    }
    found.ok_or_else(missing)
}

fn own(descriptor: FileDescriptor) -> OwnedFd {
    #[expect(unsafe_code, reason = "descriptors arrive as plain numbers")]
    // SAFETY: sd_listen_fds(3) hands these descriptors to this process alone, and of the functions
    // that take them a service calls one and a job the other, once.
    unsafe {
        OwnedFd::from_raw_fd(descriptor.into_raw_fd())
    }
}

#[derive(Debug)]
enum Socket {
    Unix(OwnedFd),
    Tcp(OwnedFd),
}

/// The inherited sockets by name (`FileDescriptorName=`, systemd.socket(5)).
#[derive(Debug, Default)]
pub struct Sockets {
    by_name: BTreeMap<String, Vec<Socket>>,
}

impl Sockets {
    /// Takes over what the service manager handed to this process. To be called
    /// once, first of all, since it takes the descriptors for its own.
    pub(crate) fn receive() -> Result<Self, SocketError> {
        let mut sockets = Self::default();
        if std::env::var_os("LISTEN_FDS").is_none() {
            return Ok(sockets);
        }
        for (descriptor, name) in receive_descriptors_with_names(false)? {
            let (unix, tcp) = (descriptor.is_unix(), descriptor.is_inet());
            let owned = own(descriptor);
            let socket = match (unix, tcp) {
                (true, _) => Socket::Unix(owned),
                (_, true) => Socket::Tcp(owned),
                _ => return Err(SocketError::Kind(name)),
            };
            sockets.by_name.entry(name).or_default().push(socket);
        }
        Ok(sockets)
    }

    /// The names of the sockets that were handed over and not yet taken.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Takes the Unix listener of that name. Must be called within the runtime.
    ///
    /// # Errors
    /// When there is none of that name, or it is of another kind.
    pub fn unix(&mut self, name: &str) -> Result<tokio::net::UnixListener, SocketError> {
        let used = |error| SocketError::Use(name.to_owned(), error);
        match self.take(name)? {
            Socket::Unix(descriptor) => {
                let listener = std::os::unix::net::UnixListener::from(descriptor);
                listener.set_nonblocking(true).map_err(used)?;
                tokio::net::UnixListener::from_std(listener).map_err(used)
            }
            Socket::Tcp(_) => Err(SocketError::Kind(name.to_owned())),
        }
    }

    /// Takes all TCP listeners of that name (one for each `ListenStream=`).
    /// Must be called within the runtime.
    ///
    /// # Errors
    /// When there is none of that name, or one is of another kind.
    pub fn tcp(&mut self, name: &str) -> Result<Vec<tokio::net::TcpListener>, SocketError> {
        let used = |error| SocketError::Use(name.to_owned(), error);
        let mut listeners = Vec::new();
        for socket in self.by_name.remove(name).unwrap_or_default() {
            let Socket::Tcp(descriptor) = socket else {
                return Err(SocketError::Kind(name.to_owned()));
            };
            let listener = std::net::TcpListener::from(descriptor);
            listener.set_nonblocking(true).map_err(used)?;
            listeners.push(tokio::net::TcpListener::from_std(listener).map_err(used)?);
        }
        if listeners.is_empty() {
            return Err(SocketError::Missing(name.to_owned()));
        }
        Ok(listeners)
    }

    fn take(&mut self, name: &str) -> Result<Socket, SocketError> {
        let of_name = self.by_name.get_mut(name);
        let socket = of_name.and_then(Vec::pop);
        if self.by_name.get(name).is_some_and(Vec::is_empty) {
            self.by_name.remove(name);
        }
        socket.ok_or_else(|| SocketError::Missing(name.to_owned()))
    }
}
