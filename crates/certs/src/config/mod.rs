//! `certs.toml`.

mod acme;

use rustls_pki_types::ServerName;
use serde::Deserialize;

pub(crate) use acme::url;
pub use acme::{Acme, Challenge, LETS_ENCRYPT, ROOTS, Url};

/// Most names in one certificate.
const NAMES_MAX: usize = 100;

/// Addresses by which the machine always reaches itself.
const LOOPBACK: [&str; 2] = ["127.0.0.1", "::1"];

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// DNS names (each by itself, no wildcards) and IP addresses that visitors use.
    /// Without it: `localhost` and the machine's host name.
    #[serde(default = "own_names")]
    names: Vec<String>,
    /// A public certificate besides; without it there is the local one alone.
    acme: Option<acme::Table>,
}

fn own_names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .to_ascii_lowercase();
    // A host name may be anything; one that is no DNS name cannot be visited.
    if host != "localhost" && ServerName::try_from(host.as_str()).is_ok() {
        names.push(host);
    }
    names
}

impl Config {
    /// The names for the local certificate: those of the file and the loopback
    /// addresses, each once, in order, without those of the public certificate.
    ///
    /// # Errors
    /// A sentence that names the value that is no name.
    pub fn names(&self) -> Result<Vec<ServerName<'static>>, String> {
        if self.names.is_empty() {
            return Err("`names` is empty; leave it out, or name what visitors use".to_owned());
        }
        let public = self.acme()?.map(|acme| acme.names).unwrap_or_default();
        let texts = self.names.iter().map(String::as_str).chain(LOOPBACK);
        let mut names = read("names", texts)?;
        names.retain(|name| !public.contains(name));
        Ok(names)
    }

    /// The checked `[acme]`, if there is one.
    ///
    /// # Errors
    /// A sentence that names the key and what is wrong with its value.
    pub fn acme(&self) -> Result<Option<Acme>, String> {
        let checked = self.acme.as_ref().map(acme::Table::check).transpose();
        checked.map_err(|why| format!("[acme]: {why}"))
    }
}

/// Names in canonical form, each once, in order.
fn read<'a>(
    key: &str,
    texts: impl Iterator<Item = &'a str>,
) -> Result<Vec<ServerName<'static>>, String> {
    let mut names: Vec<ServerName<'static>> = Vec::new();
    for text in texts {
        let name = name(text).map_err(|why| format!("`{key}` has {why}"))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > NAMES_MAX {
        return Err(format!(
            "`{key}` has {} names, at most {NAMES_MAX} fit",
            names.len()
        ));
    }
    Ok(names)
}

fn name(text: &str) -> Result<ServerName<'static>, String> {
    if !text.is_ascii() {
        return Err(format!(
            "{text:?}; write an international name in its ASCII form, which starts with `xn--`"
        ));
    }
    if text.contains('*') {
        return Err(format!("{text:?}; wildcards are not made, name each host"));
    }
    // A trailing dot is no part of a name in a certificate (RFC 6125).
    let bare = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    ServerName::try_from(bare).map_err(|_| {
        format!("{text:?}, which is neither a DNS name nor an IP address; write it without scheme, port or path")
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(text: &str) -> Result<Vec<String>, String> {
        let config: Config = daemon::parse(text)?;
        Ok(config
            .names()?
            .iter()
            .map(|name| name.to_str().into_owned())
            .collect())
    }

    #[test]
    fn without_a_file_the_machine_is_reached_locally() {
        let names = names("").unwrap();
        assert_eq!(names[0], "localhost");
        assert!(
            names.ends_with(&["127.0.0.1".to_owned(), "::1".to_owned()]),
            "{names:?}"
        );
    }

    #[test]
    fn names_are_lower_case_and_there_once() {
        let read = names(
            "names = ['Shop.Example.com', 'shop.example.com', 'b.example.', '10.0.0.9', '::1']",
        )
        .unwrap();
        assert_eq!(
            read,
            [
                "shop.example.com",
                "b.example",
                "10.0.0.9",
                "::1",
                "127.0.0.1"
            ]
        );
    }

    #[test]
    fn what_is_no_name_is_quoted() {
        for text in [
            "https://shop.example",
            "shop.example:443",
            "",
            "a b",
            "*.shop.example",
            "a..b",
        ] {
            let error = names(&format!("names = ['{text}']")).unwrap_err();
            assert!(
                error.contains("`names`") && error.contains(&format!("{text:?}")),
                "{error}"
            );
        }
        assert!(
            names("names = ['bücher.example']")
                .unwrap_err()
                .contains("xn--")
        );
        assert!(names("names = []").unwrap_err().contains("empty"));
        assert!(
            names("name = ['a']")
                .unwrap_err()
                .ends_with("did you mean `names`?")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_a_name(text in "\\PC{0,40}|[a-zA-Z0-9.*:-]{0,70}") {
            if let Ok(name) = name(&text) {
                prop_assert!(name.to_str().is_ascii() && !name.to_str().contains(char::is_whitespace));
            }
        }
    }
}
