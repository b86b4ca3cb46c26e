//! The one system call for which there is no safe function.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

/// A descriptor of the process at the other end of a connected Unix socket (`SO_PEERPIDFD`, unix(7)).
///
/// # Errors
/// `ENOPROTOOPT` before Linux 6.5; others where the process is gone, or `socket` is none that is connected.
pub(crate) fn peer_pidfd(socket: impl AsFd) -> io::Result<OwnedFd> {
    let mut descriptor: RawFd = -1;
    let mut length = libc::socklen_t::try_from(size_of::<RawFd>()).unwrap_or_default();
    #[expect(unsafe_code, reason = "neither std nor rustix has this socket option")]
    // SAFETY: both pointers are to live variables of the lengths that are told, and a descriptor that the kernel gives
    // out is new and nobody else's.
    unsafe {
        let code = libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERPIDFD,
            (&raw mut descriptor).cast(),
            &raw mut length,
        );
        if code != 0 {
            return Err(io::Error::last_os_error());
        }
        if descriptor < 0 {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(OwnedFd::from_raw_fd(descriptor))
    }
}
