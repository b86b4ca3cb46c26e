//! What is remembered from one run to the next: no secret, and nothing that could not be made up for.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::leaf::Leaf;
use crate::put::put;

/// The file, beside the certificates.
const FILE: &str = "acme.json";

/// Longest error that is kept, in characters.
const ERROR_CHARS: usize = 600;

/// What became of earlier attempts. Times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Past {
    /// The settings that this was noted for.
    pub settings: String,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// No attempt before this moment.
    pub next_try: u64,
    /// Why the last one failed.
    pub error: String,
    /// When the certificate is to be renewed.
    pub planned: Option<Planned>,
    /// The days left that were last warned of.
    pub warned: Option<u64>,
}

/// When a certificate is to be renewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Which certificate (RFC 9773, 4.1).
    pub certificate: String,
    /// The window's start.
    pub start: u64,
    /// And its end.
    pub end: u64,
    /// The moment in it that was chosen at random.
    pub moment: u64,
    /// When the directory is asked for the window again.
    pub ask_at: u64,
}

impl Past {
    /// What was noted in `folder`. What cannot be read is forgotten: it costs one attempt too many.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let past = fs::read(&path).map(|bytes| Self::parse(&bytes));
        match past {
            Ok(Ok(past)) => past,
            Ok(Err(error)) => {
                tracing::warn!(
                    "{} cannot be read and is begun anew: {error}",
                    path.display()
                );
                Self::default()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => {
                tracing::warn!(
                    "{} cannot be read and is begun anew: {error}",
                    path.display()
                );
                Self::default()
            }
        }
    }

    fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// Notes this in `folder`.
    ///
    /// # Errors
    /// When it cannot be written; what was noted before stays.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        put(folder, FILE, &serde_json::to_vec(self)?)
    }

    /// What is remembered for these settings, which is nothing if it was noted for others.
    #[must_use]
    pub fn under(self, settings: &str) -> Self {
        if self.settings == settings {
            self
        } else {
            Self {
                settings: settings.to_owned(),
                ..Self::default()
            }
        }
    }

    /// The plan for this very certificate.
    #[must_use]
    pub fn planned_for(&self, leaf: &Leaf) -> Option<&Planned> {
        let planned = self.planned.as_ref()?;
        (planned.certificate == leaf.id.to_string()).then_some(planned)
    }

    /// After one more failure.
    #[must_use]
    pub fn failed(self, next_try: u64, error: &str) -> Self {
        let line = error.chars().map(|c| if c.is_control() { ' ' } else { c });
        Self {
            failures: self.failures.saturating_add(1),
            next_try,
            error: line.take(ERROR_CHARS).collect(),
            ..self
        }
    }

    /// After a success: the new certificate has no plan yet.
    #[must_use]
    pub fn succeeded(self) -> Self {
        Self {
            settings: self.settings,
            ..Self::default()
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_broken_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Past::read(folder.path()), Past::default());
        let past = Past::default().under("a").failed(9, "no\nway");
        past.write(folder.path()).unwrap();
        let read = Past::read(folder.path());
        assert_eq!(read, past);
        assert_eq!((read.failures, read.error.as_str()), (1, "no way"));
        assert_eq!(read.clone().under("b").failures, 0);
        assert_eq!(read.under("a").succeeded().settings, "a");
        fs::write(folder.path().join(FILE), "{\"failures\":-1}").unwrap();
        assert_eq!(Past::read(folder.path()), Past::default());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Past::parse(&bytes);
        }

        #[test]
        fn an_error_is_one_bounded_line(error in "(.|\n){0,900}") {
            let past = Past::default().failed(0, &error);
            prop_assert!(past.error.chars().count() <= ERROR_CHARS && !past.error.contains(char::is_control));
        }
    }
}
