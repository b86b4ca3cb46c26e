//! The folder, in memory, where counters are handed over. The service manager reads it as a
//! credential for the store's service, which sees nothing of the folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tpm::Count;

/// What the name ends with of the file that says how often a counter moved of late.
const WEAR: &str = ".wear";

/// What a file's name begins with until it is whole. No store's name begins with a dot, nor ends with [`WEAR`].
const UNFINISHED: &str = ".new.";

/// The folder.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Hands over what a counter says.
    pub(crate) fn hand_over(&self, store: &str, count: Count) -> io::Result<()> {
        self.write(store, &count.to_string())
    }

    /// Takes back what was handed over.
    pub(crate) fn withdraw(&self, store: &str) -> io::Result<()> {
        match fs::remove_file(self.0.join(store)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// When the counter's moves are forgotten (`wear.rs`); none are known where it can't be read.
    pub(crate) fn wear(&self, store: &str) -> Duration {
        let text = fs::read_to_string(self.0.join(format!("{store}{WEAR}"))).unwrap_or_default();
        text.parse().map_or(Duration::ZERO, Duration::from_secs)
    }

    /// Notes that.
    pub(crate) fn note_wear(&self, store: &str, forgotten: Duration) -> io::Result<()> {
        self.write(&format!("{store}{WEAR}"), &forgotten.as_secs().to_string())
    }

    /// Writes a file that is there whole or not at all. It need not survive the machine.
    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let unfinished = self.0.join(format!("{UNFINISHED}{name}"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&unfinished, self.0.join(name))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_is_replaced_and_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().into());
        folder.withdraw("chat-shop").unwrap();
        let count = Count {
            index: 0x0180_0000,
            first: 3,
            value: 4,
        };
        for count in [count, count.next()] {
            folder.hand_over("chat-shop", count).unwrap();
            let text = fs::read_to_string(dir.path().join("chat-shop")).unwrap();
            assert_eq!(text.parse(), Ok(count));
        }
        folder.withdraw("chat-shop").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn wear_is_remembered_and_nonsense_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().into());
        assert_eq!(folder.wear("chat-shop"), Duration::ZERO);
        folder
            .note_wear("chat-shop", Duration::from_secs(900))
            .unwrap();
        assert_eq!(folder.wear("chat-shop"), Duration::from_secs(900));
        fs::write(dir.path().join("chat-shop.wear"), "soon").unwrap();
        assert_eq!(folder.wear("chat-shop"), Duration::ZERO);
    }
}
