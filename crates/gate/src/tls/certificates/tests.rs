#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls_pki_types::UnixTime;
use std::time::Duration;
use zeroize::Zeroizing;

use super::*;
use crate::tls::settings;

/// A certificate for these names that is valid in these years.
fn pem_of(names: &[&str], years: std::ops::Range<i32>) -> String {
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        });
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    format!("{}{}", key.serialize_pem(), certificate.pem())
}

fn read(file: &str, pem: &str) -> Result<Pair, Unusable> {
    Pair::from_pem(file, pem.as_bytes(), &settings::provider())
}

fn pair(file: &str, names: &[&str], end: i32) -> Arc<Pair> {
    Arc::new(read(file, &pem_of(names, 2020..end)).unwrap())
}

fn file(name: &str, pem: &str) -> File {
    File {
        name: name.to_owned(),
        content: Ok(Zeroizing::new(pem.as_bytes().to_vec())),
    }
}

fn chosen<'a>(certificates: &'a Certificates, name: &str) -> &'a str {
    &certificates.for_visitor(Some(name)).file
}

#[test]
fn a_visitor_gets_the_certificate_of_the_name() {
    let certificates = Certificates::of([
        pair("a", &["a.example", "*.a.example"], 2050),
        pair("b", &["b.example", "x.a.example"], 2050),
        pair("local", &["localhost", "127.0.0.1", "::1"], 2050),
    ])
    .unwrap();
    for (name, file) in [
        ("a.example", "a"),
        ("A.Example", "a"),
        ("y.a.example", "a"),
        ("x.a.example", "b"),
        ("b.example", "b"),
        ("localhost", "local"),
        // A wildcard is for one label, and not for none.
        ("y.y.a.example", "local"),
        ("y.b.example", "local"),
        ("example", "local"),
        ("", "local"),
    ] {
        assert_eq!(chosen(&certificates, name), file, "{name}");
    }
    assert_eq!(certificates.for_visitor(None).file, "local");
    let covers = |host: &str| certificates.covers(&Host::of_authority(host).unwrap());
    assert!(covers("y.a.example") && covers("127.0.0.1") && covers("[::1]:80"));
    assert!(!covers("y.b.example") && !covers("127.0.0.2") && !covers("[::2]"));
}

#[test]
fn without_a_local_one_the_first_is_the_default() {
    let certificates = Certificates::of([
        pair("b", &["b.example"], 2050),
        pair("a", &["a.example"], 2050),
    ]);
    assert_eq!(chosen(&certificates.unwrap(), "c.example"), "a");
    assert!(Certificates::of([]).is_none());
}

#[test]
fn of_several_for_one_name_the_public_one_and_then_the_last_to_end_is_used() {
    let certificates = Certificates::of([
        pair("a", &["a.example", "localhost"], 2060),
        pair("b", &["a.example"], 2040),
        pair("c", &["a.example"], 2050),
        pair("d", &["a.example"], 2050),
    ])
    .unwrap();
    assert_eq!(chosen(&certificates, "a.example"), "c");
    assert_eq!(chosen(&certificates, "localhost"), "a");
    assert_eq!(certificates.ends_first().file, "b");
}

#[test]
fn what_cannot_be_used_is_told_apart() {
    let good = pem_of(&["a.example"], 2020..2050);
    let other = pem_of(&["a.example"], 2020..2050);
    let at = good.find("-----BEGIN CERTIFICATE").unwrap();
    let (key, chain) = good.split_at(at);
    let other_at = other.find("-----BEGIN CERTIFICATE").unwrap();
    assert!(matches!(read("a", ""), Err(Unusable::NotPem)));
    assert!(matches!(read("a", "no PEM"), Err(Unusable::NotPem)));
    assert!(matches!(read("a", key), Err(Unusable::Chain(0))));
    assert!(matches!(read("a", chain), Err(Unusable::Keys(0))));
    assert!(matches!(
        read("a", &format!("{key}{good}")),
        Err(Unusable::Keys(2))
    ));
    assert!(matches!(
        read("a", &format!("{key}{}", chain.repeat(9))),
        Err(Unusable::Chain(9))
    ));
    let foreign = format!("{}{chain}", &other[..other_at]);
    assert!(matches!(read("a", &foreign), Err(Unusable::Tls(_))));
    assert!(matches!(
        read("a", &pem_of(&[], 2020..2050)),
        Err(Unusable::Nameless)
    ));
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(
        read("a", &format!("{key}{no_certificate}")),
        Err(Unusable::Certificate)
    ));
    // The order does not matter, nor what else is there.
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    read("a", &format!("a comment\n{chain}{parameters}{key}")).unwrap();
}

#[test]
fn nothing_of_a_key_is_shown() {
    let pem = pem_of(&["a.example"], 2020..2050);
    let shown = format!("{:?}", read("a", &pem).unwrap());
    assert!(shown.contains("a.example") && shown.len() < 120, "{shown}");
}

