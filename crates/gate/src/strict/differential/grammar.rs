//! Requests made from a grammar that knows what parsers disagree about, and then changed at random.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::Reason;
use super::{compare, scan};

/// A change: where in the stream, in 65536ths; how many bytes go; what comes.
type Change = (u16, usize, &'static str);

/// Mostly the first, which is what a client sends; now and then another.
fn mostly(usual: &'static str, others: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![
        30 => Just(usual.to_owned()),
        1 => select(others).prop_map(str::to_owned),
    ]
}

fn line_end() -> impl Strategy<Value = String> {
    mostly(
        "\r\n",
        &[
            "\n", "\r", "\r\r\n", "\n\r\n", "\r\n ", "\r\n\r\n", "\0\r\n",
        ],
    )
}

fn request_line() -> impl Strategy<Value = String> {
    let method = prop_oneof![
        4 => select(&["GET", "POST", "HEAD", "DELETE", "OPTIONS"][..]),
        1 => select(&["CONNECT", "PRI", "get", "G@T", "M-SEARCH", ""][..]),
    ];
    let target = prop_oneof![
        6 => "/[a-z0-9/%?=.;~|^\\[\\]-]{0,12}",
        1 => select(&[
            "*", "/a#b", "/\\", "//a", "/?", "/?\\{}`", "https://a.example/x", "HTTP://A.example/",
            "https://b.example/", "https://a.example", "http://a.example?x", "/\u{fc}", "a.example:1", "",
        ][..]).prop_map(str::to_owned),
    ];
    let version = mostly(
        "HTTP/1.1",
        &[
            "HTTP/1.0",
            "HTTP/1.0",
            "HTTP/2.0",
            "HTTP/1.10",
            "http/1.1",
            "HTTP/0.9",
            "",
        ],
    );
    let space = || mostly(" ", &["  ", "\t", ""]);
    (method, space(), target, space(), version, line_end())
        .prop_map(|(m, s, t, p, v, e)| format!("{m}{s}{t}{p}{v}{e}"))
}

fn host() -> impl Strategy<Value = String> {
    mostly(
        "Host: a.example\r\n",
        &[
            "",
            "Host:a.example\r\n",
            "Host: b\r\nHost: b\r\n",
            "Host: \r\n",
            "Host: a b\r\n",
            "Host : a\r\n",
            "Host: [::1]:1\r\n",
        ],
    )
}

fn other() -> impl Strategy<Value = String> {
    let usual =
        ("[A-Za-z][A-Za-z0-9_-]{0,8}", "[ -~\\t]{0,12}").prop_map(|(n, v)| format!("{n}: {v}\r\n"));
    prop_oneof![
        8 => usual,
        4 => select(&[
            "Connection: keep-alive\r\n", "Connection: close\r\n", "Connection: Close , x\r\n", "connection: x\r\n",
            "Connection: \r\n", "Expect: 100-continue\r\n", "TE: trailers\r\n", "Cookie: a\r\nCookie: b\r\n",
        ][..]).prop_map(str::to_owned),
        2 => select(&[
            " x: y\r\n", "\tx\r\n", ": x\r\n", "x\r\n", "x : y\r\n", "x: \x01\r\n", "x: y\n", "x: y\rz\r\n", "x:\r\n",
            "Upgrade: websocket\r\nConnection: upgrade\r\n", "Upgrade: h2c\r\n", "HTTP2-Settings: AAMAAABk\r\n",
            "Expect: x\r\n", "Connection: transfer-encoding\r\n", "Trailer: x\r\n", "x: \u{fc}\r\n",
        ][..]).prop_map(str::to_owned),
    ]
}

