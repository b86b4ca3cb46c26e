//! How many instances a bot's file asks for.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chat_api::{BotFile, BotFileError};
use daemon::CONFIG_BYTES;
use rustix::fs::OFlags;

/// Why a file does not tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// It could not be read.
    #[error("it could not be read ({0})")]
    Read(io::ErrorKind),
    /// It is a folder, a pipe or the like.
    #[error("it is no file")]
    NoFile,
    /// It is longer than any bot's file.
    #[error("it is longer than {CONFIG_BYTES} bytes")]
    TooLong,
    /// It is malformed, or asks for what cannot be.
    #[error(transparent)]
    File(#[from] BotFileError),
}

impl From<io::Error> for Unknown {
    fn from(error: io::Error) -> Self {
        Self::Read(error.kind())
    }
}

/// Reads it. Never waits for a writer: process 1 runs this.
///
/// # Errors
/// As [`Unknown`] lists.
pub fn read(path: &Path) -> Result<u8, Unknown> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    Ok(BotFile::parse_instances(&text(&file)?)?)
}

fn text(file: &File) -> Result<String, Unknown> {
    if !file.metadata()?.is_file() {
        return Err(Unknown::NoFile);
    }
    let mut text = String::new();
    file.take(CONFIG_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_BYTES {
        return Err(Unknown::TooLong);
    }
    Ok(text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_a_file_that_says_so_asks_for_more_than_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.toml");
        let told = |text: &str| {
            fs::write(&path, text).unwrap();
            read(&path)
        };
        assert_eq!(told("title = 'Shop'"), Ok(1));
        assert_eq!(told("instances = 4"), Ok(4));
        assert!(matches!(told("instances = 0"), Err(Unknown::File(_))));
        assert_eq!(told(&"#".repeat(300 * 1024)), Err(Unknown::TooLong));
        fs::write(&path, [0xff]).unwrap();
        assert_eq!(read(&path), Err(Unknown::Read(io::ErrorKind::InvalidData)));
    }

    #[test]
    fn nothing_holds_process_1_up() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.toml");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(read(&pipe), Err(Unknown::NoFile));
        assert_eq!(read(folder.path()), Err(Unknown::NoFile));
        let absent = folder.path().join("absent");
        assert_eq!(read(&absent), Err(Unknown::Read(io::ErrorKind::NotFound)));
    }
}
