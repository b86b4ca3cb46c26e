//! One run: makes what is due.

use std::path::Path;

use daemon::BoxError;
use rustls_pki_types::{ServerName, UnixTime};
use secret::{Credentials, Text};

use crate::acme::past::Past;
use crate::acme::schedule::{self, Step};
use crate::acme::{self, Tools};
use crate::config::Acme;
use crate::decide::{Present, due};
use crate::issue::{Authority, Issued, fingerprint, issue};
use crate::job::{CA, CHAIN, CHALLENGES, DIALER, Error, PUBLIC, folder};
use crate::leaf::Leaf;
use crate::put::put;
use crate::report;
use crate::work::{Seen, Work};

/// The local authority with its private key: a credential, and as it is made.
const AUTHORITY: &str = "ca";

/// The account with the directory: a credential, and as it is made.
const ACCOUNT: &str = "acme";

/// What a credential holds where there is none (`SetCredential=`).
const NONE: &str = "none";

/// Whether it is known that no authority was sealed.
pub(crate) fn is_authority_missing(credentials: &Credentials) -> bool {
    matches!(credentials.text(AUTHORITY), Ok(text) if text.expose() == NONE)
}

/// One run.
pub(crate) struct Run {
    pub(crate) now: UnixTime,
    /// Those of the local certificate.
    pub(crate) names: Vec<ServerName<'static>>,
    pub(crate) seen: Seen,
    pub(crate) credentials: Credentials,
}

impl Run {
    fn public_leaf(&self) -> Option<Leaf> {
        Leaf::read(self.seen.public.as_deref()?).ok()
    }

    /// Does what there is to do, and writes what comes of it to the unit's `RuntimeDirectory=`.
    pub(crate) fn make(
        &self,
        work: &Work,
        acme: Option<&Acme>,
        mut past: Past,
    ) -> Result<(), BoxError> {
        let folder = folder()?;
        let put = |name: &str, text: &str| {
            put(&folder, name, text.as_bytes())
                .map_err(|error| Error::Write(folder.join(name), error))
        };
        let mut authority = self
            .seen
            .local
            .ca
            .as_deref()
            .map(String::from_utf8_lossy)
            .unwrap_or_default();
        if work.local.is_some() {
            let (made, issued) = self.local(self.credential(AUTHORITY)?)?;
            put(AUTHORITY, &made.sealable())?;
            put(CA, made.certificate())?;
            put(CHAIN, &issued.chain)?;
            put("tls-local", &issued.tls)?;
            authority = made.certificate().to_owned().into();
            let names: Vec<_> = self.names.iter().map(|name| name.to_str()).collect();
            let fingerprint = fingerprint(&authority);
            tracing::info!(
                fingerprint,
                "a certificate for {} was made; its authority's SHA-256 is {fingerprint}",
                names.join(", ")
            );
        }
        if work.local.is_some() || work.fill {
            put("issue", &report::issue(&fingerprint(&authority)))?;
        }
        if work.fill {
            put("fill", "")?;
        }
        if work.withdraw {
            put("withdraw", "")?;
            tracing::info!(
                "no public certificate is configured any more, so the one in use is taken away"
            );
        }
        if let (Some(acme), Some(step)) = (acme, work.public) {
            if let (Some(days), Some(leaf)) = (work.warning, self.public_leaf()) {
                report::expiring(self.now.as_secs(), acme, days, &leaf, &past);
                past.warned = Some(days);
                note(&folder, &past)?;
            }
            self.public(acme, step, past, &put)?;
        }
        Ok(())
    }

    /// A certificate by the authority that was sealed, or by a new one where that does not do for
    /// these names.
    fn local(&self, sealed: Option<Text>) -> Result<(Authority, Issued), Error> {
        if let Some(kept) = sealed
            .as_ref()
            .and_then(|sealed| Authority::read(sealed.expose()))
        {
            match issue(self.now, &self.names, &kept) {
                Ok(issued) if self.would_do(&kept, &issued) => return Ok((kept, issued)),
                Ok(_) | Err(_) => tracing::warn!(
                    "the local authority cannot sign for these names, or ends soon, so there is a new one; whoever trusted the former has to trust it"
                ),
            }
        }
        let authority = Authority::new(self.now, &self.names)?;
        let issued = issue(self.now, &self.names, &authority)?;
        Ok((authority, issued))
    }

