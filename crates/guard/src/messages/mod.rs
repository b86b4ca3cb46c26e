//! Pure: what lines of the journal say. Attackers write parts of them: the names of users, and what they send.
//!
//! A line counts only where it is exactly of a form that is known, and an address in it only where no text of an
//! attacker can stand in its place. Where that cannot be told, the line counts for nobody.

pub mod pam;
pub mod sshd;
pub mod sudo;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

/// Longest line that is read, in bytes. Those of sshd are shorter: it cuts names to 100 characters.
pub const LINE_BYTES: usize = 1024;

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Somebody did what counts.
    Seen {
        /// What: one of [`crate::kinds::lines`].
        kind: &'static str,
        /// Who, where somebody from afar did.
        client: Option<IpAddr>,
    },
    /// Somebody logged in over SSH from this address.
    LoggedIn(IpAddr),
    /// A session over SSH ended.
    LoggedOut,
}

/// An address, as text; none with a zone, which is link-local.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
}

/// A port, as text.
fn is_port(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && text.parse::<u16>().is_ok()
}

/// Takes `ADDRESS port PORT` from the end of a text; what is left of the text is before it.
fn address_and_port(text: &str) -> Option<(&str, IpAddr)> {
    let (text, port) = text.rsplit_once(' ')?;
    let text = text.strip_suffix(" port")?;
    let (before, name) = text.rsplit_once(' ').unwrap_or(("", text));
    is_port(port).then_some(())?;
    Some((before, address(name)?))
}
