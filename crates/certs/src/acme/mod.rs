//! The public certificate, by ACME (RFC 8555).

mod account;
mod challenge;
mod http;
mod order;
pub mod past;
pub mod schedule;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::http::StatusCode;
use dialer_api::DialError;
use instant_acme::{Account, CertificateIdentifier};
use zeroize::Zeroizing;

use crate::config::{Acme, ROOTS};
use schedule::Window;

/// Longest time that one order may take in all. The unit's own limit is longer.
pub const ORDER_TIME: Duration = Duration::from_secs(240);

/// Longest time to ask for renewal information.
pub const ASK_TIME: Duration = Duration::from_secs(60);

/// Why there is no certificate. None of these touches the one in use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of roots.
    #[error(
        "`root` {0} cannot be used ({1}); put the authority's certificate there, as PEM, below {ROOTS}"
    )]
    Root(PathBuf, String),
    /// TLS could not be set up.
    #[error("TLS could not be set up: {0}")]
    Tls(String),
    /// The dialer has no declaration for the host.
    #[error(
        "the dialer may not connect certs to {host} port {port} ({detail}); declare it in /etc/casemate/dialer.toml as a \
         [[reach]] with unit = \"certs\", host = \"{host}\", ports = [{port}] (and private = true, if it is in a private \
         network), and restart casemate-dialer.service"
    )]
    Undeclared {
        /// The host.
        host: String,
        /// And port.
        port: u16,
        /// The dialer's words.
        detail: String,
    },
    /// The dialer gave no connection.
    #[error("{0} could not be reached: {1}")]
    Dial(String, #[source] DialError),
    /// The connection did not stand, or broke.
    #[error("the connection to {0} failed: {1}")]
    Connection(String, String),
    /// No answer in time.
    #[error("the directory did not answer within {0:?}")]
    Silent(Duration),
    /// An error without a problem document.
    #[error("{0} answered {1}")]
    Status(String, StatusCode),
    /// A URL that cannot be used.
    #[error("the directory named {0:?}: {1}")]
    Url(String, &'static str),
    /// What the directory or the protocol says.
    #[error(transparent)]
    Protocol(#[from] instant_acme::Error),
    /// Keys, signing requests.
    #[error("no key or request could be made: {0}")]
    Key(#[from] rcgen::Error),
    /// The account that was sealed.
    #[error(
        "the account that was sealed cannot be read ({0}); remove /var/lib/casemate/keys/acme.cred to begin another one"
    )]
    Account(#[from] serde_json::Error),
    /// A challenge could not be answered.
    #[error("{0} could not be written, so the challenge is not answered")]
    Put(PathBuf, #[source] io::Error),
    /// A token that is none.
    #[error("the directory's token is not base64url, so the challenge is not answered")]
    Token,
    /// Not the kind of challenge that was configured.
    #[error("the directory offers no {1} challenge for {0}; choose another `challenge`")]
    NoChallenge(String, &'static str),
    /// A name that was not asked for.
    #[error("the directory wants a proof for {0:?}, which was not asked for")]
    Stranger(String),
    /// The profile is not offered.
    #[error("the directory offers no profile {0:?}, but: {1}")]
    Profile(String, String),
    /// The proof failed.
    #[error("the directory did not accept the proof: {0}")]
    Refused(String),
    /// What came is not what was ordered.
    #[error("the certificate that came is not used: {0}")]
    Certificate(String),
    /// The whole took too long.
    #[error("it was not done within {0:?}")]
    Time(Duration),
}

/// What an order is made with.
#[derive(Debug)]
pub struct Tools<'a> {
    /// The dialer's socket for this service.
    pub dialer: &'a Path,
    /// Where answers to challenges are put.
    pub challenges: &'a Path,
}

/// A certificate that came, with its private key.
pub struct Obtained {
    /// The chain, PEM.
    pub chain: String,
    /// The private key (PKCS #8) and the chain as one PEM document.
    pub tls: Zeroizing<String>,
}

impl std::fmt::Debug for Obtained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Obtained").finish_non_exhaustive()
    }
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Attempt<T> {
    /// A new account, to be sealed whatever came of the rest.
    pub account: Option<Zeroizing<String>>,
    /// What was asked for.
    pub result: Result<T, Error>,
    /// When the directory asked to be left alone until, in seconds since 1970.
    pub retry_after: Option<u64>,
}

/// Orders a certificate with the sealed account, or a new one if it is none or another directory's.
pub async fn obtain(
    acme: &Acme,
    sealed: Option<&str>,
    replaces: Option<&CertificateIdentifier<'static>>,
    now: u64,
    tools: &Tools<'_>,
) -> Attempt<Obtained> {
    let mut made = None;
    let mut retry_after = None;
    let whole = async {
        let https = http::Https::new(dialer_api::Client::new(tools.dialer), acme.root.as_deref())?;
        let result = async {
            let account = account::open(acme, sealed, &https, &mut made).await?;
            match order::order(&account, acme, replaces, now, tools.challenges).await {
                // The directory has forgotten the account, as a test directory does at each start.
                Err(Error::Protocol(instant_acme::Error::Api(problem)))
                    if is(&problem, "accountDoesNotExist") && made.is_none() =>
                {
                    tracing::warn!(
                        "the directory no longer knows the account; another one is begun"
                    );
                    let account = account::open(acme, None, &https, &mut made).await?;
                    order::order(&account, acme, None, now, tools.challenges).await
                }
                other => other,
            }
        }
        .await;
        retry_after = https.retry_after();
        result
    };
    let result = tokio::time::timeout(ORDER_TIME, whole)
        .await
        .unwrap_or(Err(Error::Time(ORDER_TIME)));
    Attempt {
        account: made,
        result,
        retry_after,
    }
}

/// Asks when the certificate `id` should be renewed (RFC 9773): the window, and after how long to
/// ask again. None where the directory does not say.
///
/// # Errors
/// When it could not be asked.
pub async fn ask(
    acme: &Acme,
    sealed: Option<&str>,
    id: &CertificateIdentifier<'static>,
    tools: &Tools<'_>,
) -> Result<Option<(Window, Duration)>, Error> {
    let whole = async {
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let https = http::Https::new(dialer_api::Client::new(tools.dialer), acme.root.as_deref())?;
        let Some(account) = account::restore(acme, sealed, &https).await? else {
            return Ok(None);
        };
        window(&account, id).await
    };
    tokio::time::timeout(ASK_TIME, whole)
        .await
        .unwrap_or(Err(Error::Time(ASK_TIME)))
}

async fn window(
    account: &Account,
    id: &CertificateIdentifier<'static>,
) -> Result<Option<(Window, Duration)>, Error> {
    match account.renewal_info(id).await {
        Err(instant_acme::Error::Unsupported(_)) => Ok(None),
        Err(error) => Err(error.into()),
        Ok((info, after)) => {
            let seconds = |time: i64| u64::try_from(time).unwrap_or(0);
            if let Some(page) = &info.explanation_url {
                tracing::info!(
                    "the directory explains when it wants the certificate renewed: {page:?}"
                );
            }
            let window = Window {
                start: seconds(info.suggested_window.start.unix_timestamp()),
                end: seconds(info.suggested_window.end.unix_timestamp()),
            };
            if window.end <= window.start {
                return Err(Error::Certificate(
                    "its window for renewal ends before it starts".to_owned(),
                ));
            }
            Ok(Some((window, after)))
        }
    }
}

/// Whether a problem is of this kind (RFC 8555, 6.7).
fn is(problem: &instant_acme::Problem, kind: &str) -> bool {
    problem
        .r#type
        .as_deref()
        .and_then(|text| text.strip_prefix("urn:ietf:params:acme:error:"))
        == Some(kind)
}
