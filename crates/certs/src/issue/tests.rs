use super::*;
use crate::decide::{Due, Present, RENEW_BEFORE, due};

const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn names(texts: &[&str]) -> Vec<ServerName<'static>> {
    texts
        .iter()
        .map(|text| ServerName::try_from((*text).to_owned()).unwrap())
        .collect()
}

fn made(names: &[ServerName<'_>]) -> (Authority, Issued) {
    let authority = Authority::new(at(NOW), names).unwrap();
    let issued = issue(at(NOW), names, &authority).unwrap();
    (authority, issued)
}

fn present((authority, issued): &(Authority, Issued)) -> Present {
    Present {
        ca: Some(authority.certificate().to_owned().into_bytes()),
        chain: Some(issued.chain.clone().into_bytes()),
    }
}

#[test]
fn an_authority_signs_again_after_it_was_sealed_and_for_its_names_alone() {
    let names = names(&["shop.example", "127.0.0.1", "::1"]);
    let first = Authority::new(at(NOW), &names).unwrap();
    let kept = Authority::read(&first.sealable()).unwrap();
    assert_eq!(kept.certificate(), first.certificate());
    let later = at(NOW + 8 * LIFE.as_secs());
    let issued = issue(later, &names, &kept).unwrap();
    assert_eq!(due(later, &names, &present(&(first, issued))), None);
    for other in [&["other.example"][..], &["10.0.0.1"]] {
        let other: Vec<_> = other
            .iter()
            .map(|name| ServerName::try_from((*name).to_owned()).unwrap())
            .collect();
        let issued = issue(at(NOW), &other, &kept).unwrap();
        let kept = Authority::read(&kept.sealable()).unwrap();
        let refused = due(at(NOW), &other, &present(&(kept, issued)));
        assert!(matches!(refused, Some(Due::Unusable(_))), "{refused:?}");
    }
    assert!(Authority::read("none").is_none());
    assert!(!format!("{kept:?}").contains("BEGIN"));
}

#[test]
fn an_authority_that_ends_soon_is_due() {
    let names = names(&["localhost"]);
    let authority = Authority::new(at(NOW), &names).unwrap();
    let end = NOW - BACKDATE.as_secs() + AUTHORITY_LIFE.as_secs();
    let late = at(end - RENEW_BEFORE.as_secs() + 1);
    let issued = issue(late, &names, &authority).unwrap();
    assert_eq!(
        due(late, &names, &present(&(authority, issued))),
        Some(Due::Ends)
    );
}

#[test]
fn what_is_made_is_not_due_until_a_month_before_its_end() {
    let names = names(&["localhost", "shop.example", "127.0.0.1", "::1"]);
    let present = present(&made(&names));
    let end = NOW - BACKDATE.as_secs() + LIFE.as_secs();
    let last = end - RENEW_BEFORE.as_secs();
    assert_eq!(due(at(NOW), &names, &present), None);
    assert_eq!(due(at(last), &names, &present), None);
    assert_eq!(due(at(last + 1), &names, &present), Some(Due::Ends));
    assert_eq!(due(at(end + 1), &names, &present), Some(Due::Ends));
    // The clock was set back by more than a day since.
    let early = due(at(NOW - BACKDATE.as_secs() - 1), &names, &present);
    assert!(matches!(early, Some(Due::Unusable(_))), "{early:?}");
}

#[test]
fn other_names_are_due() {
    let had = names(&["localhost", "a.example", "127.0.0.1"]);
    let present = present(&made(&had));
    for other in [
        &["localhost", "127.0.0.1"][..],
        &["localhost", "a.example", "b.example", "127.0.0.1"],
        &["localhost", "a.example", "127.0.0.1", "10.0.0.1"],
    ] {
        assert_eq!(
            due(at(NOW), &names(other), &present),
            Some(Due::Names),
            "{other:?}"
        );
    }
    assert_eq!(
        due(
            at(NOW),
            &names(&["127.0.0.1", "a.example", "localhost"]),
            &present
        ),
        None
    );
}

#[test]
fn what_a_cut_off_run_leaves_is_due() {
    let names = names(&["localhost"]);
    let (old, new) = (made(&names), made(&names));
    assert_eq!(due(at(NOW), &names, &Present::default()), Some(Due::None));
    let ca_alone = Present {
        chain: None,
        ..present(&new)
    };
    assert_eq!(due(at(NOW), &names, &ca_alone), Some(Due::None));
    let mixed = Present {
        ca: present(&new).ca,
        chain: present(&old).chain,
    };
    assert!(matches!(
        due(at(NOW), &names, &mixed),
        Some(Due::Unusable(_))
    ));
    for torn in [
        &b""[..],
        b"-----BEGIN CERTIFICATE-----\nMII",
        &old.1.chain.as_bytes()[..300],
    ] {
        let torn = Present {
            chain: Some(torn.to_vec()),
            ..present(&old)
        };
        assert!(matches!(
            due(at(NOW), &names, &torn),
            Some(Due::Unusable(_))
        ));
    }
}

#[test]
fn the_key_comes_with_its_certificate_and_no_other_key_with_it() {
    let (authority, issued) = made(&names(&["localhost"]));
    assert!(issued.tls.starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(issued.tls.ends_with(&issued.chain));
    assert_eq!(issued.tls.matches("PRIVATE KEY").count(), 2);
    assert!(!authority.certificate().contains("PRIVATE") && !issued.chain.contains("PRIVATE"));
    assert!(!format!("{issued:?}").contains("PRIVATE"));
    let key = KeyPair::from_pem(&issued.tls).unwrap();
    let der = pem_der(&issued.chain);
    let point = key.public_key_raw();
    assert!(der.windows(point.len()).any(|window| window == point));
}

fn pem_der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .unwrap()
        .to_vec()
}

#[test]
fn the_fingerprint_is_the_usual_one() {
    assert!(pairs(b"abc").starts_with("BA:78:16:BF:8F:01:CF:EA"));
    assert_eq!(pairs(b"").len(), 32 * 3 - 1);
    assert_eq!(fingerprint("none"), "");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_in_place_of_certificates_are_due(
        ca in proptest::collection::vec(proptest::num::u8::ANY, 0..400), place in 0_usize..400,
    ) {
        let names = names(&["localhost"]);
        let issued = made(&names);
        let random = Present { ca: Some(ca), ..present(&issued) };
        proptest::prop_assert!(due(at(NOW), &names, &random).is_some());
        // One digit of what is signed.
        let mut chain = issued.1.chain.clone().into_bytes();
        let place = place + "-----BEGIN CERTIFICATE-----\n".len();
        if chain[place].is_ascii_alphanumeric() {
            chain[place] = if chain[place] == b'A' { b'B' } else { b'A' };
            let changed = Present { chain: Some(chain), ..present(&issued) };
            proptest::prop_assert!(due(at(NOW), &names, &changed).is_some());
        }
    }
}
