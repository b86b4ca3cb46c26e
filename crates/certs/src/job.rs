//! The job, and what it tells its unit.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use daemon::{BoxError, Job};
use rustls_pki_types::UnixTime;
use sandbox::{Confined, Plan};

use crate::config::Config;
use crate::decide::{Present, due};
use crate::issue::issue;

/// Where the certificates in use are.
const FOLDER: &str = "/run/casemate/certs";

/// The authority's certificate, there and as it is made.
const CA: &str = "ca.pem";

/// The certificate, there and as it is made.
const CHAIN: &str = "chain.pem";

/// Private key and certificate as they are made, to be sealed.
const TLS: &str = "tls";

/// "Nothing is due": for `ExecCondition=`, 1 to 254 mean that the unit is passed over.
const NOT_DUE: i32 = 1;

/// For `ExecCondition=`, 255 means that the unit has failed.
const FAILED: u8 = 255;

/// `casemate-certs`.
#[derive(Debug)]
pub struct Certs;

/// Why the job was not done.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("it is run as `--instance due` or `--instance make`, by its systemd unit")]
    Instance,
    #[error(
        "there is no folder for the certificate (RUNTIME_DIRECTORY is not one absolute path); start it through its systemd unit"
    )]
    NoFolder,
    #[error("{0} could not be read, so it is not known whether a certificate is due")]
    Read(PathBuf, #[source] io::Error),
    #[error("{0} could not be written, so the certificate in use stays")]
    Write(PathBuf, #[source] io::Error),
    #[error("the certificate could not be made, so the one in use stays")]
    Issue(#[from] rcgen::Error),
}

impl Job for Certs {
    const STEM: &'static str = "certs";
    type Config = Config;

    fn check(config: &Config, _instance: Option<&str>) -> Result<(), String> {
        config.names().map(drop)
    }

    fn plan(_config: &Config, _instance: Option<&str>) -> Plan {
        let mut plan = Plan::new();
        if Path::new(FOLDER).exists() {
            plan = plan.read(FOLDER);
        }
        match folder() {
            Ok(folder) => plan.write(folder),
            Err(_) => plan,
        }
    }

    fn run(config: Config, instance: Option<&str>, _confined: &Confined) -> Result<(), BoxError> {
        let names = config.names()?;
        match instance {
            Some("due") => {
                let Some(reason) = due(UnixTime::now(), &names, &present(Path::new(FOLDER))?)
                else {
                    tracing::info!("the certificate in use is good");
                    std::process::exit(NOT_DUE);
                };
                tracing::info!("a certificate is due: {reason}");
            }
            Some("make") => {
                let issued = issue(UnixTime::now(), &names).map_err(Error::from)?;
                let folder = folder()?;
                write(&folder, CA, &issued.ca)?;
                write(&folder, CHAIN, &issued.chain)?;
                write(&folder, TLS, &issued.tls)?;
                let names: Vec<_> = names.iter().map(|name| name.to_str()).collect();
                let fingerprint = issued.ca_fingerprint;
                tracing::info!(
                    fingerprint,
                    "a certificate for {} was made; its authority's SHA-256 is {fingerprint}",
                    names.join(", ")
                );
            }
            _ => return Err(Error::Instance.into()),
        }
        Ok(())
    }
}

/// The exit code of the process: where it was asked whether a certificate is
/// due and could not tell, one that fails the unit in place of passing it over.
#[must_use]
pub fn condition(done: ExitCode) -> ExitCode {
    let asked = std::env::args().any(|argument| argument == "due" || argument == "--instance=due");
    if asked && done != ExitCode::SUCCESS {
        ExitCode::from(FAILED)
    } else {
        done
    }
}

/// The unit's `RuntimeDirectory=` (systemd.exec(5)), which has to be one.
fn folder() -> Result<PathBuf, Error> {
    let folder = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    let single = |folder: &PathBuf| {
        folder.is_absolute() && !folder.as_os_str().as_encoded_bytes().contains(&b':')
    };
    folder.filter(single).ok_or(Error::NoFolder)
}

fn present(folder: &Path) -> Result<Present, Error> {
    let read = |name| match fs::read(folder.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::Read(folder.join(name), error)),
    };
    Ok(Present {
        ca: read(CA)?,
        chain: read(CHAIN)?,
    })
}

/// Writes a file that is new, for this user alone. The unit copies it once this
/// job has ended well, so it need not appear at once.
fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    let written = || -> io::Result<()> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    written().map_err(|error| Error::Write(path.clone(), error))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_new_and_private() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), TLS, "one").unwrap();
        write(folder.path(), TLS, "two").unwrap();
        let path = folder.path().join(TLS);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o600
        );
    }

    #[test]
    fn what_is_present_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(CHAIN), "chain").unwrap();
        let there = present(folder.path()).unwrap();
        assert_eq!(
            (there.ca, there.chain.as_deref()),
            (None, Some(&b"chain"[..]))
        );
        fs::create_dir(folder.path().join(CA)).unwrap();
        assert!(matches!(present(folder.path()), Err(Error::Read(..))));
    }

    #[test]
    fn only_a_question_that_was_not_answered_fails_differently() {
        assert!(condition(ExitCode::FAILURE) == ExitCode::FAILURE);
        assert!(condition(ExitCode::SUCCESS) == ExitCode::SUCCESS);
    }
}
