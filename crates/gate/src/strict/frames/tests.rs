use proptest::prelude::*;

use super::client::{Client, does, frame, setting};
use super::*;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// What a HEADERS frame has: `:method: GET`.
const GET: &[u8] = &[0x82];

/// Frames behind the beginning of a connection, and what is wrong with the last one.
pub(super) fn wrong() -> Vec<(Vec<Vec<u8>>, Fault)> {
    let get = || frame(1, 5, 1, GET);
    let post = || frame(1, 4, 1, GET);
    let reset = || frame(3, 0, 1, &[0; 4]);
    let long = vec![0; PAYLOAD_BYTES as usize + 1];
    let wrong = |fault, frames: &[Vec<u8>]| (frames.to_vec(), fault);
    vec![
        wrong(Fault::FrameSize, &[post(), frame(0, 0, 1, &long)]),
        wrong(Fault::FrameSize, &[post(), frame(0, 8, 1, &[])]),
        wrong(Fault::FrameSize, &[frame(1, 8, 1, &[])]),
        wrong(Fault::FrameSize, &[frame(1, 0x20, 1, &[0; 4])]),
        wrong(Fault::FrameSize, &[frame(2, 0, 1, &[0; 4])]),
        wrong(Fault::FrameSize, &[get(), frame(3, 0, 1, &[0; 3])]),
        wrong(Fault::FrameSize, &[frame(4, 0, 0, &[0; 5])]),
        wrong(Fault::FrameSize, &[frame(4, 1, 0, &[0; 6])]),
        wrong(Fault::FrameSize, &[frame(6, 0, 0, &[0; 7])]),
        wrong(Fault::FrameSize, &[frame(7, 0, 0, &[0; 7])]),
        wrong(Fault::FrameSize, &[frame(8, 0, 0, &[0; 3])]),
        wrong(Fault::StreamIdentifier, &[frame(0, 0, 0, b"a")]),
        wrong(Fault::StreamIdentifier, &[frame(1, 5, 0, GET)]),
        wrong(Fault::StreamIdentifier, &[frame(1, 5, 2, GET)]),
        wrong(
            Fault::StreamIdentifier,
            &[frame(1, 5, 5, GET), frame(1, 5, 3, GET)],
        ),
        wrong(Fault::StreamIdentifier, &[frame(2, 0, 0, &[0; 5])]),
        wrong(Fault::StreamIdentifier, &[frame(3, 0, 0, &[0; 4])]),
        wrong(Fault::StreamIdentifier, &[frame(4, 0, 1, &[])]),
        wrong(Fault::StreamIdentifier, &[frame(6, 0, 1, &[0; 8])]),
        wrong(Fault::StreamIdentifier, &[frame(7, 0, 1, &[0; 8])]),
        wrong(Fault::StreamIdle, &[frame(0, 0, 1, b"a")]),
        wrong(Fault::StreamIdle, &[frame(3, 0, 1, &[0; 4])]),
        wrong(Fault::StreamIdle, &[get(), frame(8, 0, 3, &[1; 4])]),
        wrong(Fault::StreamIdle, &[get(), frame(8, 0, 2, &[1; 4])]),
        wrong(Fault::StreamClosed, &[get(), frame(0, 0, 1, b"a")]),
        wrong(Fault::StreamClosed, &[get(), get()]),
        wrong(Fault::StreamClosed, &[post(), frame(0, 1, 1, b"a"), get()]),
        wrong(
            Fault::StreamClosed,
            &[post(), reset(), frame(0, 1, 1, b"a")],
        ),
        wrong(Fault::StreamClosed, &[post(), reset(), get()]),
        wrong(
            Fault::Continuation,
            &[frame(1, 1, 1, GET), frame(6, 0, 0, &[0; 8])],
        ),
        wrong(
            Fault::Continuation,
            &[frame(1, 1, 1, GET), frame(9, 4, 3, &[])],
        ),
        wrong(
            Fault::Continuation,
            &[frame(1, 1, 1, GET), frame(0xff, 0, 1, &[])],
        ),
        wrong(Fault::Continuation, &[get(), frame(9, 4, 1, &[])]),
        wrong(Fault::Continuation, &[post(), reset(), frame(9, 4, 1, &[])]),
        wrong(Fault::Push, &[get(), frame(5, 4, 1, &[0, 0, 0, 2, 0x88])]),
        wrong(Fault::Push, &[frame(5, 0, 1, &[0, 0, 0, 2, 0x88])]),
        wrong(Fault::Padding, &[post(), frame(0, 8, 1, &[2, 0])]),
        wrong(
            Fault::Padding,
            &[frame(1, 0x2c, 1, &[2, 0, 0, 0, 0, 0, 0x82])],
        ),
        wrong(Fault::Setting, &[setting(2, 2)]),
        wrong(Fault::Setting, &[setting(5, 16383)]),
        wrong(Fault::Setting, &[setting(5, 1 << 24)]),
        wrong(Fault::Setting, &[setting(8, 2)]),
        wrong(Fault::WindowSize, &[setting(4, 1 << 31)]),
        wrong(Fault::WindowIncrement, &[frame(8, 0, 0, &[0x80, 0, 0, 0])]),
        wrong(Fault::WindowIncrement, &[post(), frame(8, 0, 1, &[0; 4])]),
        wrong(Fault::Compression, &[frame(1, 5, 1, &[0x40])]),
        wrong(Fault::Compression, &[frame(1, 5, 1, &[0xbe])]),
        wrong(
            Fault::Compression,
            &[frame(1, 1, 1, &[0x82, 0x40]), frame(9, 4, 1, &[])],
        ),
        // A size behind a field, which h2 takes there.
        wrong(
            Fault::Compression,
            &[frame(1, 1, 1, &[0x82]), frame(9, 4, 1, &[0x20])],
        ),
        wrong(
            Fault::Compression,
            &[frame(1, 1, 1, &[0x40]), frame(9, 4, 1, b"\x01a")],
        ),
    ]
}

