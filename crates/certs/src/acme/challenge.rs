//! Puts the answers to challenges where the gate finds them, and takes them away again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use instant_acme::KeyAuthorization;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256,
};

use super::Error;
use crate::config::Challenge;
use crate::issue::joined;
use crate::put::put_for_group;

/// Longest token that becomes a file's name, in bytes.
const TOKEN_BYTES: usize = 128;

/// The answers of one order; they go when it is dropped.
#[derive(Debug)]
pub(super) struct Answers {
    folder: PathBuf,
    written: Vec<PathBuf>,
}

impl Answers {
    /// None yet, below `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            written: Vec::new(),
        }
    }

    /// Answers one challenge for `name`.
    pub(super) fn put(
        &mut self,
        challenge: Challenge,
        name: &str,
        token: &str,
        answer: &KeyAuthorization,
    ) -> Result<(), Error> {
        match challenge {
            Challenge::Http01 => {
                if !is_token(token) {
                    return Err(Error::Token);
                }
                self.write("http", token, answer.as_str().as_bytes())
            }
            Challenge::TlsAlpn01 => {
                let pem = certificate(name, answer.digest().as_ref())?;
                self.write("alpn", &format!("{name}.pem"), pem.as_bytes())
            }
        }
    }

    fn write(&mut self, kind: &str, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let folder = self.folder.join(kind);
        let path = folder.join(name);
        put_for_group(&folder, name, bytes).map_err(|error| Error::Put(path.clone(), error))?;
        self.written.push(path);
        Ok(())
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        for path in &self.written {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!("{} could not be removed: {error}", path.display());
                }
                _ => {}
            }
        }
    }
}

/// Whether a token is one (RFC 8555, 8.3): base64url, which no path can be made of.
fn is_token(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=TOKEN_BYTES).contains(&text.len()) && text.bytes().all(digit)
}

/// Private key and self-signed certificate for `name` that carry the digest (RFC 8737, 3).
fn certificate(name: &str, digest: &[u8]) -> Result<zeroize::Zeroizing<String>, rcgen::Error> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?.pem();
    Ok(joined(
        &zeroize::Zeroizing::new(key.serialize_pem()),
        &certificate,
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    use x509_parser::prelude::{FromDer as _, X509Certificate};

    use super::*;

    #[test]
    fn a_challenge_certificate_carries_the_digest_and_one_name() {
        let digest = [7; 32];
        let pem = certificate("shop.example", &digest).unwrap();
        PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let (_, read) = X509Certificate::from_der(&der).unwrap();
        let extension = read
            .extensions()
            .iter()
            .find(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31")
            .unwrap();
        assert!(extension.critical);
        assert_eq!(extension.value, [&[0x04, 32][..], &digest].concat());
        let names = read.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names.len(), 1);
    }

    #[test]
    fn answers_go_with_the_order() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("http")).unwrap();
        let mut answers = Answers::new(folder.path());
        answers.write("http", "token", b"answer").unwrap();
        assert_eq!(
            fs::read(folder.path().join("http/token")).unwrap(),
            b"answer"
        );
        drop(answers);
        assert_eq!(fs::read_dir(folder.path().join("http")).unwrap().count(), 0);
    }

    proptest! {
        #[test]
        fn a_token_is_one_file_name(text in "\\PC{0,140}|[a-zA-Z0-9_-]{0,140}|[./]{1,4}") {
            if is_token(&text) {
                let path = Path::new("a").join(&text);
                prop_assert_eq!(path.parent(), Some(Path::new("a")));
                prop_assert!(path.file_name().is_some());
            } else {
                prop_assert!(text.is_empty() || text.len() > TOKEN_BYTES || text.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_'));
            }
        }
    }
}
