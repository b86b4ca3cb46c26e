//! The job, and what it tells its unit.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use daemon::{BoxError, Job};
use rustls_pki_types::UnixTime;
use sandbox::{Confined, Plan};
use secret::Credentials;

use crate::acme::past::Past;
use crate::acme::schedule::Step;
use crate::config::{Acme, Config};
use crate::decide::Present;
use crate::report;
use crate::run::{Run, is_authority_missing};
use crate::work::{Seen, Work, work};

/// Where the certificates are, as this unit sees them.
const FOLDER: &str = "/run/casemate/certs";

/// Copies of the chains that the gate was given.
const SERVING: &str = "/run/casemate/served";

/// Where the gate looks for answers to challenges.
pub(crate) const CHALLENGES: &str = "/run/casemate/challenges";

/// The dialer's socket for this service alone.
pub(crate) const DIALER: &str = "/run/casemate/dialer/certs/dialer.sock";

/// The folder that it is in.
const DIALER_FOLDER: &str = "/run/casemate/dialer/certs";

/// The local authority's certificate, there and as it is made.
pub(crate) const CA: &str = "ca.pem";

/// The local certificate, there and as it is made.
pub(crate) const CHAIN: &str = "chain.pem";

/// The public certificate, there and as it is made.
pub(crate) const PUBLIC: &str = "acme.pem";

/// "Nothing is due": for `ExecCondition=`, 1 to 254 mean that the unit is passed over.
const NOT_DUE: i32 = 1;

/// For `ExecCondition=`, 255 means that the unit has failed.
const FAILED: u8 = 255;

/// `casemate-certs`.
#[derive(Debug)]
pub struct Certs;

/// Why the job was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
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
    #[error("the kernel gave nothing random, or no runtime, so the certificate in use stays")]
    System(#[from] io::Error),
}

impl Job for Certs {
    const STEM: &'static str = "certs";
    type Config = Config;

    fn check(config: &Config, _instance: Option<&str>) -> Result<(), String> {
        config.acme()?;
        config.names().map(drop)
    }

    fn plan(config: &Config, _instance: Option<&str>) -> Plan {
        let there = |path: &&str| Path::new(path).exists();
        let mut plan = [FOLDER, SERVING]
            .iter()
            .filter(|path| there(path))
            .fold(Plan::new(), |plan, path| plan.read(path));
        if let Ok(folder) = folder() {
            plan = plan.write(folder);
        }
        if there(&event::SOCKET_FOLDER) {
            plan = plan.connect_packets(event::SOCKET_FOLDER);
        }
        let Ok(Some(acme)) = config.acme() else {
            return plan;
        };
        if there(&CHALLENGES) {
            plan = plan.write(CHALLENGES);
        }
        if there(&DIALER_FOLDER) {
            plan = plan.connect(DIALER_FOLDER);
        }
        match acme.root.filter(|root| root.exists()) {
            Some(root) => plan.read(root),
            None => plan,
        }
    }

    fn run(config: Config, instance: Option<&str>, _confined: &Confined) -> Result<(), BoxError> {
        let now = UnixTime::now();
        let names = config.names()?;
        let acme = config.acme()?;
        let settings = acme.as_ref().map(Acme::settings).unwrap_or_default();
        let past = Past::read(Path::new(FOLDER)).under(&settings);
        let credentials = Credentials::from_environment();
        let mut seen = seen()?;
        if is_authority_missing(&credentials) {
            // What its chain vouches for is not sealed in this way either: another release made it.
            seen.local.chain = None;
        }
        let work = work(now, &names, acme.as_ref(), &seen, &past);
        let run = Run {
            now,
            names,
            seen,
            credentials,
        };
        match instance {
            Some("due") => {
                tell(&work);
                if work.is_none() {
                    std::process::exit(NOT_DUE);
                }
            }
            Some("make") => {
                event::connect(event::SOCKET)?;
                let made = run.make(&work, acme.as_ref(), past);
                event::flush();
                made?;
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

fn tell(work: &Work) {
    if let Some(why) = &work.local {
        tracing::info!("a local certificate is due: {why}");
    }
    match work.public {
        Some(Step::Order(why)) => tracing::info!("a public certificate is due: {why}"),
        Some(Step::Rest(until)) => {
            tracing::info!(
                "nothing to do for the public certificate before {}",
                report::date(until)
            );
        }
        Some(Step::Ask) => {
            tracing::info!("the directory is asked when it wants the public certificate renewed")
        }
        None => {}
    }
    if work.is_none() {
        tracing::info!("the certificates in use are good");
    }
}

/// The unit's `RuntimeDirectory=` (systemd.exec(5)), which has to be one.
pub(crate) fn folder() -> Result<PathBuf, Error> {
    let folder = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    let single = |folder: &PathBuf| {
        folder.is_absolute() && !folder.as_os_str().as_encoded_bytes().contains(&b':')
    };
    folder.filter(single).ok_or(Error::NoFolder)
}

fn seen() -> Result<Seen, Error> {
    let (folder, serving) = (Path::new(FOLDER), Path::new(SERVING));
    Ok(Seen {
        local: Present {
            ca: read(&folder.join(CA))?,
            chain: read(&folder.join(CHAIN))?,
        },
        public: read(&folder.join(PUBLIC))?,
        serving_local: read(&serving.join("local.pem"))?,
        serving_public: read(&serving.join("acme.pem"))?,
    })
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::Read(path.to_owned(), error)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CHAIN);
        assert!(read(&path).unwrap().is_none());
        fs::write(&path, "chain").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some(&b"chain"[..]));
        assert!(matches!(read(folder.path()), Err(Error::Read(..))));
    }

    #[test]
    fn only_a_question_that_was_not_answered_fails_differently() {
        assert!(condition(ExitCode::FAILURE) == ExitCode::FAILURE);
        assert!(condition(ExitCode::SUCCESS) == ExitCode::SUCCESS);
    }
}
