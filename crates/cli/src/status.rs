//! `casemate status`.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::listed::{self, Bot};
use crate::places::Places;
use crate::units::{self, Unit};
use crate::{Error, output};

#[derive(Debug, Serialize)]
struct Status {
    well: bool,
    services: Vec<Unit>,
    bots: Vec<Bot>,
}

/// Shows services and bots. The exit code is 1 when one of them does not serve.
pub(crate) async fn show(places: &Places, json: bool) -> Result<ExitCode, Error> {
    // Bots first: a bot that nobody has asked since the start is started by asking.
    let bots = listed::all(places).await?;
    let services = units::services()?;
    let well = services.iter().all(Unit::is_well) && bots.iter().all(Bot::is_well);
    let status = Status {
        well,
        services,
        bots,
    };
    if json {
        output::json(&status);
    } else {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        output::say!("{}", text(&status, now));
    }
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn text(status: &Status, now: u64) -> String {
    let services: Vec<_> = status
        .services
        .iter()
        .map(|unit| service_row(unit, now))
        .collect();
    let mut text = output::table(
        &["service", "state", "for", "memory", "restarts", "says"],
        &services,
    );
    text.push_str("\n\n");
    text.push_str(&listed::text(&status.bots));
    if !status.well {
        text.push_str("\n\nNot all is well: `journalctl -u 'casemate-*' -p warning` says why.");
    }
    text
}

fn service_row(unit: &Unit, now: u64) -> Vec<String> {
    let state = match unit.state.as_str() {
        "failed" => format!("failed ({})", unit.result),
        "inactive" if unit.job => "done".to_owned(),
        state => state.to_owned(),
    };
    let active = unit.state == "active";
    let since = unit.since.parse::<u64>().ok().filter(|_| active);
    vec![
        unit.service.clone(),
        state,
        since.map_or_else(String::new, |since| age(now.saturating_sub(since))),
        unit.memory_bytes
            .filter(|_| active)
            .map_or_else(String::new, output::bytes),
        unit.restarts.to_string(),
        unit.says.clone(),
    ]
}

/// Seconds as people read them.
fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_service_says_why() {
        let unit = Unit {
            service: "gate".into(),
            state: "failed".into(),
            result: "exit-code".into(),
            ..Unit::default()
        };
        assert_eq!(service_row(&unit, 0)[1], "failed (exit-code)");
        let status = Status {
            well: false,
            services: vec![unit],
            bots: Vec::new(),
        };
        assert!(text(&status, 0).contains("Not all is well"));
    }

    #[test]
    fn ages_are_short() {
        assert_eq!(age(5), "5 s");
        assert_eq!(age(600), "10 min");
        assert_eq!(age(90_000), "25 h");
        assert_eq!(age(900_000), "10 days");
    }
}
