//! Why the gate can't serve.

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
}
