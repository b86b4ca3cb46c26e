#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::kinds::lines;

fn of_sshd(line: &str) -> Option<(&'static str, String)> {
    match sshd::read(line)? {
        Line::Seen { kind, client } => Some((kind, client.unwrap().to_string())),
        Line::LoggedIn(client) => Some(("in", client.to_string())),
        Line::LoggedOut => Some(("out", String::new())),
    }
}

#[test]
fn lines_of_sshd_are_read() {
    let expected = |kind| Some((kind, "203.0.113.7".to_owned()));
    for (line, kind) in [
        (
            "Failed password for root from 203.0.113.7 port 4711 ssh2",
            lines::SSH_FAILED,
        ),
        (
            "Failed password for invalid user admin from 203.0.113.7 port 4711 ssh2",
            lines::SSH_FAILED,
        ),
        (
            "Failed none for invalid user  from 203.0.113.7 port 4711 ssh2",
            lines::SSH_FAILED,
        ),
        (
            "Failed keyboard-interactive/pam for root from 203.0.113.7 port 4711 ssh2",
            lines::SSH_FAILED,
        ),
        (
            "Failed publickey for root from 203.0.113.7 port 4711 ssh2: ED25519 SHA256:abc",
            lines::SSH_FAILED,
        ),
        (
            "Failed password for root from ::ffff:203.0.113.7 port 4711 ssh2",
            lines::SSH_FAILED,
        ),
        (
            "Invalid user admin from 203.0.113.7 port 4711",
            lines::SSH_INVALID_USER,
        ),
        (
            "Invalid user  from 203.0.113.7 port 4711",
            lines::SSH_INVALID_USER,
        ),
        (
            "error: maximum authentication attempts exceeded for root from 203.0.113.7 port 4711 ssh2 [preauth]",
            lines::SSH_ATTEMPTS_EXCEEDED,
        ),
        (
            "User root from 203.0.113.7 not allowed because not listed in AllowUsers",
            lines::SSH_REFUSED_USER,
        ),
        (
            "Connection closed by 203.0.113.7 port 4711 [preauth]",
            lines::SSH_GONE,
        ),
        (
            "Connection closed by 203.0.113.7 port 4711",
            lines::SSH_GONE,
        ),
        (
            "Connection reset by authenticating user root 203.0.113.7 port 4711 [preauth]",
            lines::SSH_GONE,
        ),
        (
            "Connection closed by invalid user  203.0.113.7 port 4711 [preauth]",
            lines::SSH_GONE,
        ),
        (
            "Disconnected from authenticating user root 203.0.113.7 port 4711 [preauth]",
            lines::SSH_GONE,
        ),
        (
            "Timeout before authentication for connection from 203.0.113.7 to 198.51.100.1, pid = 77",
            lines::SSH_GONE,
        ),
        (
            "fatal: Timeout before authentication for 203.0.113.7 port 4711",
            lines::SSH_GONE,
        ),
        (
            "banner exchange: Connection from 203.0.113.7 port 4711: invalid format",
            lines::SSH_GARBAGE,
        ),
        (
            "Bad protocol version identification 'GET / HTTP/1.1' from 203.0.113.7 port 4711",
            lines::SSH_GARBAGE,
        ),
        (
            "Did not receive identification string from 203.0.113.7 port 4711",
            lines::SSH_GARBAGE,
        ),
        (
            "Unable to negotiate with 203.0.113.7 port 4711: no matching key exchange method found. Their offer: x [preauth]",
            lines::SSH_GARBAGE,
        ),
        (
            "Accepted publickey for root from 203.0.113.7 port 4711 ssh2: ED25519 SHA256:abc",
            "in",
        ),
        (
            "Accepted password for alice from 203.0.113.7 port 4711 ssh2",
            "in",
        ),
    ] {
        assert_eq!(of_sshd(line), expected(kind), "{line}");
    }
    assert_eq!(
        sshd::read("pam_unix(sshd:session): session closed for user root"),
        Some(Line::LoggedOut)
    );
    assert_eq!(
        of_sshd("Failed password for root from 2001:db8::7 port 1 ssh2"),
        Some((lines::SSH_FAILED, "2001:db8::7".to_owned()))
    );
    for line in [
        "Failed password for root from 203.0.113.7 port 70000 ssh2",
        "Failed password for root from attacker.example port 4711 ssh2",
        "Failed password for root from fe80::1%eth0 port 4711 ssh2",
        "Server listening on 0.0.0.0 port 22.",
        "Received disconnect from 203.0.113.7 port 4711:11: Bye [preauth]",
        "x Failed password for root from 203.0.113.7 port 4711 ssh2",
    ] {
        assert_eq!(of_sshd(line), None, "{line}");
    }
}

#[test]
fn a_certificate_and_a_name_that_both_look_like_an_address_count_for_nobody() {
    let line = "Failed publickey for x from 198.51.100.9 port 22 ssh2 from 203.0.113.7 port 4711 ssh2: RSA-CERT SHA256:abc ID y (serial 0) CA RSA SHA256:abc";
    assert_eq!(of_sshd(line), None);
    let line = "Failed publickey for root from 203.0.113.7 port 4711 ssh2: RSA-CERT SHA256:abc ID  from 198.51.100.9 port 22 ssh2 (serial 0) CA RSA SHA256:abc";
    assert_eq!(of_sshd(line), None);
}