#[test]
fn each_fault_is_found_where_it_is() {
    for (frames, fault) in wrong() {
        let before = [PREFACE, &frames[..frames.len() - 1].concat()].concat();
        let fine = model::read([&before[..]]);
        assert_eq!(
            (fine.fault, fine.passed.len()),
            (None, before.len()),
            "{frames:x?}"
        );
        let all = [PREFACE, &frames.concat()].concat();
        assert_eq!(model::read([&all[..]]).fault, Some(fault), "{frames:x?}");
    }
    // What does not begin as a connection does is for h2.
    let read = model::read([&b"PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n\0\0\0\0\0\0\0\0\0"[..]]);
    assert_eq!((read.fault, read.waiting), (None, 0));
    for kind in [0, 1, 6, 0xff] {
        let bytes = [&PREFACE[..24], &frame(kind, 5, 1, &[0x82])].concat();
        assert_eq!(model::read([&bytes[..]]).fault, Some(Fault::NoSettings));
    }
}

#[test]
fn names_are_distinct() {
    let names = Fault::ALL.iter().map(|fault| fault.name());
    let names: std::collections::HashSet<_> = names
        .chain(
            crate::strict::Reason::ALL
                .iter()
                .map(|reason| reason.name()),
        )
        .collect();
    let all = Fault::ALL.len() + crate::strict::Reason::ALL.len();
    assert_eq!(names.len(), all);
}

#[test]
fn a_pseudo_header_in_trailers_ends_its_stream_alone() {
    let trailers: [&[&[u8]]; 4] = [
        &[&[0x83]],
        &[&[0x40, 0x01, b'a', 0x01, b'b', 0x83]],
        &[&[0x40, 0x01], b"a", b"\x01b\x83"],
        // By the entry that the request has added.
        &[&[0xbe]],
    ];
    for pieces in trailers {
        let mut bytes = [PREFACE, &frame(1, 4, 1, &[0x82, 0x41, 0x01, b'a'])].concat();
        for (at, piece) in pieces.iter().enumerate() {
            let end = if at + 1 == pieces.len() { 4 } else { 0 };
            let (kind, flags) = if at == 0 { (1, 1 | end) } else { (9, end) };
            bytes.extend(frame(kind, flags, 1, piece));
        }
        let before = bytes.len();
        bytes.extend(frame(1, 5, 3, GET));
        let read = model::read([&bytes[..]]);
        assert_eq!(read.resets, [(before, 1)], "{pieces:x?}");
        assert_eq!((read.fault, read.passed.len()), (None, bytes.len()));
    }
    let fine = [
        PREFACE,
        &frame(1, 4, 1, GET),
        &frame(1, 5, 1, b"\0\x01a\x01:"),
    ]
    .concat();
    let read = model::read([&fine[..]]);
    assert_eq!((read.resets, read.fault), (vec![], None));
}

#[test]
fn that_a_client_goes_away_is_kept_from_h2() {
    let ping = frame(6, 0, 0, &[7; 8]);
    let away = frame(7, 0, 0, b"\0\0\0\0\0\0\0\xffwhy");
    let bytes = [PREFACE, &ping, &away, &ping].concat();
    let read = model::read([&bytes[..]]);
    assert_eq!(read.passed, [PREFACE, &ping, &ping].concat());
    assert_eq!((read.dropped, read.fault), (away.len(), None));
}

proptest! {
    #[test]
    fn nothing_is_wrong_with_what_a_client_may_send(all in prop::collection::vec(does(), 0..400), seed: u64) {
        let mut client = Client::default();
        let mut sent = frame(4, 0, 0, &[]);
        for does in &all {
            sent.extend(client.act(does));
        }
        let read = model::read([&PREFACE[..24], &sent]);
        prop_assert_eq!((read.fault, read.resets, read.waiting), (None, vec![], 0));
        model::compare(&sent, seed);
    }

    #[test]
    fn frames_are_read_alike_however_they_are_split(
        all in prop::collection::vec((0..11_u8, any::<u8>(), 0..8_u32, prop::collection::vec(any::<u8>(), 0..30)), 0..40),
        seed: u64,
    ) {
        let mut sent = frame(4, 0, 0, &[]);
        for (kind, flags, stream, payload) in all {
            sent.extend(frame(kind, flags, stream, &payload));
        }
        model::compare(&sent, seed);
    }

    #[test]
    fn any_bytes_are_read_alike_however_they_are_split(bytes: Vec<u8>, seed: u64) {
        model::compare(&bytes, seed);
        model::compare(&[&PREFACE[24..], &bytes[..]].concat(), seed);
    }
}