#[test]
fn a_file_that_is_broken_leaves_its_certificate_in_use_and_keeps_no_other_from_being_renewed() {
    let provider = settings::provider();
    let one = |name| pem_of(&[name], 2020..2050);
    let files = vec![
        file("a", &one("a.example")),
        file("b", &one("b.example")),
        file("d", &one("d.example")),
    ];
    let (old, troubles) = renewed(files, None, &provider);
    assert!(troubles.is_empty());
    let files = vec![
        file("a", "torn"),
        file("b", &pem_of(&["b.example"], 2020..2060)),
        file("c", "torn too"),
    ];
    let (new, troubles) = renewed(files, old.as_ref(), &provider);
    let new = new.unwrap();
    assert_eq!(
        new.pairs().map(|pair| &*pair.file).collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert!(Arc::ptr_eq(
        new.for_visitor(Some("a.example")),
        old.unwrap().for_visitor(Some("a.example"))
    ));
    assert_eq!(
        new.for_visitor(Some("b.example")).ends(),
        "Thu, 01 Jan 2060 00:00:00 GMT"
    );
    let said: Vec<_> = troubles.iter().map(ToString::to_string).collect();
    assert!(
        said[0]
            .contains("a.example, stays in use and is valid until Sat, 01 Jan 2050 00:00:00 GMT"),
        "{said:?}"
    );
    assert!(
        said[1].contains("c is not used") && said[1].contains("none"),
        "{said:?}"
    );
    // Nothing at all is left.
    assert!(
        renewed(vec![file("a", "torn")], None, &provider)
            .0
            .is_none()
    );
}

#[test]
fn what_browsers_would_refuse_is_warned_of() {
    let at = |year: i32| {
        UnixTime::since_unix_epoch(Duration::from_secs(
            u64::try_from(rcgen::date_time_ymd(year, 6, 1).unix_timestamp()).unwrap(),
        ))
    };
    let pair = read("a", &pem_of(&["a.example"], 2030..2040)).unwrap();
    assert_eq!(warning(&pair, at(2035)), None);
    assert!(
        warning(&pair, at(2040))
            .unwrap()
            .contains("ended on Sun, 01 Jan 2040")
    );
    assert!(warning(&pair, at(2029)).unwrap().contains("not valid yet"));
}

/// Whether a name of a certificate is for a host: the definition, label by label.
fn is_for(pattern: &str, host: &str) -> bool {
    let (pattern, host): (Vec<_>, Vec<_>) =
        (pattern.split('.').collect(), host.split('.').collect());
    pattern.len() == host.len()
        && pattern
            .iter()
            .zip(&host)
            .enumerate()
            .all(|(at, (pattern, label))| {
                (at == 0 && *pattern == "*" && host.len() > 1)
                    || pattern.eq_ignore_ascii_case(label)
            })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn names_are_matched_label_by_label(
        lists in proptest::collection::vec(proptest::collection::vec("(\\*\\.)?([ab]\\.){0,2}[abAB]", 1..4), 1..4),
        host in "([abAB]\\.){0,3}[abAB]",
    ) {
        let pairs: Vec<_> = lists.iter().enumerate().map(|(number, names)| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            pair(&number.to_string(), &names, 2050)
        }).collect();
        let certificates = Certificates::of(pairs).unwrap();
        let matching: Vec<_> = (0..lists.len()).filter(|at| lists[*at].iter().any(|name| is_for(name, &host))).collect();
        let file: usize = certificates.for_visitor(Some(&host)).file.parse().unwrap();
        prop_assert_eq!(certificates.covers(&Host::of_authority(&host).unwrap()), !matching.is_empty());
        if matching.is_empty() {
            prop_assert_eq!(file, 0);
        } else {
            prop_assert!(matching.contains(&file), "{} of {:?}", file, matching);
            // A name in full goes before a wildcard.
            let exact = |at: usize| lists[at].iter().any(|name| name.eq_ignore_ascii_case(&host));
            prop_assert!(exact(file) || !matching.iter().any(|at| exact(*at)));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Pair::from_pem("a", &bytes, &settings::provider()).is_err());
    }

    #[test]
    fn a_document_with_one_byte_changed_or_cut_off_is_refused_or_still_a_pair(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        static DOCUMENT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| pem_of(&["a.example"], 2020..2050));
        let mut document = DOCUMENT.clone().into_bytes();
        let at = at.index(document.len());
        if cut {
            document.truncate(at);
        } else {
            document[at] = byte;
        }
        if let Ok(pair) = Pair::from_pem("a", &document, &settings::provider()) {
            // Its key still belongs to its certificate.
            prop_assert!(pair.key.keys_match().is_ok());
        }
    }
}