#[test]
fn lines_of_pam_and_sudo_are_read() {
    let seen = |kind, client: Option<&str>| {
        let client = client.map(|client| client.parse().unwrap());
        Some(Line::Seen { kind, client })
    };
    let failure = "authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=";
    let line = format!("pam_unix(dovecot:auth): {failure} rhost=203.0.113.7  user=alice");
    assert_eq!(
        pam::read(&line),
        seen(lines::PAM_FAILED, Some("203.0.113.7"))
    );
    let line = format!("pam_unix(dovecot:auth): {failure} rhost=203.0.113.7");
    assert_eq!(
        pam::read(&line),
        seen(lines::PAM_FAILED, Some("203.0.113.7"))
    );
    let line = format!(
        "pam_unix(dovecot:auth): {failure} rhost=203.0.113.7  user=x rhost=198.51.100.9  user=y"
    );
    assert_eq!(
        pam::read(&line),
        seen(lines::PAM_FAILED, Some("203.0.113.7"))
    );
    let line = "pam_unix(rlogin:auth): authentication failure; logname= uid=0 euid=0 tty=pts ruser=x rhost=198.51.100.9  user=y rhost=203.0.113.7  user=z";
    assert_eq!(pam::read(line), None);
    let line = "pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice";
    assert_eq!(pam::read(line), seen(lines::SUDO_FAILED, None));
    let line = "   alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id";
    assert_eq!(sudo::read(line), seen(lines::SUDO_FAILED, None));
    let line = "   alice : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id";
    assert_eq!(sudo::read(line), seen(lines::SUDO_REFUSED, None));
    let line = "   alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id";
    assert_eq!(sudo::read(line), None);
}

/// What an attacker may write as a user's name: pieces of real lines among others.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(" from 198.51.100.9 port 22 ssh2".to_owned()),
        Just(" from 198.51.100.9 port 22".to_owned()),
        Just(" 198.51.100.9 port 22".to_owned()),
        Just(" 198.51.100.9 port 22 [preauth]".to_owned()),
        Just(" [preauth]".to_owned()),
        Just(": ".to_owned()),
        Just("' from 198.51.100.9 port 22".to_owned()),
        Just(" for root from 198.51.100.9 port 22 ssh2".to_owned()),
        Just("invalid user ".to_owned()),
        Just(" rhost=198.51.100.9  user=x".to_owned()),
        Just(" not allowed because account is locked".to_owned()),
        "[ -~]{0,12}",
    ];
    proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

const TRUE: &str = "203.0.113.7";

proptest! {
    #[test]
    fn no_name_of_a_user_shifts_the_blame(name in hostile(), port in any::<u16>()) {
        for line in [
            format!("Failed password for {name} from {TRUE} port {port} ssh2"),
            format!("Failed password for invalid user {name} from {TRUE} port {port} ssh2"),
            format!("Failed none for invalid user {name} from {TRUE} port {port} ssh2"),
            format!("Invalid user {name} from {TRUE} port {port}"),
            format!("Connection closed by invalid user {name} {TRUE} port {port} [preauth]"),
            format!("Connection reset by authenticating user {name} {TRUE} port {port} [preauth]"),
            format!("error: maximum authentication attempts exceeded for invalid user {name} from {TRUE} port {port} ssh2 [preauth]"),
            format!("Bad protocol version identification '{name}' from {TRUE} port {port}"),
            format!("banner exchange: Connection from {TRUE} port {port}: {name}"),
            format!("Unable to negotiate with {TRUE} port {port}: {name}"),
        ] {
            // Counted for the true client, and always counted.
            let found = of_sshd(&line);
            prop_assert!(matches!(&found, Some((_, client)) if client == TRUE), "{} {:?}", line, found);
        }
    }

    #[test]
    fn what_may_be_anybodys_is_nobodys(name in hostile(), key in hostile(), port in any::<u16>()) {
        let lines = [
            format!("Failed publickey for {name} from {TRUE} port {port} ssh2: RSA-CERT SHA256:abc ID {key} (serial 0) CA RSA SHA256:abc"),
            format!("Failed hostbased for {name} from {TRUE} port {port} ssh2: RSA SHA256:abc, client user \"{key}\", client host \"{key}\""),
            format!("Received disconnect from {TRUE} port {port}:11: {key} [preauth]"),
            format!("User {name} from {TRUE} not allowed because account is locked"),
        ];
        for line in lines {
            let found = of_sshd(&line);
            prop_assert!(found.as_ref().is_none_or(|(_, client)| client == TRUE), "{} {:?}", line, found);
        }
        let line = format!("pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser= rhost={TRUE}  user={name}");
        let client = Some(TRUE.parse().unwrap());
        prop_assert_eq!(pam::read(&line), Some(Line::Seen { kind: lines::PAM_FAILED, client }));
    }

    #[test]
    fn nobody_logs_in_by_a_name(name in hostile(), port in any::<u16>()) {
        let line = format!("Failed password for invalid user {name} from {TRUE} port {port} ssh2");
        prop_assert!(!matches!(sshd::read(&line), Some(Line::LoggedIn(_) | Line::LoggedOut)));
        let line = format!("Invalid user {name} from {TRUE} port {port}");
        prop_assert!(!matches!(sshd::read(&line), Some(Line::LoggedIn(_) | Line::LoggedOut)));
    }

    #[test]
    fn any_text_does_no_harm(line in any::<String>(), name in hostile()) {
        for text in [&line, &name] {
            let _ = (sshd::read(text), pam::read(text), sudo::read(text));
        }
    }
}
