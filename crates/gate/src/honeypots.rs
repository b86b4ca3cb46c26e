//! Paths that nobody asks for but those who look for weaknesses.

mod linked;

pub(crate) use linked::is_linked;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::{Route, route};

/// The most paths that may be set.
const PATHS_MAX: usize = 256;

/// The longest of them, in bytes.
const PATH_BYTES: usize = 256;

/// What scanners ask every site for. Nothing of it was ever here.
const PATHS: [&str; 24] = [
    "/.aws",
    "/.ds_store",
    "/.env",
    "/.git",
    "/.hg",
    "/.htpasswd",
    "/.ssh",
    "/.svn",
    "/.vscode",
    "/actuator",
    "/boaform",
    "/cgi-bin",
    "/hnap1",
    "/phpinfo.php",
    "/phpmyadmin",
    "/server-status",
    "/solr",
    "/vendor/phpunit",
    "/wp-admin",
    "/wp-config.php",
    "/wp-content",
    "/wp-includes",
    "/wp-login.php",
    "/xmlrpc.php",
];

/// `[honeypots]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Paths whose asking is an event (`honeypot-probed`; `honeypot-linked` where a page of another site may have led a
    /// browser there, and where the connection is not encrypted), with all that is below them; whether letters are small or
    /// capital makes no difference. They are answered as any other path that leads nowhere. An empty list: none.
    pub paths: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            paths: PATHS.map(str::to_owned).to_vec(),
        }
    }
}

impl Settings {
    /// # Errors
    /// A sentence that names the key.
    pub(crate) fn check(&self) -> Result<(), String> {
        let count = self.paths.len();
        if count > PATHS_MAX {
            return Err(format!(
                "`honeypots.paths` has {count} entries, the most is {PATHS_MAX}"
            ));
        }
        for path in &self.paths {
            let why = if !path.starts_with('/') || path.trim_matches('/').is_empty() {
                "is no path below `/`"
            } else if path.len() > PATH_BYTES {
                "is too long"
            } else if route(path) != Route::Unknown || path == "/b" || path.starts_with("/b/") {
                "is a path that visitors ask for"
            } else {
                continue;
            };
            let shown = event::Shown(path);
            return Err(format!("`honeypots.paths`: \"{shown}\" {why}"));
        }
        Ok(())
    }
}

/// The paths as they are looked up.
#[derive(Debug)]
pub(crate) struct Honeypots(Vec<String>);

impl Honeypots {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self(settings.paths.iter().map(|path| plain(path)).collect())
    }

    /// Whether a request's path is one of them, or below one.
    pub(crate) fn holds(&self, path: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let asked = plain(path);
        self.0.iter().any(|set| {
            let rest = asked.strip_prefix(set.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// A path in small letters, decoded, with single slashes and none at its end: as scanners write it to be overlooked, it
/// is the same.
fn plain(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let mut plain = String::with_capacity(decoded.len());
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        plain.push('/');
        plain.push_str(&segment.to_ascii_lowercase());
    }
    plain
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scanners_are_known_by_their_paths() {
        let honeypots = Honeypots::new(&Settings::default());
        for path in [
            "/.env",
            "/.git/config",
            "/.ENV",
            "//.env",
            "/%2eenv",
            "/wp-login.php",
            "/wp-admin/setup-config.php",
            "/HNAP1/",
        ] {
            assert!(honeypots.holds(path), "{path}");
        }
        for path in [
            "/",
            "/healthz",
            "/.environment",
            "/robots.txt",
            "/favicon.ico",
            "/.well-known/acme-challenge/x",
            "/b/shop/.env",
        ] {
            assert!(!honeypots.holds(path), "{path}");
        }
        let none = Honeypots::new(&Settings { paths: Vec::new() });
        assert!(!none.holds("/.env"));
    }

    #[test]
    fn what_visitors_ask_for_cannot_be_set() {
        Settings::default().check().unwrap();
        for (path, right) in [
            ("/old-shop", true),
            ("/", false),
            ("", false),
            ("env", false),
            ("/healthz", false),
            ("/b", false),
            ("/b/shop", false),
            ("/b/shop/x", false),
        ] {
            let paths = vec![path.to_owned()];
            assert_eq!(Settings { paths }.check().is_ok(), right, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_looked_up(path in any::<String>()) {
            let honeypots = Honeypots::new(&Settings::default());
            let _either = honeypots.holds(&path);
            let is_below = honeypots.holds(&format!("/.env/{path}"));
            prop_assert!(is_below);
        }
    }
}
