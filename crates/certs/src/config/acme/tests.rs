use proptest::prelude::*;

use super::super::Config;
use super::*;

fn acme(keys: &str) -> Result<Acme, String> {
    let config: Config = daemon::parse(&format!("[acme]\n{keys}"))?;
    Ok(config.acme()?.unwrap())
}

const GOOD: &str = "agree_to_terms = true\nnames = ['Shop.example.']\n";

#[test]
fn the_least_is_terms_and_names() {
    let acme = acme(GOOD).unwrap();
    assert_eq!(acme.directory.text, LETS_ENCRYPT);
    assert_eq!(
        (acme.directory.host.as_str(), acme.directory.port),
        ("acme-v02.api.letsencrypt.org", 443)
    );
    assert_eq!(acme.challenge, Challenge::Http01);
    assert_eq!(acme.names, [ServerName::try_from("shop.example").unwrap()]);
    let config: Config = daemon::parse("").unwrap();
    assert!(config.acme().unwrap().is_none());
}

#[test]
fn everything_is_read() {
    let acme = acme(
        "agree_to_terms = true\nnames = ['shop', 'www.shop.example']\ncontact = ['ops@shop.example']\n\
         directory = 'https://[::1]:14000/dir'\nchallenge = 'tls-alpn-01'\nprofile = 'shortlived'\n\
         root = '/etc/casemate/acme-root/own.pem'\n",
    )
    .unwrap();
    assert_eq!(
        (acme.directory.host.as_str(), acme.directory.port),
        ("::1", 14000)
    );
    assert_eq!(acme.contact, ["mailto:ops@shop.example"]);
    assert_eq!(acme.challenge, Challenge::TlsAlpn01);
    assert_eq!(acme.profile.as_deref(), Some("shortlived"));
}

#[test]
fn what_is_wrong_is_named() {
    let refused = |keys: &str| acme(keys).unwrap_err();
    assert!(refused("names = ['a.example']").contains("`agree_to_terms`"));
    assert!(refused("agree_to_terms = true").contains("names"));
    assert!(refused("agree_to_terms = true\nnames = []").contains("empty"));
    for (key, words) in [
        ("directory = 'http://a.example/'", "https://"),
        ("directory = 'https://u@a.example/'", "user"),
        ("directory = 'https://a.example/?x'", "query"),
        ("challenge = 'http-02'", "did you mean `http-01`?"),
        ("profile = ''", "`profile`"),
        ("root = '/etc/casemate/acme-root/../shadow'", "`root`"),
        ("root = 'own.pem'", ROOTS),
        ("contact = ['ops']", "`contact`"),
        ("contact = ['mailto:a@b.example,c@d.example']", "`contact`"),
        ("agree = 1", "did you mean `agree_to_terms`?"),
    ] {
        let error = refused(&format!("{GOOD}{key}"));
        assert!(error.contains(words), "{key}: {error}");
    }
    for (name, words) in [
        ("shop", "public authority"),
        ("*.a.example", "wildcards"),
        ("a b", "`names`"),
    ] {
        let error = refused(&format!("agree_to_terms = true\nnames = ['{name}']"));
        assert!(error.contains(words), "{name}: {error}");
    }
    let address = "agree_to_terms = true\nnames = ['192.0.2.1']\nchallenge = ";
    assert!(refused(&format!("{address}'tls-alpn-01'")).contains("http-01"));
    assert!(acme(&format!("{address}'http-01'")).is_ok());
}

#[test]
fn the_local_certificate_leaves_public_names_out() {
    let config: Config = daemon::parse(&format!(
        "names = ['shop.example', 'lan.example']\n[acme]\n{GOOD}"
    ))
    .unwrap();
    let names: Vec<_> = config
        .names()
        .unwrap()
        .iter()
        .map(|name| name.to_str().into_owned())
        .collect();
    assert_eq!(names, ["lan.example", "127.0.0.1", "::1"]);
}

proptest! {
    #[test]
    fn any_text_is_refused_or_an_https_url(text in "\\PC{0,60}|https://[a-z0-9.:@\\[\\]#?/%-]{0,40}") {
        if let Ok(url) = url(&text) {
            prop_assert!(text.to_ascii_lowercase().starts_with("https://"));
            prop_assert!(ServerName::try_from(url.host.as_str()).is_ok());
            prop_assert!(url.port > 0 && !url.host.contains(['@', '/', '[']));
        }
    }
}
