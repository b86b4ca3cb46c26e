//! Pure: bans and events as people read them.

use std::time::{Duration, UNIX_EPOCH};

use guard_api::{Ban, Evidence, Explanation, Sighting, State};
use ipnet::IpNet;

use crate::output;

/// Seconds, in the unit that says it in few digits.
pub(super) fn time(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A prefix; an address alone where it is one.
pub(super) fn prefix(prefix: &IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

fn ago(at: u64, now: u64) -> String {
    format!("{} ago", time(now.saturating_sub(at)))
}

/// What led to a ban, in few words: how often what was seen.
fn evidence(evidence: &[Evidence]) -> String {
    let mut kinds: Vec<(&str, u32)> = Vec::new();
    for one in evidence {
        match kinds.iter_mut().find(|(kind, _)| *kind == one.kind) {
            Some((_, times)) => *times += one.times,
            None => kinds.push((&one.kind, one.times)),
        }
    }
    let kinds: Vec<_> = kinds
        .iter()
        .map(|(kind, times)| format!("{times} {kind}"))
        .collect();
    kinds.join(", ")
}

fn rows(bans: &[Ban], now: u64) -> Vec<Vec<String>> {
    let row = |ban: &Ban| {
        vec![
            prefix(&ban.prefix),
            time(ban.left_s(now)),
            ban.by.to_string(),
            ban.nth.to_string(),
            evidence(&ban.evidence),
        ]
    };
    bans.iter().map(row).collect()
}

const HEAD: [&str; 5] = ["prefix", "left", "by", "nth", "evidence"];

/// `casemate bans`
pub(super) fn bans(state: &State, bans: &[Ban], now: u64) -> String {
    let mut text = if bans.is_empty() {
        "Nobody is banned.".to_owned()
    } else {
        output::table(&HEAD, &rows(bans, now))
    };
    for list in &state.lists {
        let (name, entries, refused) = (&list.name, list.entries, list.refused);
        text.push_str(&format!("\nblock list {name}: "));
        if list.error.is_none() || entries > 0 {
            text.push_str(&format!("{entries} entries, {refused} left out"));
        }
        if let Some(error) = &list.error {
            let between = if entries > 0 { "; " } else { "" };
            text.push_str(&format!("{between}{error}"));
        }
    }
    if state.dry_run {
        text.push_str("\nguard only watches (`dry_run`): nobody is kept out.");
    } else if !state.in_force {
        text.push_str("\nThe firewall lacks some of these: `systemctl status casemate-firewall.service` says why.");
    }
    text
}

/// `casemate events`
pub(super) fn events(events: &[Sighting], now: u64) -> String {
    if events.is_empty() {
        return "Nothing was seen since guard started.".to_owned();
    }
    let row = |seen: &Sighting| {
        vec![
            ago(seen.at, now),
            seen.kind.clone(),
            seen.client
                .map_or_else(|| "-".to_owned(), |client| client.to_string()),
            seen.unit.clone(),
            seen.times.to_string(),
        ]
    };
    let rows: Vec<_> = events.iter().map(row).collect();
    output::table(&["when", "event", "client", "unit", "times"], &rows)
}

/// `casemate bans explain`
pub(super) fn explanation(known: &Explanation, now: u64) -> String {
    let mut parts = Vec::new();
    let address = known.address;
    if let Some(why) = &known.never {
        parts.push(format!("{address} is never banned: {why}."));
    }
    for (list, entry) in &known.lists {
        parts.push(format!("{address} is blocked: the list {list} has {entry}"));
    }
    if known.bans.is_empty() && known.lists.is_empty() {
        parts.push(format!("{address} is not banned."));
    } else if !known.bans.is_empty() {
        parts.push(output::table(&HEAD, &rows(&known.bans, now)));
    }
    for ban in &known.bans {
        for one in &ban.evidence {
            let when = date(one.at);
            let (kind, client, unit, times) = (&one.kind, one.client, &one.unit, one.times);
            parts.push(format!("{when}  {kind}  {client}  {unit}  {times}×"));
        }
    }
    for standing in &known.standing {
        parts.push(format!(
            "rule {}: {:.2} of {:.2} points",
            standing.rule, standing.score, standing.threshold
        ));
    }
    if !known.events.is_empty() {
        parts.push(format!("Seen lately:\n{}", events(&known.events, now)));
    }
    for past in &known.past {
        let how = if past.lifted { "lifted" } else { "ended" };
        parts.push(format!(
            "{} was banned by {} for {} ({}), {how} {}",
            prefix(&past.ban.prefix),
            past.ban.by,
            time(past.ban.until.saturating_sub(past.ban.begun)),
            evidence(&past.ban.evidence),
            ago(past.ended, now)
        ));
    }
    parts.join("\n")
}

fn date(at: u64) -> String {
    /// The last second that a date is shown for (31 December 9999).
    const LAST: u64 = 253_402_300_799;
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(at.min(LAST)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use guard_api::{By, ListState};

    use super::*;

    fn ban() -> Ban {
        let one = |at, kind: &str| Evidence {
            at,
            kind: kind.to_owned(),
            client: [203, 0, 113, 7].into(),
            unit: "ssh.service".to_owned(),
            times: 2,
        };
        Ban {
            prefix: "203.0.113.7/32".parse().unwrap(),
            by: By::Rule("ssh".to_owned()),
            begun: 1000,
            until: 4600,
            nth: 1,
            dry_run: false,
            evidence: vec![
                one(990, "ssh-failed"),
                one(995, "ssh-failed"),
                one(996, "ssh-gone"),
            ],
        }
    }

    #[test]
    fn a_ban_says_why_and_for_how_long() {
        let text = bans(
            &State {
                in_force: true,
                ..State::default()
            },
            &[ban()],
            1000,
        );
        let row = text.lines().nth(1).unwrap();
        assert_eq!(
            row,
            "203.0.113.7  60 min  rule ssh  1    4 ssh-failed, 2 ssh-gone"
        );
        assert_eq!(text.lines().count(), 2);
        assert!(bans(&State::default(), &[], 0).starts_with("Nobody"));
    }

    #[test]
    fn a_list_says_why_it_is_not_in_force() {
        let list = |entries, error: Option<&str>| ListState {
            name: "spam".to_owned(),
            entries,
            refused: 2,
            took_ms: 1,
            version_ns: 1,
            error: error.map(str::to_owned),
        };
        let lists = vec![
            list(7, None),
            list(7, Some("the version before is in force: why")),
            list(0, Some("it is not in force: why")),
            list(0, None),
        ];
        let state = State {
            in_force: true,
            lists,
            ..State::default()
        };
        let text = bans(&state, &[], 0);
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "block list spam: 7 entries, 2 left out",
                "block list spam: 7 entries, 2 left out; the version before is in force: why",
                "block list spam: it is not in force: why",
                "block list spam: 0 entries, 2 left out",
            ]
        );
    }

    #[test]
    fn an_explanation_lists_what_led_there() {
        let known = Explanation {
            address: [203, 0, 113, 7].into(),
            bans: vec![ban()],
            lists: Vec::new(),
            never: None,
            standing: Vec::new(),
            events: Vec::new(),
            past: Vec::new(),
        };
        let text = explanation(&known, 1000);
        assert!(
            text.contains("ssh-failed  203.0.113.7  ssh.service  2×"),
            "{text}"
        );
        let never = Explanation {
            bans: Vec::new(),
            never: Some("because".to_owned()),
            ..known
        };
        assert!(explanation(&never, 0).contains("never banned: because."));
        let listed = Explanation {
            lists: vec![("drop".to_owned(), "203.0.113.0/24".to_owned())],
            ..never
        };
        let text = explanation(&listed, 0);
        assert!(text.contains("the list drop has 203.0.113.0/24"), "{text}");
        assert!(!text.contains("not banned"), "{text}");
    }
}
