//! Pure: what a run has to do.

use rustls_pki_types::{ServerName, UnixTime};

use crate::acme::past::Past;
use crate::acme::schedule::{self, Step};
use crate::config::Acme;
use crate::decide::{self, Due, Present};
use crate::leaf::Leaf;

/// What there is.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// The local certificate and its authority.
    pub local: Present,
    /// The public certificate, PEM.
    pub public: Option<Vec<u8>>,
    /// The local chain that the gate was given.
    pub serving_local: Option<Vec<u8>>,
    /// The public chain that the gate was given.
    pub serving_public: Option<Vec<u8>>,
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Make a local certificate.
    pub local: Option<Due>,
    /// Put what is sealed where the gate reads it.
    pub fill: bool,
    /// Take the public certificate away, since none is configured any more.
    pub withdraw: bool,
    /// What to do about the public certificate; none where none is configured, or where it is not
    /// its turn.
    pub public: Option<Step>,
    /// Say that the public certificate ends in so many days and is not renewed.
    pub warning: Option<u64>,
}

impl Work {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let rests = matches!(self.public, None | Some(Step::Rest(_)));
        let quiet = rests && self.warning.is_none();
        self.local.is_none() && !self.fill && !self.withdraw && quiet
    }
}

/// Decides what to do now. The first run after a start only gives the gate what there is, as the gate
/// waits for it; a directory is spoken to by a later one, which the gate can serve the challenges of.
#[must_use]
pub fn work(
    now: UnixTime,
    names: &[ServerName<'_>],
    acme: Option<&Acme>,
    seen: &Seen,
    past: &Past,
) -> Work {
    let first = seen.serving_local.is_none();
    let local = decide::due(now, names, &seen.local);
    let kept = acme.and(seen.public.as_ref());
    let stale = local.is_none() && seen.serving_local != seen.local.chain
        || kept.is_some() && seen.serving_public.as_ref() != kept;
    let leaf = seen.public.as_deref().map(Leaf::read);
    let leaf = leaf.as_ref().map(|leaf| leaf.as_ref().map_err(|_| ()));
    let turn = acme.filter(|_| !first);
    let public =
        turn.map(|acme| schedule::step(now.as_secs(), &acme.settings(), &acme.names, leaf, past));
    let warning = match (turn, leaf) {
        (Some(_), Some(Ok(leaf))) => schedule::warning(now.as_secs(), leaf, past.warned),
        _ => None,
    };
    Work {
        fill: first || stale,
        withdraw: acme.is_none() && (seen.public.is_some() || seen.serving_public.is_some()),
        local,
        public,
        warning,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::acme::schedule::Why;
    use crate::config::Config;
    use crate::issue::{Authority, issue};

    const NOW: u64 = 1_800_000_000;

    fn now() -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(NOW))
    }

    fn acme() -> Acme {
        let text = "[acme]\nagree_to_terms = true\nnames = ['shop.example']";
        daemon::parse::<Config>(text)
            .unwrap()
            .acme()
            .unwrap()
            .unwrap()
    }

    fn names() -> Vec<ServerName<'static>> {
        vec![ServerName::try_from("localhost").unwrap()]
    }

    /// A machine that has a local certificate, which the gate serves.
    fn seen() -> Seen {
        let authority = Authority::new(now(), &names()).unwrap();
        let chain = issue(now(), &names(), &authority)
            .unwrap()
            .chain
            .into_bytes();
        Seen {
            local: Present {
                ca: Some(authority.certificate().into()),
                chain: Some(chain.clone()),
            },
            serving_local: Some(chain),
            ..Seen::default()
        }
    }

    fn public() -> Vec<u8> {
        let names = acme().names;
        let authority = Authority::new(now(), &names).unwrap();
        issue(now(), &names, &authority).unwrap().chain.into_bytes()
    }

    fn of(acme: Option<&Acme>, seen: &Seen) -> Work {
        work(now(), &names(), acme, seen, &Past::default())
    }

    #[test]
    fn a_new_machine_makes_a_local_certificate_and_speaks_to_nobody() {
        let work = of(Some(&acme()), &Seen::default());
        assert_eq!(
            work,
            Work {
                local: Some(Due::None),
                fill: true,
                withdraw: false,
                public: None,
                warning: None
            }
        );
    }

    #[test]
    fn a_start_fills_the_gate_s_folder_and_a_later_run_orders() {
        let mut seen = seen();
        assert!(of(None, &seen).is_none());
        assert_eq!(
            of(Some(&acme()), &seen).public,
            Some(Step::Order(Why::First))
        );
        seen.serving_local = None;
        let start = of(Some(&acme()), &seen);
        assert_eq!((start.local, start.fill, start.public), (None, true, None));
    }

    #[test]
    fn what_the_gate_lacks_is_filled_in() {
        let acme = acme();
        let mut seen = seen();
        seen.public = Some(public());
        assert!(
            of(Some(&acme), &seen).fill,
            "a cut-off run sealed it and gave it to nobody"
        );
        seen.serving_public.clone_from(&seen.public);
        let work = of(Some(&acme), &seen);
        assert!(!work.fill && work.public == Some(Step::Ask));
        seen.serving_local = Some(b"older".to_vec());
        assert!(of(Some(&acme), &seen).fill);
    }

    #[test]
    fn an_end_that_comes_near_is_said_though_nothing_may_be_tried() {
        let mut seen = seen();
        seen.public = Some(public());
        seen.serving_public.clone_from(&seen.public);
        let acme = acme();
        let ends = Leaf::read(&public()).unwrap().ends;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(ends - 3 * 24 * 60 * 60));
        let past = Past {
            next_try: now.as_secs() + 60,
            ..Past::default().under(&acme.settings())
        };
        let work = |past: &Past| work(now, &acme.names, Some(&acme), &seen, past);
        let near = work(&past);
        assert_eq!((near.warning, near.is_none()), (Some(3), false));
        assert!(matches!(near.public, Some(Step::Rest(_))));
        let said = Past {
            warned: Some(3),
            ..past
        };
        assert_eq!(work(&said).warning, None);
    }

    #[test]
    fn without_a_table_the_public_certificate_goes() {
        let mut seen = seen();
        seen.public = Some(public());
        let work = of(None, &seen);
        assert!(work.withdraw && !work.fill && work.public.is_none() && !work.is_none());
    }

    #[test]
    fn a_public_certificate_that_is_broken_is_ordered_anew() {
        let seen = Seen {
            public: Some(b"broken".to_vec()),
            ..seen()
        };
        assert_eq!(
            of(Some(&acme()), &seen).public,
            Some(Step::Order(Why::Unusable))
        );
    }
}
