//! Keys and passwords that never print and leave no copy behind.
//!
//! Secrets reach a service only as systemd credentials
//! ([`Credentials`], see systemd.exec(5) "CREDENTIALS"): files in memory that
//! the service manager has decrypted for this one unit. Everything read is
//! zeroized when dropped, and `Debug` shows `[secret]`.

mod credentials;
mod random;

pub use credentials::{CREDENTIAL_BYTES, Credentials, Error};
pub use random::fill_random;

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Length of a symmetric key in bytes.
pub const KEY_BYTES: usize = 32;

/// A 256-bit symmetric key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// Takes the bytes of a key. The caller's own copy is the caller's to wipe.
    #[must_use]
    pub const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a cipher and for nothing else.
    #[must_use]
    pub const fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Secret text, such as an API key or a PEM private key.
#[derive(Clone)]
pub struct Text(Zeroizing<String>);

impl Text {
    /// Takes ownership of secret text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Key::new([7; KEY_BYTES])), "[secret]");
        assert_eq!(format!("{:?}", Text::new("hunter2".into())), "[secret]");
    }
}
