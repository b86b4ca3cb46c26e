//! Why the gate can't serve.

use std::io;
use std::path::PathBuf;

/// What keeps the gate from starting, or from using other certificates than before.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No sealed key and certificate, and no folder of them either.
    #[error("without a certificate visitors cannot be served; casemate-certs.service makes one")]
    Credential(#[source] secret::Error),
    /// A folder that holds no certificate, and no credential in its place.
    #[error(
        "there is no certificate in {0}, and without one visitors cannot be served; casemate-certs.service puts it there"
    )]
    Absent(PathBuf, #[source] secret::Error),
    /// The folder of certificates is there and cannot be listed.
    #[error("the certificates in {0} could not be read")]
    Folder(PathBuf, #[source] io::Error),
    /// There are files, and none can be used; why is logged for each.
    #[error(
        "none of the certificates can be used; visitors cannot be served until casemate-certs.service has made one anew"
    )]
    NoCertificate,
    /// Of `client_ca`.
    #[error(
        "no connection can be told to be of the authority in {0}, as {1}; mend the file or take `tls.client_ca` out of gate.toml"
    )]
    ClientAuthority(PathBuf, String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up, so visitors cannot be served")]
    Tls(#[from] rustls::Error),
    /// The list of trusted proxies cannot be read.
    #[error(
        "{0} could not be read, so that clients behind proxies could not be told apart; make it readable, or take `networks_file` out of [proxies]"
    )]
    ProxiesUnread(PathBuf, #[source] io::Error),
    /// The list of trusted proxies cannot be used.
    #[error("the trusted proxies cannot be used, so that clients could not be told apart: {0}")]
    Proxies(String),
    /// There is no room for the threads that serve visitors.
    #[error("the system gives no thread to serve on, so visitors cannot be served")]
    Workers(#[source] io::Error),
    /// There are no random bytes.
    #[error("the system gives no random bytes, so that clients could not be hidden in the log")]
    Randomness(#[source] io::Error),
}
