//! The folder in memory that the service manager makes for a unit.

use std::ffi::OsString;
use std::path::PathBuf;

/// Why there is no such folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// `RUNTIME_DIRECTORY` is not set, or not to one absolute path: it was started by hand, or its
    /// unit has none or several.
    #[error(
        "there is no folder for what this makes (RUNTIME_DIRECTORY is not one absolute path), so \
         nothing was done; start it through its systemd unit"
    )]
    NotOne,
}

/// The unit's `RuntimeDirectory=` (systemd.exec(5)), which has to be one: of several the service
/// manager joins the paths with colons.
///
/// # Errors
/// [`FolderError::NotOne`].
pub fn runtime_folder() -> Result<PathBuf, FolderError> {
    one(std::env::var_os("RUNTIME_DIRECTORY"))
}

/// The path, where it is one. Pure.
fn one(value: Option<OsString>) -> Result<PathBuf, FolderError> {
    value
        .map(PathBuf::from)
        .filter(|path| path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&b':'))
        .ok_or(FolderError::NotOne)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_absolute_path_is_taken_and_nothing_else() {
        let given = |value: &str| one(Some(value.into()));
        assert_eq!(
            given("/run/casemate-keys"),
            Ok(PathBuf::from("/run/casemate-keys"))
        );
        for value in ["", "run", "./run", "/run/a:/run/b", ":/run/a"] {
            assert_eq!(given(value), Err(FolderError::NotOne), "{value}");
        }
        assert_eq!(one(None), Err(FolderError::NotOne));
    }
}
