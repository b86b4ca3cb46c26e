//! Random bytes from the operating system's generator, for nonces, keys and names.

use std::io;

use crate::error::Error;

/// Fills `out`.
pub(crate) fn fill(out: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(out)
        .map_err(|error| Error::io("drawing random bytes", io::Error::other(error.to_string())))
}

/// `N` random bytes, not for keys: the copies on the stack are not wiped.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut out = [0; N];
    fill(&mut out)?;
    Ok(out)
}