    fn would_do(&self, authority: &Authority, issued: &Issued) -> bool {
        let present = Present {
            ca: Some(authority.certificate().into()),
            chain: Some(issued.chain.clone().into()),
        };
        due(self.now, &self.names, &present).is_none()
    }

    /// A credential that need not be there.
    fn credential(&self, name: &str) -> Result<Option<Text>, secret::Error> {
        let text = self.credentials.text(name)?;
        Ok(Some(text).filter(|text| text.expose() != NONE))
    }

    fn public(
        &self,
        acme: &Acme,
        step: Step,
        past: Past,
        put: &dyn Fn(&str, &str) -> Result<(), Error>,
    ) -> Result<(), BoxError> {
        let account = self.credential(ACCOUNT)?;
        let sealed = account.as_ref().map(Text::expose);
        let leaf = self.public_leaf();
        let now = self.now.as_secs();
        let tools = Tools {
            dialer: Path::new(DIALER),
            challenges: Path::new(CHALLENGES),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::System)?;
        match (step, leaf) {
            (Step::Rest(_), _) | (Step::Ask, None) => {}
            (Step::Ask, Some(leaf)) => {
                let answer = runtime.block_on(acme::ask(acme, sealed, &leaf.id, &tools));
                let answer = answer.unwrap_or_else(|error| {
                    tracing::warn!(
                        "the directory did not say when it wants the certificate renewed: {error}"
                    );
                    None
                });
                let plan =
                    schedule::planned(now, &leaf, past.planned_for(&leaf), answer, random()?);
                tracing::info!(
                    "the public certificate is renewed on {}",
                    report::date(plan.moment)
                );
                note(
                    &folder()?,
                    &Past {
                        planned: Some(plan),
                        ..past
                    },
                )?;
            }
            (Step::Order(_), leaf) => {
                let replaces = leaf.as_ref().map(|leaf| &leaf.id);
                let attempt = runtime.block_on(acme::obtain(acme, sealed, replaces, now, &tools));
                if let Some(account) = &attempt.account {
                    put(ACCOUNT, account)?;
                }
                match attempt.result {
                    Ok(obtained) => {
                        put(PUBLIC, &obtained.chain)?;
                        put("tls-acme", &obtained.tls)?;
                        note(&folder()?, &past.succeeded())?;
                        tracing::info!("a public certificate came from {}", acme.directory.text);
                    }
                    Err(error) => {
                        let failures = past.failures.saturating_add(1);
                        let next =
                            schedule::next_try(now, failures, attempt.retry_after, random()?);
                        let past = past.failed(next, &error.to_string());
                        report::failed(now, acme, leaf.as_ref(), &past);
                        note(&folder()?, &past)?;
                        put("failed", "")?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn note(folder: &Path, past: &Past) -> Result<(), Error> {
    past.write(folder)
        .map_err(|error| Error::Write(folder.to_owned(), error))
}

fn random() -> Result<u64, Error> {
    let mut bytes = [0; 8];
    secret::fill_random(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    fn run(names: &[&str], credentials: &Path) -> Run {
        Run {
            now: UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000)),
            names: names
                .iter()
                .map(|name| ServerName::try_from((*name).to_owned()).unwrap())
                .collect(),
            seen: Seen::default(),
            credentials: Credentials::in_directory(credentials),
        }
    }

    #[test]
    fn the_authority_is_kept_while_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let run = |names: &[&str]| run(names, folder.path());
        fs::write(folder.path().join(AUTHORITY), NONE).unwrap();
        let first = run(&["a.example"]);
        assert!(first.credential(AUTHORITY).unwrap().is_none());
        let (authority, _) = first.local(first.credential(AUTHORITY).unwrap()).unwrap();
        fs::write(
            folder.path().join(AUTHORITY),
            authority.sealable().as_bytes(),
        )
        .unwrap();
        let sealed = || first.credential(AUTHORITY).unwrap();
        let (again, _) = first.local(sealed()).unwrap();
        assert_eq!(again.certificate(), authority.certificate());
        let (other, issued) = run(&["b.example"]).local(sealed()).unwrap();
        assert_ne!(other.certificate(), authority.certificate());
        assert!(run(&["b.example"]).would_do(&other, &issued));
        let (fresh, _) = first.local(Some(Text::new("damaged".into()))).unwrap();
        assert_ne!(fresh.certificate(), authority.certificate());
    }
}
