//! Pure: sudo's own lines.

use super::Line;
use crate::kinds::lines;

/// ` USER : REASON ; TTY=… ; PWD=… ; USER=… ; COMMAND=…`
///
/// They are shown to operators and ban nobody: whoever calls sudo is on the machine already.
#[must_use]
pub fn read(line: &str) -> Option<Line> {
    let (user, rest) = line.trim_start_matches(' ').split_once(" : ")?;
    if user.is_empty() || user.contains(' ') {
        return None;
    }
    let (reason, _) = rest.split_once(" ; ")?;
    let attempts = reason.strip_suffix(" incorrect password attempts");
    let attempt = reason.strip_suffix(" incorrect password attempt");
    let kind = if attempts
        .or(attempt)
        .is_some_and(|count| count.parse::<u32>().is_ok())
    {
        lines::SUDO_FAILED
    } else if matches!(
        reason,
        "user NOT in sudoers" | "command not allowed" | "user NOT authorized on host"
    ) {
        lines::SUDO_REFUSED
    } else {
        return None;
    };
    let client = None;
    Some(Line::Seen { kind, client })
}