/// A header that frames the body, and the body.
fn framed() -> impl Strategy<Value = (String, String)> {
    let none = Just((String::new(), String::new()));
    let sized =
        "[ -~\\r\\n]{0,40}".prop_map(|body| (format!("Content-Length: {}\r\n", body.len()), body));
    let chunk = prop_oneof![
        10 => ("[ -~\\r\\n]{1,20}", prop::bool::ANY, line_end(), line_end()).prop_map(|(data, upper, a, b)| {
            let size = if upper { format!("{:X}", data.len()) } else { format!("0{:x}", data.len()) };
            format!("{size}{a}{data}{b}")
        }),
        1 => select(&[
            "2;\r\nab\r\n", "2;a=b\r\nab\r\n", "2 \r\nab\r\n", "2\r\nab", "2\nab\r\n", "0x2\r\nab\r\n", "-2\r\n",
            "fffffffffffffffff\r\n", "2\r\nabc\r\n", "2;\nab\r\n", "2\r\nab\n", "2\r\nab\rX",
        ][..]).prop_map(str::to_owned),
    ];
    let last = mostly(
        "0\r\n\r\n",
        &[
            "",
            "0\r\n",
            "00\r\n\r\n",
            "0\r\nX: y\r\n\r\n",
            "0\n\n",
            "0\r\n\n",
            "0;a\r\n\r\n",
            "0\r\nContent-Length: 5\r\n\r\n",
        ],
    );
    let chunked = (vec(chunk, 0..4), last).prop_map(|(chunks, last)| {
        (
            "Transfer-Encoding: chunked\r\n".to_owned(),
            chunks.concat() + &last,
        )
    });
    let odd = select(
        &[
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3\r\nContent-Length: 4\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length: 03\r\n",
            "Content-Length:\t3\r\n",
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: Chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
            "Transfer-Encoding: x, chunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Transfer-Encoding:\x0bchunked\r\n",
            " Transfer-Encoding: chunked\r\n",
            "Content-Length: 9223372036854775807\r\n",
            "Content-Length: 18446744073709551617\r\n",
        ][..],
    )
    .prop_map(|header| (header.to_owned(), "3\r\nabc\r\n0\r\n\r\n".to_owned()));
    prop_oneof![4 => none, 4 => sized, 5 => chunked, 2 => odd]
}

fn request() -> impl Strategy<Value = String> {
    (
        request_line(),
        host(),
        vec(other(), 0..4),
        framed(),
        line_end(),
    )
        .prop_map(|(line, host, others, (framing, body), end)| {
            let others = others.concat();
            format!("{line}{host}{others}{framing}{end}{body}")
        })
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let bytes = select(
        &[
            "", "\r", "\n", "\r\n", " ", "\t", "\0", ":", ",", ";", "0", "\r\n\r\n", "A", "\u{ff}",
        ][..],
    );
    prop_oneof![3 => Just(Vec::new()), 2 => vec((any::<u16>(), 0..3_usize, bytes), 1..4)]
}

fn change(stream: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = stream.as_bytes().to_vec();
    for (at, gone, come) in changes {
        let at = usize::from(*at) * bytes.len() / 65_536;
        let to = (at + gone).min(bytes.len());
        bytes.splice(at..to, come.bytes());
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn hyper_reads_what_the_scanner_takes_as_the_scanner_does(
        requests in vec(request(), 1..5),
        changes in changes(),
        seed in any::<u64>(),
    ) {
        compare(&change(&requests.concat(), &changes), seed);
    }

    #[test]
    fn any_bytes_are_scanned_without_a_panic(bytes in vec(any::<u8>(), 0..300), seed in any::<u64>()) {
        compare(&bytes, seed);
    }
}

/// The grammar would prove nothing if the scanner refused most of what it makes.
#[test]
fn the_grammar_makes_requests_that_are_taken_and_refusals_of_most_kinds() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut taken = 0;
    let mut reasons = std::collections::HashSet::new();
    for _ in 0..4000 {
        let made = vec(request(), 1..5).new_tree(&mut runner).unwrap();
        let scanned = scan(&[made.current().concat().as_bytes()]);
        taken += scanned.requests.iter().filter(|seen| seen.is_whole).count();
        reasons.extend(scanned.refused);
    }
    assert!(taken > 2000, "{taken} requests were taken");
    let kinds = reasons.len();
    assert!(
        kinds > 28,
        "{kinds} kinds: {reasons:?} of {}",
        Reason::ALL.len()
    );
}
