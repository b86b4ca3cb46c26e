//! Why the gate can't serve.

use std::path::PathBuf;

/// What keeps the gate from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No sealed key and certificate.
    #[error("without a certificate visitors cannot be served; casemate-certs.service makes one")]
    Credential(#[from] secret::Error),
    /// The credential does not hold what it should.
    #[error(
        "the credential \"tls\" {0}; visitors cannot be served until casemate-certs.service has made it anew"
    )]
    Malformed(&'static str),
    /// TLS refuses the key or the chain.
    #[error("the certificate cannot be used, so visitors cannot be served")]
    Tls(#[from] rustls::Error),
    /// The list of trusted proxies cannot be read.
    #[error(
        "{0} could not be read, so that clients behind proxies could not be told apart; make it readable, or take `networks_file` out of [proxies]"
    )]
    ProxiesUnread(PathBuf, #[source] std::io::Error),
    /// The list of trusted proxies cannot be used.
    #[error("the trusted proxies cannot be used, so that clients could not be told apart: {0}")]
    Proxies(String),
    /// There are no random bytes.
    #[error("the system gives no random bytes, so that clients could not be hidden in the log")]
    Randomness(#[source] std::io::Error),
}
