//! Pure: which entries are believed, and as what.
//!
//! A line is sshd's only where journald itself says so: by unit, process, program and user. What the line says of
//! itself (`SYSLOG_IDENTIFIER`, the text) convinces nobody.

use super::field::{Fields, Name};
use crate::messages::{LINE_BYTES, Line, pam, sshd, sudo};

/// sshd's processes. From OpenSSH 9.8 on, `sshd-session` serves a connection.
pub const SSHD: [&str; 3] = ["sshd", "sshd-session", "sshd-auth"];

/// Those who ask people on the machine for a password.
const LOCAL: [&str; 2] = ["sudo", "su"];

/// Where the system's programs are.
const PROGRAMS: [&str; 3] = ["/usr/", "/nix/store/", "/run/wrappers/"];

/// Whether entries with that value of a field cannot count, whatever their other fields are. Lets most entries go
/// unread.
#[must_use]
pub fn is_of_no_interest(name: Name, value: &[u8], pam_units: &[String]) -> bool {
    // Another process may be one that is declared to log people in.
    let process = |known: &[&str]| known.iter().any(|known| known.as_bytes() == value);
    match name {
        Name::Transport => value != b"syslog",
        Name::Process => pam_units.is_empty() && !process(&SSHD) && !process(&LOCAL),
        _ => false,
    }
}

/// What an entry says, where it is believed.
#[must_use]
pub fn judge(fields: &Fields, pam_units: &[String]) -> Option<Line> {
    let line = fields.get(Name::Message)?;
    if line.len() > LINE_BYTES || fields.get(Name::Transport)? != "syslog" {
        return None;
    }
    let (process, program) = (fields.get(Name::Process)?, fields.get(Name::Program)?);
    let unit = fields.get(Name::Unit)?;
    let is_systems = PROGRAMS.iter().any(|folder| program.starts_with(folder));
    let file = program.rsplit_once('/').map_or(program, |(_, file)| file);
    let is = |known: &[&str]| is_systems && known.contains(&process) && known.contains(&file);
    let by_root = fields.get(Name::User)? == "0";
    if is(&SSHD) {
        by_root.then_some(())?;
        let line = sshd::read(line)?;
        // Once somebody is logged in, sshd's process is in their session's scope.
        let session = unit.starts_with("session-") && unit.ends_with(".scope");
        let believed = is_of_sshd(unit) || (session && line == Line::LoggedOut);
        return believed.then_some(line);
    }
    if is(&LOCAL) {
        return pam::read(line).or_else(|| sudo::read(line));
    }
    let declared = pam_units.iter().any(|declared| declared == unit);
    (declared && by_root && is_systems)
        .then(|| pam::read(line))
        .flatten()
}

/// `ssh.service`, `sshd.service`, and instances of `ssh@.service` and `sshd@.service`.
fn is_of_sshd(unit: &str) -> bool {
    let Some(name) = unit.strip_suffix(".service") else {
        return false;
    };
    let (name, _instance) = name.split_once('@').unwrap_or((name, ""));
    matches!(name, "ssh" | "sshd")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::kinds::lines;

    const FAILED: &str = "Failed password for root from 203.0.113.7 port 4711 ssh2";

    fn entry(changes: &[(Name, &str)]) -> Fields {
        let mut fields = Fields::default();
        let usual = [
            (Name::Unit, "ssh.service"),
            (Name::Process, "sshd-session"),
            (Name::Program, "/usr/lib/openssh/sshd-session"),
            (Name::User, "0"),
            (Name::Transport, "syslog"),
            (Name::Message, FAILED),
        ];
        for (name, value) in usual {
            let changed = changes.iter().find(|(changed, _)| *changed == name);
            let value = changed.map_or(value, |(_, value)| value);
            if !value.is_empty() {
                fields.put(name, value.as_bytes());
            }
        }
        fields
    }

    #[test]
    fn only_sshd_itself_is_believed() {
        let judged = |changes: &[(Name, &str)]| judge(&entry(changes), &[]);
        let client = Some("203.0.113.7".parse().unwrap());
        let kind = lines::SSH_FAILED;
        assert_eq!(judged(&[]), Some(Line::Seen { kind, client }));
        for unit in [
            "sshd.service",
            "sshd@0-10.0.0.1:22.service",
            "ssh@3.service",
        ] {
            assert!(judged(&[(Name::Unit, unit)]).is_some(), "{unit}");
        }
        for forged in [
            (Name::Unit, "casemate-gate.service"),
            (Name::Unit, "session-4.scope"),
            (Name::Unit, "sshd.service.scope"),
            (Name::Unit, ""),
            (Name::Process, "logger"),
            (Name::Process, ""),
            (Name::Program, "/home/mallory/sshd-session"),
            (Name::Program, "/usr/bin/logger"),
            (Name::Program, ""),
            (Name::User, "1000"),
            (Name::User, ""),
            (Name::Transport, "journal"),
            (Name::Transport, "stdout"),
        ] {
            assert_eq!(judged(&[forged]), None, "{forged:?}");
        }
    }

    #[test]
    fn a_field_that_is_there_twice_is_not_there() {
        let mut fields = entry(&[]);
        fields.put(Name::Message, FAILED.as_bytes());
        assert_eq!(judge(&fields, &[]), None);
    }

    #[test]
    fn the_end_of_a_session_is_told_from_its_scope() {
        let line = "pam_unix(sshd:session): session closed for user root";
        let fields = entry(&[(Name::Unit, "session-4.scope"), (Name::Message, line)]);
        assert_eq!(judge(&fields, &[]), Some(Line::LoggedOut));
    }

    #[test]
    fn other_services_count_where_they_are_declared() {
        let line = "pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser= rhost=203.0.113.7  user=alice";
        let fields = entry(&[
            (Name::Unit, "dovecot.service"),
            (Name::Process, "auth"),
            (Name::Program, "/usr/lib/dovecot/auth"),
            (Name::Message, line),
        ]);
        assert_eq!(judge(&fields, &[]), None);
        assert!(judge(&fields, &["dovecot.service".to_owned()]).is_some());
    }

    #[test]
    fn what_is_skipped_would_not_have_counted() {
        for (name, value) in [(Name::Transport, "journal"), (Name::Process, "logger")] {
            assert!(is_of_no_interest(name, value.as_bytes(), &[]));
            assert_eq!(judge(&entry(&[(name, value)]), &[]), None);
        }
        assert!(!is_of_no_interest(
            Name::Process,
            b"auth",
            &["dovecot.service".to_owned()]
        ));
    }
}
