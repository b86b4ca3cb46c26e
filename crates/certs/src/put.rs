//! Writes files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Who may read what is written, as far as the unit's `UMask=` leaves it.
const FOR_OWNER: u32 = 0o600;

/// As [`FOR_OWNER`], and the folder's group.
const FOR_GROUP: u32 = 0o640;

/// Writes a file for this user alone and replaces the one of that name, if there is one.
///
/// # Errors
/// When it cannot be written; then the former file stays.
pub(crate) fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    write(folder, name, bytes, FOR_OWNER)
}

/// As [`put`], for the folder's group to read as well.
///
/// # Errors
/// As [`put`].
pub(crate) fn put_for_group(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    write(folder, name, bytes, FOR_GROUP)
}

fn write(folder: &Path, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    let unfinished = folder.join(format!(".{name}.new"));
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_whole_new_and_for_whom_they_are_meant() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "tls", b"one").unwrap();
        put(folder.path(), "tls", b"two").unwrap();
        put_for_group(folder.path(), "token", b"three").unwrap();
        let mode = |name| {
            fs::metadata(folder.path().join(name))
                .unwrap()
                .permissions()
                .mode()
                & 0o7777
        };
        assert_eq!(fs::read(folder.path().join("tls")).unwrap(), b"two");
        assert_eq!(mode("tls"), 0o600);
        assert_eq!(mode("token") & 0o717, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
