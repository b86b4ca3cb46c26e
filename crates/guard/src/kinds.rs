//! The names of what can be counted.

use event::Kind;

/// Lines of the journal, as [`crate::messages`] reads them, by name.
pub mod lines {
    /// A login over SSH failed.
    pub const SSH_FAILED: &str = "ssh-failed";
    /// A login over SSH was tried for a user that does not exist.
    pub const SSH_INVALID_USER: &str = "ssh-invalid-user";
    /// A login over SSH was tried for a user that may not.
    pub const SSH_REFUSED_USER: &str = "ssh-refused-user";
    /// A connection over SSH made more attempts than it may.
    pub const SSH_ATTEMPTS_EXCEEDED: &str = "ssh-attempts-exceeded";
    /// A connection over SSH ended before a login.
    pub const SSH_GONE: &str = "ssh-gone";
    /// What came on a connection to SSH was not SSH, or nothing that is taken.
    pub const SSH_GARBAGE: &str = "ssh-garbage";
    /// A login to another service than SSH failed (PAM).
    pub const PAM_FAILED: &str = "pam-failed";
    /// Somebody on the machine gave a wrong password to sudo or su.
    pub const SUDO_FAILED: &str = "sudo-failed";
    /// Somebody on the machine asked sudo for what they may not.
    pub const SUDO_REFUSED: &str = "sudo-refused";
}

/// An event that its sender may not send.
pub const FORGED: &str = "event-forged";

/// All names that a rule may count.
pub static NAMED: std::sync::LazyLock<Vec<&'static str>> = std::sync::LazyLock::new(|| {
    let of_journal = [
        lines::SSH_FAILED,
        lines::SSH_INVALID_USER,
        lines::SSH_REFUSED_USER,
        lines::SSH_ATTEMPTS_EXCEEDED,
        lines::SSH_GONE,
        lines::SSH_GARBAGE,
        lines::PAM_FAILED,
    ];
    let of_services = Kind::ALL.into_iter().map(Kind::name);
    of_journal.into_iter().chain(of_services).collect()
});

/// The name as it lives for ever, where there is such a thing to count.
#[must_use]
pub fn named(name: &str) -> Option<&'static str> {
    NAMED.iter().find(|known| **known == name).copied()
}
