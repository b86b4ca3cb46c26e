//! What builds on what, what ends early, and the documented bytes.

use std::ops::ControlFlow;

use super::super::restore::apply;
use super::super::stream::{Source as _, stream};
use super::super::{DIGEST_BYTES, Fault, HEADER_BYTES, verify};
use super::{Fake, fault, go_on, summed};
use crate::error::Error;
use crate::mark::Mark;
use crate::tests::simulated::Simulated;
use crate::watch::{Step, Watch};

#[test]
fn changes_fit_only_what_they_build_on() {
    let mut fake = Fake::default();
    fake.commit(&[(1, 1)]);
    let (first, full) = (fake.mark(), fake.taken(None));
    fake.commit(&[(2, 2)]);
    let second = fake.mark();
    fake.commit(&[(3, 3)]);
    let changes = fake.taken(Some(&second));
    let put = |base: Option<&Mark>, bytes: &[u8]| {
        let disk = Simulated::recording();
        let outcome = apply(&*disk, base, &mut &*bytes, &mut go_on());
        assert!(outcome.is_ok() || disk.image().is_empty());
        outcome
    };
    let error = fault(put(None, &changes).unwrap_err());
    assert!(matches!(error, Fault::NeedsBase { base: 2, .. }));
    assert!(error.to_string().contains("since generation 2"));
    let error = fault(put(Some(&first), &changes).unwrap_err());
    assert!(matches!(error, Fault::WrongBase { .. }));
    assert!(error.to_string().contains("builds on generation 2"));
    assert!(error.to_string().contains("is generation 1 of"));
    for stranger in [
        Mark {
            file: [1; 16],
            ..second
        },
        Mark {
            lineage: [1; 16],
            ..second
        },
    ] {
        let error = fault(put(Some(&stranger), &changes).unwrap_err());
        assert!(matches!(error, Fault::WrongBase { .. }));
    }
    assert!(matches!(
        fault(put(Some(&first), &full).unwrap_err()),
        Fault::Full { generation: 1 }
    ));
    put(Some(&second), &changes).unwrap();
}

#[test]
fn a_receipt_that_does_not_fit_makes_no_snapshot() {
    let mut fake = Fake::default();
    fake.commit(&[(1, 1)]);
    fake.commit(&[(2, 2)]);
    let own = fake.mark();
    for base in [
        Mark {
            file: [0; 16],
            ..own
        },
        Mark {
            lineage: [9; 16],
            ..own
        },
        Mark {
            generation: 3,
            ..own
        },
        Mark {
            generation: 0,
            ..own
        },
    ] {
        let mut out = Vec::new();
        let error = fault(stream(&fake, Some(&base), &mut out, &mut go_on()).unwrap_err());
        assert!(matches!(error, Fault::Unrelated(_)));
        assert!(out.is_empty());
    }
    // Nothing has changed since the newest commit.
    let summary = summed(&fake.taken(Some(&own))).unwrap();
    assert_eq!((summary.base, summary.totals.blocks), (2, 0));
}

#[test]
fn an_output_that_fails_is_named() {
    let mut fake = Fake::default();
    fake.commit(&(0..600).map(|block| (block, 3)).collect::<Vec<_>>());
    let whole = fake.taken(None).len();
    for room in [0, 100, HEADER_BYTES + 40, whole - 1] {
        let mut out = vec![0; room];
        let error = stream(&fake, None, &mut out.as_mut_slice(), &mut go_on()).unwrap_err();
        assert!(matches!(fault(error), Fault::Output(_)), "{room}");
    }
}

#[test]
fn a_task_that_is_told_to_stop_stops() {
    let mut fake = Fake::default();
    fake.commit(&(0..600).map(|block| (block, 3)).collect::<Vec<_>>());
    let bytes = fake.taken(None);
    let mut steps = 0;
    let watch: &mut Watch<'_> = &mut |step: &Step| {
        steps += 1;
        assert!(step.done <= 600);
        if steps < 100 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let error = stream(&fake, None, &mut Vec::new(), watch).unwrap_err();
    assert!(matches!(error, Error::Stopped));
    let error = verify(&mut bytes.as_slice(), &mut |_| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(error, Error::Stopped));
}

/// The value behind `name` in the format's description.
fn documented(name: &str) -> String {
    let line = include_str!("../../../FORMAT.md")
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    line.unwrap().to_owned()
}

#[test]
fn the_stream_is_as_documented() {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let mut fake = Fake {
        lineage: 0xb0,
        ..Fake::default()
    };
    fake.commit(&[(0, 0), (2, 1)]);
    let bytes = fake.taken(None);
    assert_eq!(hex(&bytes[..72]), documented("header first 72"));
    assert_eq!(hex(&bytes[HEADER_BYTES..][..32]), documented("header hash"));
    let chunk = &bytes[HEADER_BYTES + DIGEST_BYTES..];
    assert_eq!(hex(&chunk[..20]), documented("chunk first 20"));
    let trailer = chunk.len() - 52;
    assert_eq!(hex(&chunk[trailer - 32..trailer]), documented("chunk hash"));
    assert_eq!(hex(&chunk[trailer..]), documented("trailer"));
}
