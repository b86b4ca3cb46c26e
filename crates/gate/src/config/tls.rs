//! `[tls]` in `gate.toml`.

use std::path::PathBuf;

use serde::Deserialize;

/// How connections are encrypted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// A PEM file with the authorities, one of which must have signed the certificate
    /// that whoever connects presents: for a gate behind a content delivery network
    /// that signs its connections ("authenticated origin pulls"). Visitors who come
    /// directly have no such certificate and are refused. The file is read when the
    /// gate starts. Its unit shows it `/etc/casemate/origin-pull.pem`; another path needs a
    /// drop-in with `BindReadOnlyPaths=`.
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    /// Rejects what could not be served with.
    pub(crate) fn check(&self) -> Result<(), String> {
        match &self.client_ca {
            Some(path) if !path.is_absolute() => Err(format!(
                "`tls.client_ca` is {path:?}; it must be an absolute path"
            )),
            _ => Ok(()),
        }
    }
}
