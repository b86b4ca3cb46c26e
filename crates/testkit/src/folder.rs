//! A temporary folder with sockets in it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::UnixListener;

/// A folder that is gone when it is dropped.
#[derive(Debug)]
pub struct Folder(TempDir);

#[expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]
impl Folder {
    /// Makes one.
    ///
    /// # Panics
    /// When there is no room for temporary files.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is not a value but a folder")]
    pub fn new() -> Self {
        Self(TempDir::with_prefix("casemate-").expect("temporary files can be made"))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file and returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).expect("a temporary file can be written");
        path
    }

    /// Listens on a socket in it, as the service manager would; its path and the listener. Must be called within a runtime.
    ///
    /// # Panics
    /// When the name is taken.
    pub fn listen(&self, name: &str) -> (PathBuf, UnixListener) {
        let path = self.path().join(name);
        let listener = UnixListener::bind(&path).expect("a socket can be bound in a fresh folder");
        (path, listener)
    }
}
