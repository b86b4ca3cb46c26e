//! Where a snapshot is written to: a new file that has its name only once it is whole, or the
//! standard output.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::Error;

/// What stands for the standard streams.
pub(crate) const STANDARD: &str = "-";

/// An output that is being written.
#[derive(Debug)]
pub(crate) enum Target {
    File(NamedTempFile, PathBuf),
    Output(File),
}

impl Target {
    /// Begins a file beside its later name, readable by its owner alone.
    pub(crate) fn begin(path: &Path) -> Result<Self, Error> {
        if path == Path::new(STANDARD) {
            let out = io::stdout();
            if out.is_terminal() {
                return Err(Error::Terminal);
            }
            let out = out.as_fd().try_clone_to_owned();
            return Ok(Self::Output(
                out.map_err(|e| Error::Write(path.into(), e))?.into(),
            ));
        }
        if path.symlink_metadata().is_ok() {
            return Err(Error::FileExists(path.into()));
        }
        let file = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(folder(path))
            .map_err(|error| Error::Write(path.into(), error))?;
        Ok(Self::File(file, path.into()))
    }

    /// Makes it durable and gives it its name.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let (file, path) = match self {
            Self::File(file, path) => (file, path),
            Self::Output(_) => return Ok(()),
        };
        let failed = |error| Error::Write(path.clone(), error);
        file.as_file().sync_all().map_err(failed)?;
        file.persist_noclobber(&path)
            .map_err(|error| match error.error.kind() {
                io::ErrorKind::AlreadyExists => Error::FileExists(path.clone()),
                _ => failed(error.error),
            })?;
        File::open(folder(&path))
            .and_then(|folder| folder.sync_all())
            .map_err(failed)
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file, _) => file.write(bytes),
            Self::Output(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.flush(),
            Self::Output(out) => out.flush(),
        }
    }
}

/// The folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_there_whole_private_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut target = Target::begin(&path).unwrap();
        target.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(target);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        let mut target = Target::begin(&path).unwrap();
        target.write_all(b"whole").unwrap();
        target.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let error = Target::begin(&path).unwrap_err();
        assert!(matches!(error, Error::FileExists(_)));
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn what_appears_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let target = Target::begin(&path).unwrap();
        std::fs::write(&path, "another's").unwrap();
        assert!(matches!(target.finish(), Err(Error::FileExists(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"another's");
    }
}
