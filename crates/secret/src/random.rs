//! Random bytes from the kernel.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// Fills `bytes` from getrandom(2), by the system call itself: a service is one
/// static binary that can open no /dev/urandom, and the usual crate looks the
/// call up in a dynamic library first.
///
/// # Errors
/// Where the kernel refuses, which no kernel that Casemate runs on does.
pub fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_filled() {
        let mut seen = [0_u8; 600];
        for _ in 0..20 {
            let mut bytes = [0_u8; 600];
            fill_random(&mut bytes).unwrap();
            seen.iter_mut()
                .zip(bytes)
                .for_each(|(seen, byte)| *seen |= byte);
        }
        assert!(seen.iter().all(|byte| *byte != 0));
    }
}
