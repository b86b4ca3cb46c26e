//! The `[acme]` table.

use std::path::{Path, PathBuf};

use http::Uri;
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};

/// The directory where none is named.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The folder for the roots of private authorities; the unit is shown no other.
pub const ROOTS: &str = "/etc/casemate/acme-root";

/// The port of a directory whose URL names none.
const HTTPS_PORT: u16 = 443;

/// Most ways to reach the operator.
const CONTACTS_MAX: usize = 10;

/// Longest profile name that is sent, in bytes.
const PROFILE_BYTES: usize = 64;

/// The table as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    #[serde(default)]
    agree_to_terms: bool,
    names: Vec<String>,
    #[serde(default)]
    contact: Vec<String>,
    #[serde(default = "lets_encrypt")]
    directory: String,
    #[serde(default)]
    challenge: Challenge,
    profile: Option<String>,
    root: Option<PathBuf>,
}

fn lets_encrypt() -> String {
    LETS_ENCRYPT.to_owned()
}

/// How the directory is shown that the names are ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Challenge {
    /// A file over plain HTTP on port 80 (RFC 8555, 8.3).
    #[default]
    #[serde(rename = "http-01")]
    Http01,
    /// A certificate of its own on port 443 (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

/// An `https` URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// The whole of it.
    pub text: String,
    /// A DNS name or an address without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// What to ask of which directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// The directory (RFC 8555, 7.1.1).
    pub directory: Url,
    /// `mailto:` URLs.
    pub contact: Vec<String>,
    /// What the certificate is for.
    pub names: Vec<ServerName<'static>>,
    /// How the names are proven.
    pub challenge: Challenge,
    /// The profile of the certificate (draft-ietf-acme-profiles), the directory's own choice if none.
    pub profile: Option<String>,
    /// Certificates that the directory's own is checked against, in place of the public authorities.
    pub root: Option<PathBuf>,
}

impl Acme {
    /// What a certificate and the attempts for one depend on, as one line.
    #[must_use]
    pub fn settings(&self) -> String {
        let names: Vec<_> = self.names.iter().map(|name| name.to_str()).collect();
        format!(
            "{} {:?} {:?} {}",
            self.directory.text,
            self.challenge,
            self.profile,
            names.join(" ")
        )
    }
}

impl Table {
    pub(super) fn check(&self) -> Result<Acme, String> {
        if !self.agree_to_terms {
            return Err(format!(
                "`agree_to_terms` has to be true, and then it is you who agrees to the terms of service of {}",
                self.directory
            ));
        }
        let directory = url(&self.directory).map_err(|why| {
            format!(
                "`directory` is {:?}: {why}; write a URL such as {LETS_ENCRYPT}",
                self.directory
            )
        })?;
        let names = super::read("names", self.names.iter().map(String::as_str))?;
        if names.is_empty() {
            return Err(
                "`names` is empty; name what the certificate is for, or leave [acme] out"
                    .to_owned(),
            );
        }
        for name in &names {
            self.check_name(name)?;
        }
        if let Some(profile) = &self.profile
            && (profile.is_empty()
                || profile.len() > PROFILE_BYTES
                || !profile.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(format!(
                "`profile` is {profile:?}; write a name that the directory offers, such as \"shortlived\", or leave it out"
            ));
        }
        if let Some(root) = &self.root
            && (root.parent() != Some(Path::new(ROOTS)) || root.file_name().is_none())
        {
            return Err(format!(
                "`root` is {root:?}; put the file into {ROOTS}, as the service is shown no other folder"
            ));
        }
        Ok(Acme {
            directory,
            contact: self.contacts()?,
            names,
            challenge: self.challenge,
            profile: self.profile.clone(),
            root: self.root.clone(),
        })
    }

    fn check_name(&self, name: &ServerName<'_>) -> Result<(), String> {
        let text = name.to_str();
        match name {
            ServerName::DnsName(_) if self.root.is_none() && !text.contains('.') => Err(format!(
                "`names` has {text:?}, which no public authority certifies; use a full domain name"
            )),
            ServerName::IpAddress(_) if self.challenge == Challenge::TlsAlpn01 => Err(format!(
                "`names` has the address {text:?}; addresses need `challenge = \"http-01\"`"
            )),
            _ => Ok(()),
        }
    }

    fn contacts(&self) -> Result<Vec<String>, String> {
        if self.contact.len() > CONTACTS_MAX {
            return Err(format!(
                "`contact` has {} entries, at most {CONTACTS_MAX} are sent",
                self.contact.len()
            ));
        }
        let one = |text: &String| {
            let address = text.strip_prefix("mailto:").unwrap_or(text);
            let whole = address.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty() && host.contains('.') && !host.contains('@')
            });
            // What follows "?" or "," in such a URL would be more than one address (RFC 8555, 7.3).
            if whole
                && address
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !b"?,<>\"".contains(&byte))
            {
                Ok(format!("mailto:{address}"))
            } else {
                Err(format!(
                    "`contact` has {text:?}; write one e-mail address, such as \"mailto:ops@shop.example\""
                ))
            }
        };
        self.contact.iter().map(one).collect()
    }
}

/// Reads an `https` URL without user, query or fragment.
pub(crate) fn url(text: &str) -> Result<Url, &'static str> {
    if text.contains('#') {
        return Err("a directory's URL has no fragment");
    }
    let uri: Uri = text.parse().map_err(|_| "it is no URL")?;
    if uri.scheme_str() != Some("https") {
        return Err("it has to begin with https://");
    }
    let authority = uri.authority().ok_or("it names no host")?;
    if authority.as_str().contains('@') {
        return Err("it names a user");
    }
    if uri.query().is_some() {
        return Err("it has a query");
    }
    let host = authority.host();
    let host = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host)
        .to_ascii_lowercase();
    if ServerName::try_from(host.as_str()).is_err() {
        return Err("its host is neither a DNS name nor an address");
    }
    let port = match authority.port() {
        None if authority.as_str().ends_with(':') => return Err("its port is missing"),
        None => HTTPS_PORT,
        Some(port) => port.as_u16(),
    };
    if port == 0 {
        return Err("nothing can connect to port 0");
    }
    Ok(Url {
        text: text.to_owned(),
        host,
        port,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
