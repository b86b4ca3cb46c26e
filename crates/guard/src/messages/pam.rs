//! Pure: PAM's line of a failed login.

use super::{Line, address};
use crate::kinds::lines;

/// Services whose failures somebody on the machine makes.
const LOCAL: [&str; 5] = ["sudo", "sudo-i", "su", "su-l", "polkit-1"];

/// The service whose failures are counted by its own lines ([`super::sshd`]).
const COUNTED: &str = "sshd";

/// `pam_unix(SERVICE:auth): authentication failure; logname=L uid=N euid=N tty=T ruser=R rhost=H  user=U`
///
/// `R`, `H` and `U` may be the attacker's. A service for the network leaves `L` and `R` empty, so that the first `rhost=`
/// is its own; where they are not, there may be but one.
#[must_use]
pub fn read(line: &str) -> Option<Line> {
    let rest = line.strip_prefix("pam_unix(")?;
    let (service, rest) = rest.split_once(":auth): authentication failure; logname=")?;
    let named = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    (!service.is_empty() && service.chars().all(named)).then_some(())?;
    if service == COUNTED {
        return None;
    }
    if LOCAL.contains(&service) {
        let (kind, client) = (lines::SUDO_FAILED, None);
        return Some(Line::Seen { kind, client });
    }
    let (login, rest) = rest.split_once(" uid=")?;
    let (user, rest) = rest.split_once(" euid=")?;
    let (effective, rest) = rest.split_once(" tty=")?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (number(user) && number(effective)).then_some(())?;
    let (terminal, rest) = rest.split_once(" ruser=")?;
    let (remote, rest) = rest.split_once(" rhost=")?;
    let empty = login.is_empty() && remote.is_empty() && !terminal.contains(' ');
    (empty || line.matches("rhost=").count() == 1).then_some(())?;
    let host = rest.split_once("  user=").map_or(rest, |(host, _)| host);
    let client = Some(address(host.trim_end_matches(' '))?);
    let kind = lines::PAM_FAILED;
    Some(Line::Seen { kind, client })
}
