//! One configured provider: its settings, its key, its connections.

mod call;
mod connect;
mod pool;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::HeaderValue;
use llm_api::ProviderStatus;
use rustls_pki_types::ServerName;
use secret::Credentials;
use zeroize::Zeroizing;

use crate::config::{Entry, Target};

pub(crate) use call::{Reply, start};
use connect::Tls;
use pool::Pool;

/// What this kind of provider is called in a status.
const KIND: &str = "openai";

/// How often a provider was asked, and how often in vain.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    calls: AtomicU64,
    failures: AtomicU64,
}

impl Counts {
    /// One more call.
    pub(crate) fn call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// One more call that failed.
    pub(crate) fn failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Both, for a status.
    pub(crate) fn status(&self, name: &str, kind: &str) -> ProviderStatus {
        ProviderStatus {
            name: name.to_owned(),
            kind: kind.to_owned(),
            calls: self.calls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

/// One configured provider.
#[derive(Debug)]
pub(crate) struct Provider {
    /// Its entry in the configuration.
    pub(crate) entry: Entry,
    /// How it fares.
    pub(crate) counts: Counts,
    dialer: dialer_api::Client,
    /// What a call needs, or why there can be none.
    access: Result<Access, String>,
    pool: Pool,
}

/// What a call needs.
struct Access {
    target: Target,
    host: HeaderValue,
    tls: Option<Tls>,
    /// `Bearer …`; its bytes are wiped when the last request that bears it is gone.
    key: Option<HeaderValue>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// Sets a provider up. One that cannot be used is kept, so that its callers hear why; the others and the built-in
    /// answerer are not its hostages.
    pub(crate) fn new(
        entry: Entry,
        credentials: &Credentials,
        dialer: dialer_api::Client,
    ) -> Arc<Self> {
        let access = access(&entry, credentials);
        if let Err(why) = &access {
            tracing::error!(
                provider = entry.name,
                "a provider cannot be used; its bots answer nothing: {why}"
            );
        }
        Arc::new(Self {
            entry,
            counts: Counts::default(),
            dialer,
            access,
            pool: Pool::default(),
        })
    }

    /// How it fares, for a status.
    pub(crate) fn status(&self) -> ProviderStatus {
        self.counts.status(&self.entry.name, KIND)
    }
}

fn access(entry: &Entry, credentials: &Credentials) -> Result<Access, String> {
    let target = entry.target()?;
    let host = HeaderValue::from_str(&target.authority).map_err(|error| error.to_string())?;
    let key = entry
        .credential
        .as_deref()
        .map(|name| bearer(credentials, name))
        .transpose()?;
    let tls = if target.tls {
        let name = ServerName::try_from(target.host.clone()).map_err(|error| error.to_string())?;
        Some((tls::settings(entry.ca_file.as_deref())?, name))
    } else {
        None
    };
    Ok(Access {
        target,
        host,
        tls,
        key,
    })
}

fn bearer(credentials: &Credentials, name: &str) -> Result<HeaderValue, String> {
    const SCHEME: &str = "Bearer ";
    let key = credentials.text(name).map_err(|error| error.to_string())?;
    let key = key.expose().trim();
    if key.is_empty() {
        return Err(format!("the credential {name:?} is empty"));
    }
    // Of the right size at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SCHEME.len() + key.len()));
    bytes.extend_from_slice(SCHEME.as_bytes());
    bytes.extend_from_slice(key.as_bytes());
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes))
        .map_err(|_| format!("the credential {name:?} holds characters that no key has"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn provider(lines: &str, key: Option<&[u8]>) -> Arc<Provider> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(key) = key {
            std::fs::write(folder.path().join("provider.a"), key).unwrap();
        }
        let text =
            format!("name = \"a\"\nmodel = \"m\"\nbase_url = \"https://a.example/v1\"\n{lines}");
        let credentials = Credentials::in_directory(folder.path());
        Provider::new(
            toml::from_str(&text).unwrap(),
            &credentials,
            dialer_api::Client::new("/nowhere"),
        )
    }

    #[test]
    fn the_key_is_sent_and_never_shown() {
        let provider = provider("credential = \"provider.a\"", Some(b"sk-secret\n"));
        let access = provider.access.as_ref().unwrap();
        assert_eq!(access.key.as_ref().unwrap(), "Bearer sk-secret");
        assert!(!format!("{provider:?} {:?}", access.key).contains("sk-secret"));
    }

    #[test]
    fn a_provider_that_cannot_be_used_says_why() {
        for (key, part) in [
            (None, "was not given"),
            (Some(&b" \n"[..]), "is empty"),
            (Some(b"a\nb"), "characters"),
        ] {
            let provider = provider("credential = \"provider.a\"", key);
            assert!(
                provider
                    .access
                    .as_ref()
                    .is_err_and(|why| why.contains(part)),
                "{part}: {:?}",
                provider.access
            );
        }
        let provider = provider("ca_file = \"/nonexistent/ca.pem\"", None);
        assert!(
            provider
                .access
                .as_ref()
                .is_err_and(|why| why.contains("/nonexistent/ca.pem"))
        );
    }
}
