//! Random bytes by the system call itself, for nonces, keys and names.
//!
//! A static binary finds no getrandom(2) by dlsym(3), and /dev/urandom is closed to a confined
//! service, so the usual crate would fail there.

use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::Error;

/// Fills `out`.
pub(crate) fn fill(mut out: &mut [u8]) -> Result<(), Error> {
    // A crash that was simulated can be repeated to the bit.
    #[cfg(test)]
    if crate::tests::dice::repeatable_bytes(out) {
        return Ok(());
    }
    while !out.is_empty() {
        match getrandom(&mut *out, GetRandomFlags::empty()) {
            Ok(filled) => out = &mut out[filled..],
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::io("drawing random bytes", errno.into())),
        }
    }
    Ok(())
}

/// `N` random bytes, not for keys: the copies on the stack are not wiped.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut out = [0; N];
    fill(&mut out)?;
    Ok(out)
}
