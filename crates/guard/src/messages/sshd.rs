//! Pure: lines of OpenSSH's sshd, from Debian 12 (9.2) and 13 (10.0) on, where `sshd-session` writes them.
//!
//! The name of a user is the attacker's text, of up to 100 characters with spaces, and stands before the address. So
//! the address is read from the line's end. Where the line goes on after it with more of the attacker's text (a
//! certificate's name), it counts only if no other place in the line could be the address.

use std::net::IpAddr;

use super::{Line, address, address_and_port, is_port};
use crate::kinds::lines;

/// Ends of the line that says why a user may not log in (auth.c).
const NOT_ALLOWED: [&str; 9] = [
    " not allowed because not listed in AllowUsers",
    " not allowed because listed in DenyUsers",
    " not allowed because none of user's groups are listed in AllowGroups",
    " not allowed because a group is listed in DenyGroups",
    " not allowed because not in any group",
    " not allowed because account is locked",
    " not allowed because shell does not exist",
    " not allowed because shell is not executable",
    " not allowed because root login is not permitted",
];

/// What a line of sshd says.
#[must_use]
pub fn read(line: &str) -> Option<Line> {
    let seen = |kind, client| {
        let client = Some(client);
        Some(Line::Seen { kind, client })
    };
    if let Some(rest) = line.strip_prefix("Failed ") {
        return seen(lines::SSH_FAILED, failed(rest)?);
    }
    if let Some(rest) = line.strip_prefix("Invalid user ") {
        return seen(lines::SSH_INVALID_USER, from_at_the_end(rest)?);
    }
    if let Some(rest) = line.strip_prefix("error: maximum authentication attempts exceeded for ") {
        let rest = rest.strip_suffix(" [preauth]")?.strip_suffix(" ssh2")?;
        return seen(lines::SSH_ATTEMPTS_EXCEEDED, from_at_the_end(rest)?);
    }
    if let Some(rest) = line.strip_prefix("User ") {
        return seen(lines::SSH_REFUSED_USER, not_allowed(rest)?);
    }
    if let Some(rest) = line.strip_prefix("Accepted ") {
        return accepted(rest).map(Line::LoggedIn);
    }
    if line.starts_with("pam_unix(sshd:session): session closed for user ") {
        return Some(Line::LoggedOut);
    }
    if let Some(client) = gone(line) {
        return seen(lines::SSH_GONE, client);
    }
    seen(lines::SSH_GARBAGE, garbage(line)?)
}

/// `METHOD for [invalid user ]USER from ADDRESS port PORT ssh2[: KEY]`
fn failed(rest: &str) -> Option<IpAddr> {
    let (method, rest) = rest.split_once(" for ")?;
    let plain = |char: char| char.is_ascii_alphanumeric() || "-/@._".contains(char);
    method.chars().all(plain).then_some(())?;
    let with_key = method == "publickey" || method.starts_with("hostbased");
    if !with_key {
        return from_at_the_end(rest.strip_suffix(" ssh2")?);
    }
    // A key's certificate has a name of the attacker's, so the end is theirs as well as the beginning.
    let mut found = places(rest);
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

/// All places of ` from ADDRESS port PORT ssh2` in a text.
fn places(text: &str) -> impl Iterator<Item = IpAddr> {
    text.match_indices(" from ").filter_map(move |(at, mark)| {
        let mut words = text.get(at + mark.len()..)?.split(' ');
        let client = address(words.next()?)?;
        let port = words.next()? == "port" && is_port(words.next()?);
        let end = matches!(words.next()?, "ssh2" | "ssh2:");
        (port && end).then_some(client)
    })
}

/// `USER from ADDRESS port PORT`, and no more.
fn from_at_the_end(rest: &str) -> Option<IpAddr> {
    let (before, client) = address_and_port(rest)?;
    (before == "from" || before.ends_with(" from")).then_some(client)
}

/// `USER from ADDRESS not allowed because REASON`. Only for a user that exists, whose name has no spaces.
fn not_allowed(rest: &str) -> Option<IpAddr> {
    let rest = NOT_ALLOWED.iter().find_map(|end| rest.strip_suffix(end))?;
    let mut words = rest.split(' ');
    let (_user, from, client) = (words.next()?, words.next()?, words.next()?);
    (from == "from" && words.next().is_none()).then_some(())?;
    address(client)
}

/// `METHOD for USER from ADDRESS port PORT ssh2[: KEY]`, for a user that exists.
fn accepted(rest: &str) -> Option<IpAddr> {
    let mut words = rest.split(' ');
    let mut word = || words.next();
    let (_method, for_, _user, from) = (word()?, word()?, word()?, word()?);
    let client = address(word()?)?;
    let (port, number, end) = (word()?, word()?, word()?);
    let formed = for_ == "for" && from == "from" && port == "port" && is_port(number);
    (formed && matches!(end, "ssh2" | "ssh2:")).then_some(client)
}

/// A connection that ended before a login.
fn gone(line: &str) -> Option<IpAddr> {
    if let Some(rest) = line.strip_suffix(" [preauth]") {
        let rest = rest
            .strip_prefix("Connection closed by ")
            .or_else(|| rest.strip_prefix("Connection reset by "))
            .or_else(|| rest.strip_prefix("Disconnected from "))?;
        // With the user's name before the address, or without.
        let (before, client) = address_and_port(rest)?;
        // A name may be empty, and the space after it is taken already.
        let is = |mark: &str| {
            let after = before.strip_prefix(mark);
            after.is_some_and(|name| name.is_empty() || name.starts_with(' '))
        };
        let known = before.is_empty() || is("authenticating user") || is("invalid user");
        return known.then_some(client);
    }
    for start in ["Connection closed by ", "Connection reset by "] {
        if let Some(rest) = line.strip_prefix(start) {
            let (before, client) = address_and_port(rest)?;
            return before.is_empty().then_some(client);
        }
    }
    if let Some(rest) = line.strip_prefix("Timeout before authentication for connection from ") {
        let (client, rest) = rest.split_once(" to ")?;
        let (own, process) = rest.split_once(", pid = ")?;
        let formed = address(own).is_some() && process.bytes().all(|byte| byte.is_ascii_digit());
        return formed.then(|| address(client)).flatten();
    }
    let rest = line.strip_prefix("fatal: Timeout before authentication for ")?;
    let (before, client) = address_and_port(rest)?;
    before.is_empty().then_some(client)
}

/// A connection that does not speak SSH, or none that is taken.
fn garbage(line: &str) -> Option<IpAddr> {
    let line = line.strip_prefix("error: ").unwrap_or(line);
    if let Some(rest) = line.strip_prefix("Did not receive identification string from ") {
        let (before, client) = address_and_port(rest)?;
        return before.is_empty().then_some(client);
    }
    if let Some(rest) = line.strip_prefix("Bad protocol version identification '") {
        // What it sent is between the quotes, and what comes after the last is not the attacker's.
        let (_, end) = rest.rsplit_once("' from ")?;
        let (before, client) = address_and_port(end)?;
        return before.is_empty().then_some(client);
    }
    // Here the address is before all that the attacker sends.
    let rest = line
        .strip_prefix("banner exchange: Connection from ")
        .or_else(|| line.strip_prefix("ssh_dispatch_run_fatal: Connection from "))
        .or_else(|| line.strip_prefix("Unable to negotiate with "))
        .or_else(|| line.strip_prefix("fatal: Unable to negotiate with "))?;
    let (place, _reason) = rest.split_once(": ")?;
    let (before, client) = address_and_port(place)?;
    before.is_empty().then_some(client)
}
