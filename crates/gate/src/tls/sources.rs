//! Where certificates come from.

use std::path::{Path, PathBuf};

use secret::Credentials;

use super::folder::{self, File};
use crate::Error;

/// The credential that holds a private key and its certificate chain as PEM.
const CREDENTIAL: &str = "tls";

/// Where certificates and the answers to authorities' challenges are.
#[derive(Debug)]
pub struct Sources {
    folder: Option<PathBuf>,
    challenges: Option<PathBuf>,
    credentials: Credentials,
}

impl From<&Credentials> for Sources {
    /// The one certificate in the credential `tls`.
    fn from(credentials: &Credentials) -> Self {
        Self {
            folder: None,
            challenges: None,
            credentials: credentials.clone(),
        }
    }
}

impl Sources {
    /// Takes certificates from a folder of `NAME.pem`, each with a private key and its
    /// chain. The credential counts where the folder holds none.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Answers challenges from a folder with `alpn/DOMAIN.pem` and `http/TOKEN`.
    #[must_use]
    pub fn challenges(mut self, folder: impl Into<PathBuf>) -> Self {
        self.challenges = Some(folder.into());
        self
    }

    pub(crate) fn challenge_folder(&self) -> Option<&Path> {
        self.challenges.as_deref()
    }

    /// All files there are now.
    pub(super) fn read(&self) -> Result<Vec<File>, Error> {
        if let Some(folder) = &self.folder {
            let files =
                folder::read(folder).map_err(|error| Error::Folder(folder.clone(), error))?;
            if !files.is_empty() {
                return Ok(files);
            }
        }
        let absent = |error| match &self.folder {
            Some(folder) => Error::Absent(folder.clone(), error),
            None => Error::Credential(error),
        };
        let content = self.credentials.bytes(CREDENTIAL).map_err(absent)?;
        Ok(vec![File {
            name: format!("the credential {CREDENTIAL}"),
            content: Ok(content),
        }])
    }
}
