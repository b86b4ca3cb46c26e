//! Speaks HTTP with a directory: sockets from the dialer, TLS by ourselves, one connection a request.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dialer_api::{DialError, Refusal};
use http::header::{HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use rustls::{ClientConfig, RootCertStore, version};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Error;
use crate::config::Url;

/// Longest answer that is read, in bytes. A chain has some thousands.
const ANSWER_BYTES: usize = 256 * 1024;

/// How long one request may take, from the dialling to the answer's end.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Most headers of an answer.
const HEADERS: usize = 100;

/// Largest file of root certificates, in bytes.
const ROOT_BYTES: u64 = 1024 * 1024;

/// The way to directories.
#[derive(Clone)]
pub(super) struct Https {
    dialer: dialer_api::Client,
    tls: Arc<ClientConfig>,
    retry_after: Arc<Mutex<Option<u64>>>,
}

impl Https {
    /// By the dialer behind `dialer`, trusting the certificates in `root`, or the public
    /// authorities if that is none.
    pub(super) fn new(dialer: dialer_api::Client, root: Option<&Path>) -> Result<Self, Error> {
        let roots = match root {
            None => RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
            Some(path) => read_roots(path).map_err(|why| Error::Root(path.to_owned(), why))?,
        };
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ClientConfig::builder_with_provider(crypto)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(|error| Error::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            dialer,
            tls: Arc::new(tls),
            retry_after: Arc::default(),
        })
    }

    /// When the directory last asked to be left alone until, in seconds since 1970.
    pub(super) fn retry_after(&self) -> Option<u64> {
        *self
            .retry_after
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn heed(&self, headers: &HeaderMap) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let wanted = wait(headers, now.as_secs());
        if wanted.is_some() {
            *self
                .retry_after
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = wanted;
        }
    }

    async fn exchange(
        self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Result<Response<Full<Bytes>>, Error> {
        let url = target(request.uri())?;
        let socket = self
            .dialer
            .dial(&url.host, url.port)
            .await
            .map_err(|error| dial_error(&url, error))?;
        let io = |error: std::io::Error| Error::Connection(url.host.clone(), error.to_string());
        let stream = TcpStream::from_std(socket).map_err(io)?;
        stream.set_nodelay(true).map_err(io)?;
        let name = ServerName::try_from(url.host.clone())
            .map_err(|error| Error::Tls(error.to_string()))?;
        let stream = TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, stream)
            .await
            .map_err(io)?;
        let broken = |error: hyper::Error| Error::Connection(url.host.clone(), error.to_string());
        let (mut sender, connection) = http1::Builder::new()
            .max_headers(HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let driven = tokio::spawn(connection);
        let response = sender.send_request(local(request)?).await.map_err(broken)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        driven.abort();
        if parts.status.is_client_error() || parts.status.is_server_error() {
            self.heed(&parts.headers);
            // What is no problem document (RFC 7807), or breaks off, would be reported as such, and
            // not as what the directory answered.
            let body = body.map(Collected::to_bytes).unwrap_or_default();
            return if serde_json::from_slice::<instant_acme::Problem>(&body).is_err() {
                Err(Error::Status(url.host, parts.status))
            } else {
                Ok(Response::from_parts(parts, Full::new(body)))
            };
        }
        let body = body
            .map_err(|error| Error::Connection(url.host.clone(), error.to_string()))?
            .to_bytes();
        Ok(Response::from_parts(parts, Full::new(body)))
    }
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let this = self.clone();
        Box::pin(async move {
            let answer = timeout(REQUEST_TIME, this.exchange(request))
                .await
                .unwrap_or(Err(Error::Silent(REQUEST_TIME)));
            answer
                .map(BytesResponse::from)
                .map_err(|error| instant_acme::Error::Other(Box::new(error)))
        })
    }
}

fn target(uri: &Uri) -> Result<Url, Error> {
    let text = uri.to_string();
    // A query is the directory's own business.
    let bare = text.split('?').next().unwrap_or(&text);
    crate::config::url(bare).map_err(|why| Error::Url(text.clone(), why))
}

/// The request as it goes over the wire: the path alone, and the host in its header.
fn local(request: Request<BodyWrapper<Bytes>>) -> Result<Request<BodyWrapper<Bytes>>, Error> {
    let (mut parts, body) = request.into_parts();
    let text = parts.uri.to_string();
    let wrong = |why| Error::Url(text.clone(), why);
    let authority = parts
        .uri
        .authority()
        .ok_or_else(|| wrong("it names no host"))?;
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong("its host is none"))?;
    parts.headers.insert(HOST, host);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().map_err(|_| wrong("its path is none"))?;
    Ok(Request::from_parts(parts, body))
}

fn dial_error(url: &Url, error: DialError) -> Error {
    match error {
        DialError::Refused {
            kind: Refusal::Forbidden,
            detail,
        } => Error::Undeclared {
            host: url.host.clone(),
            port: url.port,
            detail,
        },
        other => Error::Dial(url.host.clone(), other),
    }
}

/// The moment that `Retry-After` names (RFC 9110, 10.2.3), in seconds since 1970.
fn wait(headers: &HeaderMap, now: u64) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(now.saturating_add(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(UNIX_EPOCH)
        .ok()
        .map(|since| since.as_secs())
}

fn read_roots(path: &Path) -> Result<RootCertStore, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > ROOT_BYTES {
        return Err(format!("it has {size} bytes; the limit is {ROOT_BYTES}"));
    }
    let pem = fs::read(path).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    Ok(roots)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(text: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(text).ok()?);
        wait(&headers, 1000)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(after("120"), Some(1120));
        assert_eq!(after(" 18446744073709551615 "), Some(u64::MAX));
        assert_eq!(after("Thu, 01 Jan 1970 00:30:00 GMT"), Some(1800));
        assert_eq!(after("soon"), None);
        assert_eq!(wait(&HeaderMap::new(), 0), None);
    }

    #[test]
    fn a_request_goes_out_with_its_path_and_host() {
        let request = Request::builder()
            .uri("https://acme.example:14000/a/b?c=d")
            .body(BodyWrapper::default())
            .unwrap();
        let url = target(request.uri()).unwrap();
        assert_eq!((url.host.as_str(), url.port), ("acme.example", 14000));
        let request = local(request).unwrap();
        assert_eq!(request.uri(), "/a/b?c=d");
        assert_eq!(request.headers()[HOST], "acme.example:14000");
        assert!(target(&"http://acme.example/".parse().unwrap()).is_err());
    }

    #[test]
    fn a_root_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.pem");
        let new = || {
            Https::new(dialer_api::Client::new("/nowhere"), Some(&path))
                .err()
                .unwrap()
        };
        assert!(new().to_string().contains("root.pem"));
        fs::write(&path, "nothing").unwrap();
        assert!(new().to_string().contains("no certificate"));
    }

    #[test]
    fn a_host_that_is_not_declared_says_what_to_declare() {
        let url = crate::config::url("https://ca.lan:9000/acme").unwrap();
        let refused = DialError::Refused {
            kind: Refusal::Forbidden,
            detail: "no".to_owned(),
        };
        let error = dial_error(&url, refused).to_string();
        for word in [
            "dialer.toml",
            "[[reach]]",
            "unit = \"certs\"",
            "host = \"ca.lan\"",
            "ports = [9000]",
        ] {
            assert!(error.contains(word), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_left(text in "\\PC{0,40}") {
            let _ = after(&text);
        }
    }
}
