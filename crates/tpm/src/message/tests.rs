use proptest::prelude::*;

use super::*;

const INDEX: u32 = 0x0180_1234;

fn body(bytes: &[u8]) -> &[u8] {
    response(bytes)
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default()
}

/// A response as a TPM gives it: with sessions, or without.
fn answer(sessions: bool, code: u32, parameters: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    if sessions {
        rest.extend(u32::try_from(parameters.len()).unwrap_or(0).to_be_bytes());
    }
    rest.extend(parameters);
    if sessions {
        rest.extend([0, 0, 1, 0, 0]);
    }
    let mut message = Vec::new();
    message.extend(if sessions { SESSIONS } else { NO_SESSIONS }.to_be_bytes());
    message.extend(u32::try_from(10 + rest.len()).unwrap_or(0).to_be_bytes());
    message.extend(code.to_be_bytes());
    message.extend(rest);
    message
}

fn nv_public(index: u32, attributes: u32, policy: &[u8]) -> Vec<u8> {
    let mut public = Vec::new();
    public.extend(index.to_be_bytes());
    public.extend(SHA256.to_be_bytes());
    public.extend(attributes.to_be_bytes());
    public.extend(length(policy.len()));
    public.extend(policy);
    public.extend(COUNTER_BYTES.to_be_bytes());
    let mut body = length(public.len()).to_vec();
    body.extend(public);
    body.extend([0, 2, 0xab, 0xcd]);
    body
}

/// Written down from the specification by hand.
#[test]
fn commands_are_as_specified() {
    assert_eq!(
        read_public(INDEX),
        [
            0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x69, 0x01, 0x80, 0x12, 0x34
        ]
    );
    let session = [0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0];
    let mut expected = vec![0x80, 0x02, 0, 0, 0, 31, 0, 0, 0x01, 0x34];
    expected.extend([0x01, 0x80, 0x12, 0x34, 0x01, 0x80, 0x12, 0x34]);
    expected.extend(session);
    assert_eq!(increment(INDEX), expected);
    expected[5] = 35;
    expected[9] = 0x4e;
    expected.extend([0, 8, 0, 0]);
    assert_eq!(read(INDEX), expected);
    let mut expected = vec![0x80, 0x02, 0, 0, 0, 31, 0, 0, 0x01, 0x22];
    expected.extend([0x40, 0, 0, 1, 0x01, 0x80, 0x12, 0x34]);
    expected.extend(session);
    assert_eq!(undefine(INDEX), expected);
    let label = Label::new("a", 3);
    let mut expected = vec![0x80, 0x02, 0, 0, 0, 77, 0, 0, 0x01, 0x2a, 0x40, 0, 0, 1];
    expected.extend(session);
    expected.extend([
        0, 0, 0, 46, 0x01, 0x80, 0x12, 0x34, 0, 0x0b, 0x02, 0x04, 0, 0x14, 0, 32,
    ]);
    expected.extend(label.to_bytes());
    expected.extend([0, 8]);
    assert_eq!(define(INDEX, &label), expected);
}

#[test]
fn a_counter_is_told_from_what_others_keep() {
    let label = Label::new("chat-shop", 7);
    let read = |attributes, policy: &[u8]| public(INDEX, &nv_public(INDEX, attributes, policy));
    let own = |written| Ok(Public::Counter { label, written });
    assert_eq!(read(ATTRIBUTES, &label.to_bytes()), own(false));
    assert_eq!(read(ATTRIBUTES | WRITTEN, &label.to_bytes()), own(true));
    // One that could be written to anything, and one with a policy that is none of ours.
    assert_eq!(
        read(ATTRIBUTES & !COUNTER, &label.to_bytes()),
        Ok(Public::Foreign)
    );
    assert_eq!(read(ATTRIBUTES, &[]), Ok(Public::Foreign));
    assert_eq!(
        public(INDEX + 1, &nv_public(INDEX, ATTRIBUTES, &[])),
        Err(Malformed::Index)
    );
}

#[test]
fn a_refusal_is_read_and_its_kind_told() {
    let refused = |code| response(&answer(false, code, &[])).map(Result::unwrap_err_or_zero);
    assert_eq!(refused(0x18b), Ok(Code(0x18b)));
    assert!(Code(0x18b).is_no_handle() && Code(0x28b).is_no_handle());
    assert!(
        !Code(0x14b).is_no_handle() && !Code(0x18a).is_no_handle() && !Code(0x00b).is_no_handle()
    );
    assert!(Code(0x922).is_passing() && !Code(0x921).is_passing());
}

trait RefusedOr {
    fn unwrap_err_or_zero(self) -> Code;
}

impl RefusedOr for Result<&[u8], Code> {
    fn unwrap_err_or_zero(self) -> Code {
        self.err().unwrap_or(Code(0))
    }
}

#[test]
fn a_response_that_is_cut_off_or_too_long_is_none() {
    let mut parameters = vec![0, 8];
    parameters.extend(57_u64.to_be_bytes());
    let whole = answer(true, 0, &parameters);
    assert_eq!(value(body(&whole)), Ok(57));
    for end in 0..whole.len() {
        assert!(response(&whole[..end]).is_err(), "{end}");
    }
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(response(&longer), Err(Malformed::Length));
    for bytes in [7_u8, 9] {
        let mut parameters = vec![0, bytes];
        parameters.extend(vec![0; bytes.into()]);
        assert_eq!(value(&parameters), Err(Malformed::Length));
    }
    assert_eq!(value(&[0, 8, 0]), Err(Malformed::Short));
}

proptest! {
    #[test]
    fn any_value_is_read(number: u64) {
        let mut parameters = vec![0, 8];
        parameters.extend(number.to_be_bytes());
        prop_assert_eq!(value(body(&answer(true, 0, &parameters))), Ok(number));
    }

    #[test]
    fn any_label_is_read(name in "[a-z-]{1,40}", first: u64, written: bool) {
        let label = Label::new(&name, first);
        let attributes = ATTRIBUTES | if written { WRITTEN } else { 0 };
        let bytes = answer(false, 0, &nv_public(INDEX, attributes, &label.to_bytes()));
        prop_assert_eq!(public(INDEX, body(&bytes)), Ok(Public::Counter { label, written }));
    }

    #[test]
    fn hostile_bytes_are_survived(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..120), sessions: bool, sized: bool,
    ) {
        if sized && bytes.len() >= HEADER_BYTES {
            let whole = u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes();
            bytes[2..6].copy_from_slice(&whole);
            bytes[..2].copy_from_slice(&(if sessions { SESSIONS } else { NO_SESSIONS }).to_be_bytes());
            bytes[6..10].copy_from_slice(&[0; 4]);
        }
        if let Ok(Ok(body)) = response(&bytes) {
            prop_assert!(body.len() <= bytes.len());
            let _ = (public(INDEX, body), value(body));
        }
        let _ = (public(INDEX, &bytes), value(&bytes));
    }
}
