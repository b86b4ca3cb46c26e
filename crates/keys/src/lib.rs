//! `casemate-keys`: makes a key at random, once, and ends.
//!
//! The key is written to the unit's `RuntimeDirectory=`, which is memory. The
//! unit's next line has systemd's own tool seal it to the machine
//! (systemd-creds(1)), and the folder goes with the unit.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use daemon::{BoxError, Job};
use rustix::rand::{GetRandomFlags, getrandom};
use sandbox::{Confined, Plan};
use secret::KEY_BYTES;
use zeroize::Zeroizing;

/// The file in the folder that the key is written to.
pub const KEY_FILE: &str = "key";

/// The name that it has until it is whole.
const UNFINISHED: &str = ".key.new";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel gave no random bytes.
    #[error("the kernel gave no random bytes, so no key was made")]
    Random(#[from] rustix::io::Errno),
    /// It could not be written.
    #[error("the key could not be written to {0}, so what it is for does not start")]
    Write(PathBuf, #[source] io::Error),
}

/// The job.
#[derive(Debug)]
pub struct Keys;

/// There is nothing to configure.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl Job for Keys {
    const STEM: &'static str = "keys";
    type Config = Config;

    fn check(_config: &Config, _instance: Option<&str>) -> Result<(), String> {
        Ok(())
    }

    fn plan(_config: &Config, _instance: Option<&str>) -> Plan {
        daemon::runtime_folder().map_or_else(|_| Plan::new(), |folder| Plan::new().write(folder))
    }

    fn run(_config: Config, instance: Option<&str>, _confined: &Confined) -> Result<(), BoxError> {
        make(&daemon::runtime_folder()?)?;
        tracing::info!(key = instance, "a new key is ready to be sealed");
        Ok(())
    }
}

/// Writes [`KEY_BYTES`] random bytes to [`KEY_FILE`] in `folder`, readable by
/// this user alone. The file is there whole or not at all; one that is there
/// already is replaced, since it was never sealed.
///
/// # Errors
/// [`Error::Random`] and [`Error::Write`].
pub fn make(folder: &Path) -> Result<(), Error> {
    let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
    fill(&mut *key)?;
    write(folder, &*key).map_err(|error| Error::Write(folder.join(KEY_FILE), error))
}

/// By the system call itself: what goes by way of /dev/urandom does not work
/// confined. It waits until the kernel has gathered enough (getrandom(2)).
fn fill(mut key: &mut [u8]) -> rustix::io::Result<()> {
    while !key.is_empty() {
        match getrandom(&mut *key, GetRandomFlags::empty()) {
            Ok(count) => key = &mut key[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn write(folder: &Path, key: &[u8]) -> io::Result<()> {
    let unfinished = folder.join(UNFINISHED);
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(key)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, folder.join(KEY_FILE))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_long_enough_private_and_never_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KEY_FILE);
        let mut keys = std::collections::HashSet::new();
        for _ in 0..4 {
            make(folder.path()).unwrap();
            let key = std::fs::read(&path).unwrap();
            assert_eq!(key.len(), KEY_BYTES);
            assert!(keys.insert(key));
        }
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o600
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_cut_off_run_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(UNFINISHED), "half").unwrap();
        make(folder.path()).unwrap();
        assert_eq!(
            std::fs::read(folder.path().join(KEY_FILE)).unwrap().len(),
            KEY_BYTES
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_cannot_be_written_names_its_file() {
        let error = make(Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/key"), "{error}");
    }

    #[test]
    fn it_works_confined_to_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().to_owned(), elsewhere.path().to_owned());
        std::thread::spawn(move || {
            sandbox::confine_thread(&Plan::new().write(&inside)).unwrap();
            make(&inside).unwrap();
            assert!(make(&outside).is_err());
        })
        .join()
        .unwrap();
    }
}
