//! Reads systemd credentials.

use std::env;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{KEY_BYTES, Key, Text};

/// Longest credential that is read, in bytes (systemd's own limit for one).
pub const CREDENTIAL_BYTES: usize = 1024 * 1024;

/// Why a credential could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The unit was started without `LoadCredential…=`.
    #[error(
        "no credentials were given to this unit (CREDENTIALS_DIRECTORY is not set): {0:?} cannot be read; start the service through its systemd unit"
    )]
    NoDirectory(String),
    /// A name that is not one plain file name.
    #[error("{0:?} is not a credential's name")]
    Name(String),
    /// This one is missing.
    #[error("the credential {0:?} was not given to this unit")]
    Missing(String),
    /// Reading failed.
    #[error("the credential {0:?} could not be read")]
    Read(String, #[source] io::Error),
    /// A key of the wrong length.
    #[error(
        "the credential {name:?} has {length} bytes where a key has {KEY_BYTES}: data sealed with the right key stays unreadable until it is restored"
    )]
    KeyLength {
        /// The credential's name.
        name: String,
        /// Its length in bytes.
        length: usize,
    },
    /// Text that is not UTF-8, or too long.
    #[error("the credential {0:?} is not text of at most {CREDENTIAL_BYTES} bytes")]
    Text(String),
}

/// The credentials that the service manager gave to this unit.
#[derive(Debug, Clone)]
pub struct Credentials {
    directory: Option<PathBuf>,
}

impl Credentials {
    /// Those of this process, from `$CREDENTIALS_DIRECTORY`.
    #[must_use]
    pub fn from_environment() -> Self {
        Self {
            directory: env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
        }
    }

    /// Those in `directory`.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: Some(directory.into()),
        }
    }

    /// The folder that holds them, if any were given.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// A key of exactly [`KEY_BYTES`] bytes.
    ///
    /// # Errors
    /// When it is missing, unreadable or of another length.
    pub fn key(&self, name: &str) -> Result<Key, Error> {
        let bytes = self.bytes(name)?;
        let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).map_err(|_| Error::KeyLength {
            name: name.to_owned(),
            length: bytes.len(),
        })?;
        Ok(Key::new(key))
    }

    /// Secret text; one trailing line break is dropped.
    ///
    /// # Errors
    /// When it is missing, unreadable, too long or not UTF-8.
    pub fn text(&self, name: &str) -> Result<Text, Error> {
        let bytes = self.bytes(name)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Error::Text(name.to_owned()))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        Ok(Text::new(text.to_owned()))
    }

    /// The raw bytes.
    ///
    /// # Errors
    /// When it is missing, unreadable or too long.
    pub fn bytes(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            return Err(Error::Name(name.to_owned()));
        }
        let directory = self
            .directory
            .as_ref()
            .ok_or_else(|| Error::NoDirectory(name.to_owned()))?;
        let file = File::open(directory.join(name)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Missing(name.to_owned()),
            _ => Error::Read(name.to_owned(), error),
        })?;
        // Reserved at once, since a vector that grows leaves copies behind.
        let length = file.metadata().map_or(0, |data| data.len());
        let length = usize::try_from(length).unwrap_or(CREDENTIAL_BYTES);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.min(CREDENTIAL_BYTES) + 1));
        file.take(CREDENTIAL_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::Read(name.to_owned(), error))?;
        if bytes.len() > CREDENTIAL_BYTES {
            return Err(Error::Text(name.to_owned()));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn with(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Credentials) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), bytes).unwrap();
        let credentials = Credentials::in_directory(folder.path());
        (folder, credentials)
    }

    #[test]
    fn a_key_has_exactly_its_length() {
        let (_folder, given) = with("store", &[9; KEY_BYTES]);
        assert_eq!(given.key("store").unwrap().expose(), &[9; KEY_BYTES]);
        let (_folder, given) = with("store", &[9; KEY_BYTES - 1]);
        assert!(matches!(
            given.key("store"),
            Err(Error::KeyLength { length: 31, .. })
        ));
    }

    #[test]
    fn text_loses_one_line_break() {
        let (_folder, given) = with("provider.a", b"sk-1\n");
        assert_eq!(given.text("provider.a").unwrap().expose(), "sk-1");
    }

    #[test]
    fn names_cannot_leave_the_folder() {
        let (_folder, given) = with("a", b"x");
        for name in ["../a", "/etc/passwd", "", ".", "..", "a\0"] {
            assert!(matches!(given.bytes(name), Err(Error::Name(_))), "{name:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let (_folder, given) = with("a", b"x");
        assert!(
            given
                .key("store")
                .unwrap_err()
                .to_string()
                .contains("\"store\"")
        );
    }
}
