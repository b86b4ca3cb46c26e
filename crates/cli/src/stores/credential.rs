//! The key to a store: from a file, or a bot's own by way of systemd's tool.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use chat_api::Instance;
use secret::{KEY_BYTES, Key};
use zeroize::Zeroizing;

use super::target::{STANDARD, folder};
use crate::Error;
use crate::places::Places;

/// The name under which bots' keys are sealed.
const NAME: &str = "store";
/// systemd's own tool, which alone may use the machine's key.
const TOOL: &str = "systemd-creds";
/// Most bytes of what systemd's tool says that are shown.
const SAID_BYTES: u64 = 4096;

/// A new key.
pub(crate) fn new() -> Result<Key, Error> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    secret::fill_random(bytes.as_mut_slice()).map_err(Error::Random)?;
    Ok(Key::new(*bytes))
}

/// The key in a file.
pub(crate) fn from_file(path: &Path) -> Result<Key, Error> {
    let failed = |error| Error::Read(path.into(), error);
    let mut file = File::open(path).map_err(failed)?;
    read(&mut file)
        .map_err(failed)?
        .ok_or_else(|| Error::KeyLength(path.into()))
}

/// A bot's key.
pub(crate) fn of_bot(bot: &Instance, places: &Places) -> Result<Key, Error> {
    let sealed = places.key(bot);
    if sealed.exists() {
        unsealed(bot, &sealed)
    } else {
        Err(Error::NoCredential(bot.clone(), sealed))
    }
}

/// A key that was sealed for a bot, which only root can unseal, and only on its machine
/// (systemd-creds(1)).
pub(crate) fn unsealed(bot: &Instance, sealed: &Path) -> Result<Key, Error> {
    let failed = |why: String| Error::Credential(bot.clone(), sealed.into(), why);
    let mut tool = tool("decrypt", sealed, Path::new(STANDARD))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("{TOOL} could not be run: {error}")))?;
    let key = tool
        .stdout
        .take()
        .map_or(Ok(None), |mut out| read(&mut out));
    end(tool).map_err(failed)?;
    key.map_err(|error| failed(error.to_string()))?
        .ok_or_else(|| Error::KeyLength(sealed.into()))
}

/// Seals a key for a bot to `sealed`, a file that is there whole and durable or not at all.
pub(crate) fn seal(key: &Key, bot: &Instance, sealed: &Path) -> Result<(), Error> {
    let failed = |why: String| Error::Credential(bot.clone(), sealed.into(), why);
    let unfinished = sealed.with_extension("new");
    let mut tool = tool("encrypt", Path::new(STANDARD), &unfinished)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("{TOOL} could not be run: {error}")))?;
    let given = tool
        .stdin
        .take()
        .map_or(Ok(()), |mut input| input.write_all(key.expose()));
    end(tool).map_err(failed)?;
    given.map_err(|error| failed(error.to_string()))?;
    File::open(&unfinished)
        .and_then(|file| file.sync_all())
        .map_err(|error| Error::Write(unfinished.clone(), error))?;
    replace(&unfinished, sealed)
}

/// Gives a file another's name, durably.
pub(crate) fn replace(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::rename(from, to)
        .and_then(|()| File::open(folder(to))?.sync_all())
        .map_err(|error| Error::Write(to.into(), error))
}

fn tool(does: &str, from: &Path, to: &Path) -> Command {
    let mut command = Command::new(TOOL);
    command
        .arg(does)
        .arg(format!("--name={NAME}"))
        .args([from, to])
        .stderr(Stdio::piped());
    command
}

/// Waits for the tool; the error is what it complained of.
fn end(mut tool: Child) -> Result<(), String> {
    let mut said = String::new();
    if let Some(errors) = tool.stderr.take() {
        // What cannot be read of its complaint is only a poorer message.
        let _ = errors.take(SAID_BYTES).read_to_string(&mut said);
    }
    match tool.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(said.trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a key, `None` where there are more or fewer bytes than one has. Nothing is left in memory.
fn read(from: &mut dyn Read) -> io::Result<Option<Key>> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES + 1]);
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    key.copy_from_slice(&bytes[..KEY_BYTES]);
    Ok((length == KEY_BYTES).then(|| Key::new(*key)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_exactly_its_length() {
        let key = read(&mut [7; KEY_BYTES].as_slice()).unwrap().unwrap();
        assert_eq!(key.expose(), &[7; KEY_BYTES]);
        for length in [0, KEY_BYTES - 1, KEY_BYTES + 1, 5000] {
            assert!(read(&mut vec![7; length].as_slice()).unwrap().is_none());
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let error = from_file(&path).unwrap_err().to_string();
        assert!(error.contains("key could not be read"), "{error}");
        std::fs::write(&path, "0123").unwrap();
        let error = from_file(&path).unwrap_err().to_string();
        assert!(error.contains("32 raw bytes"), "{error}");
    }

    #[test]
    fn a_bot_without_a_key_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path().to_owned());
        let error = of_bot(&"shop".parse().unwrap(), &places).unwrap_err();
        assert!(error.to_string().contains("chat-shop.cred"), "{error}");
    }
}
