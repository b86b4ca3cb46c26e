use proptest::prelude::*;

use super::*;

fn all(sender: Sender, stream: &[u8]) -> Result<Vec<Head>, Violation> {
    let (mut frames, mut rest, mut heads) = (Frames::of(sender), stream, Vec::new());
    while let Some((taken, found)) = frames.next(rest)? {
        rest = &rest[taken..];
        if let Found::Head(head) = found {
            heads.push(head);
        }
    }
    Ok(heads)
}

fn refused(sender: Sender, stream: &[u8]) -> Violation {
    all(sender, stream).unwrap_err()
}

#[test]
fn the_examples_of_the_rfc_are_taken() {
    // Section 5.7.
    let masked = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    let heads = all(Sender::Client, &masked).unwrap();
    assert_eq!(
        heads,
        [Head {
            opcode: Opcode::Text,
            payload: 5,
            message: 5
        }]
    );
    let fragments = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    let heads = all(Sender::Server, &fragments).unwrap();
    assert_eq!(
        heads[1],
        Head {
            opcode: Opcode::Continuation,
            payload: 2,
            message: 5
        }
    );
    let ping = [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(all(Sender::Server, &ping).unwrap()[0].opcode, Opcode::Ping);
    let mut long = vec![0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];
    long.resize(10 + 65_536, 0);
    assert_eq!(all(Sender::Server, &long).unwrap()[0].payload, 65_536);
}

#[test]
fn a_control_frame_may_stand_within_a_message() {
    let stream = [0x01, 0x01, b'a', 0x89, 0x00, 0x80, 0x01, b'b'];
    let heads = all(Sender::Server, &stream).unwrap();
    assert_eq!((heads[1].message, heads[2].message), (0, 2));
}

#[test]
fn what_the_rfc_forbids_is_refused() {
    use Violation as V;
    for (sender, stream, violation) in [
        (Sender::Client, &[0xc1_u8][..], V::ReservedBit),
        (Sender::Server, &[0xa1], V::ReservedBit),
        (Sender::Server, &[0x91], V::ReservedBit),
        (Sender::Client, &[0x83], V::Opcode),
        (Sender::Client, &[0x8f], V::Opcode),
        (Sender::Client, &[0x81, 0x05], V::NotMasked),
        (Sender::Server, &[0x81, 0x85], V::Masked),
        (Sender::Client, &[0x09], V::ControlFragmented),
        (Sender::Client, &[0x89, 0xfe], V::ControlTooLong),
        (Sender::Server, &[0x88, 0x7f], V::ControlTooLong),
        (Sender::Server, &[0x82, 126, 0, 125], V::LengthNotMinimal),
        (
            Sender::Server,
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255],
            V::LengthNotMinimal,
        ),
        (
            Sender::Server,
            &[0x82, 127, 128, 0, 0, 0, 0, 0, 0, 0],
            V::LengthTooLarge,
        ),
        (Sender::Server, &[0x80], V::NothingToContinue),
        (Sender::Server, &[0x01, 0x00, 0x81], V::MessageWithinMessage),
        (Sender::Server, &[0x88, 0x00, 0x89], V::AfterClose),
    ] {
        assert_eq!(refused(sender, stream), violation, "{stream:?}");
    }
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        6 => prop::sample::select(vec![0x01_u8, 0x81, 0x82, 0x00, 0x80, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let length = prop_oneof![0_usize..200, 65_530_usize..65_540];
    (first, length, 0..20_u8).prop_map(|(first, length, odd)| {
        let mut frame = vec![first];
        match (length, odd) {
            (_, 0) => frame.extend([0xff, 0, 0, 0, 0, 0, 0]),
            (_, 1) => frame.extend([0xfe, 0]),
            (0..126, _) => frame.push(0x80 | u8::try_from(length).unwrap()),
            (126..65_536, _) => {
                frame.push(0xfe);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(0xff);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([1, 2, 3, 4]);
        frame.resize(frame.len() + length, 7);
        frame
    })
}

proptest! {
    #[test]
    fn whatever_comes_is_read_as_the_rfc_says(stream in prop::collection::vec(any::<u8>(), 0..80), cuts: u64) {
        model::compare(Sender::Client, &stream, cuts);
        model::compare(Sender::Server, &stream, cuts);
    }

    #[test]
    fn frames_are_read_as_the_rfc_says(frames in prop::collection::vec(frame(), 0..6), cuts: u64) {
        model::compare(Sender::Client, &frames.concat(), cuts);
    }
}
