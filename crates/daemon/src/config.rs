//! Reads TOML configuration with errors that help.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Longest configuration file that is read, in bytes.
pub const CONFIG_BYTES: u64 = 256 * 1024;

/// How alike an unknown key and a valid one must be for it to be suggested
/// (Jaro-Winkler, 0 to 1).
const LIKENESS: f64 = 0.7;

/// Why a configuration was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that exists and could not be read.
    #[error("{0} could not be read")]
    Read(PathBuf, #[source] io::Error),
    /// None of the files exists and there is no default.
    #[error("there is no configuration: none of {0:?} exists")]
    Missing(Vec<PathBuf>),
    /// Longer than [`CONFIG_BYTES`].
    #[error("{0} is longer than {CONFIG_BYTES} bytes")]
    TooLong(PathBuf),
    /// Not the TOML document that was expected.
    #[error("{path}: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and what, with the nearest valid key if one is unknown.
        why: String,
    },
    /// It reads well and cannot be served.
    #[error("{path}: {why}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// The key and what is wrong with its value.
        why: String,
    },
}

/// Reads the first of `paths` that exists. Gives `None` where none does.
///
/// # Errors
/// [`ConfigError::Read`] and [`ConfigError::TooLong`].
pub fn read(paths: &[PathBuf]) -> Result<Option<(PathBuf, String)>, ConfigError> {
    for path in paths {
        match read_one(path) {
            Ok(text) => return Ok(Some((path.clone(), text))),
            Err(ConfigError::Read(_, error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn read_one(path: &Path) -> Result<String, ConfigError> {
    let file = File::open(path).map_err(|error| ConfigError::Read(path.into(), error))?;
    let mut text = String::new();
    file.take(CONFIG_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| ConfigError::Read(path.into(), error))?;
    if text.len() as u64 > CONFIG_BYTES {
        return Err(ConfigError::TooLong(path.into()));
    }
    Ok(text)
}

/// Parses a TOML document. The error of an unknown key names the nearest valid
/// one.
///
/// # Errors
/// A text of several lines that shows the place in the document.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let shown = error.to_string();
        let shown = shown.trim_end();
        match nearest(error.message()) {
            Some(valid) => format!("{shown}\ndid you mean `{valid}`?"),
            None => shown.to_owned(),
        }
    })
}

/// The valid key nearest to an unknown one, out of serde's message:
/// ``unknown field `tilte`, expected one of `title`, `greeting` ``.
fn nearest(message: &str) -> Option<&str> {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    quoted
        .map(|valid| (strsim::jaro_winkler(unknown, valid), valid))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, valid)| valid)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        title: String,
        #[serde(default)]
        greeting: String,
    }

    #[test]
    fn a_misspelt_key_is_answered_with_the_nearest() {
        let error = parse::<Sample>("tilte = 'Shop'").unwrap_err();
        assert!(error.contains("`tilte`"), "{error}");
        assert!(error.ends_with("did you mean `title`?"), "{error}");
        assert!(error.contains("line 1"), "{error}");
    }

    #[test]
    fn a_key_like_no_other_gets_the_list_only() {
        let error = parse::<Sample>("xyz = 1").unwrap_err();
        assert!(!error.contains("did you mean"), "{error}");
        assert!(error.contains("`greeting`"), "{error}");
    }

    #[test]
    fn the_first_file_that_exists_counts() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["absent", "one", "two"].map(|name| folder.path().join(name));
        assert!(read(&paths).unwrap().is_none());
        std::fs::write(&paths[1], "title = 'one'").unwrap();
        std::fs::write(&paths[2], "title = 'two'").unwrap();
        let (path, text) = read(&paths).unwrap().unwrap();
        assert_eq!(path, paths[1]);
        let sample: Sample = parse(&text).unwrap();
        assert_eq!(
            (sample.title.as_str(), sample.greeting.as_str()),
            ("one", "")
        );
    }

    #[test]
    fn a_file_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        std::fs::write(&path, " ".repeat(300 * 1024)).unwrap();
        assert!(matches!(read(&[path]), Err(ConfigError::TooLong(_))));
    }
}
