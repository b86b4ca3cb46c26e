//! `casemate ban`, `unban`, `bans` and `events`.

mod arguments;
mod show;

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use guard_api::{BanRequest, Client, Explanation, State, UnbanRequest};
use serde::Serialize;

pub(crate) use arguments::{BansCommand, Period, Whom};

use crate::places::Places;
use crate::{Error, output};

/// The address of this session, as sshd sets it: `CLIENT PORT SERVER PORT`. sudo takes it away unless it is kept.
const SESSION: &str = "SSH_CONNECTION";

/// What is said where guard's store fails.
const NOT_STORED: &str = "It could not be stored: should guard restart before that, it is as before. Is the disk full? \
     `journalctl -u casemate-guard.service` says more.";

fn client(places: &Places) -> Client {
    let session = std::env::var(SESSION).ok();
    Client::new(
        places.guard_socket(),
        session.as_deref().and_then(session_address),
    )
}

fn session_address(session: &str) -> Option<IpAddr> {
    session.split(' ').next()?.parse().ok()
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Bans.
pub(crate) async fn ban(
    whom: Whom,
    period: Period,
    reason: &str,
    places: &Places,
    json: bool,
) -> Result<ExitCode, Error> {
    let request = BanRequest {
        prefix: whom.0,
        seconds: period.0,
        reason: reason.to_owned(),
    };
    let asked = client(places).ban(&request).await?;
    if json {
        output::json(&asked);
    } else if asked.ban.dry_run {
        output::say!(
            "{} would be banned, but guard only watches (`dry_run`).",
            whom
        );
    } else if asked.in_force {
        output::say!("{} is banned for {}.", whom, show::time(period.0));
    } else {
        output::say!(
            "{whom} will be banned once the firewall answers: `systemctl status casemate-firewall.service`"
        );
    }
    if !asked.stored && !json {
        output::say!("{NOT_STORED}");
    }
    let done = asked.stored && (asked.in_force || asked.ban.dry_run);
    Ok(if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Lifts bans.
pub(crate) async fn unban(whom: Whom, places: &Places, json: bool) -> Result<ExitCode, Error> {
    let lifted = client(places)
        .unban(&UnbanRequest { prefix: whom.0 })
        .await?;
    if json {
        output::json(&lifted);
    } else if lifted.lifted.is_empty() {
        output::say!(
            "{whom} was not banned. `casemate bans explain ADDRESS` says whether a block list has it."
        );
    } else {
        for prefix in &lifted.lifted {
            output::say!("{} is no longer banned.", show::prefix(prefix));
        }
    }
    if !lifted.in_force && !json {
        output::say!(
            "The firewall does not answer, and lets packets from there in once it does: \
             `systemctl status casemate-firewall.service`"
        );
    }
    if !lifted.stored && !json {
        output::say!("{NOT_STORED}");
    }
    Ok(if lifted.in_force && lifted.stored {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[derive(Debug, Serialize)]
struct Listing {
    #[serde(flatten)]
    state: State,
    banned: Vec<guard_api::Ban>,
}

/// Lists bans, or explains one.
pub(crate) async fn bans(
    command: Option<&BansCommand>,
    places: &Places,
    json: bool,
) -> Result<ExitCode, Error> {
    let client = client(places);
    if let Some(BansCommand::Explain { address }) = command {
        let explanation: Explanation = client.explain(*address).await?;
        if json {
            output::json(&explanation);
        } else {
            output::say!("{}", show::explanation(&explanation, now()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let state = client.state().await?;
    let mut banned = Vec::new();
    let mut after = None;
    loop {
        let page = client.bans(after).await?;
        banned.extend(page.bans);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let now = now();
    banned.retain(|ban| ban.until > now && ban.dry_run == state.dry_run);
    if json {
        output::json(&Listing { state, banned });
    } else {
        output::say!("{}", show::bans(&state, &banned, now));
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists what was seen lately.
pub(crate) async fn events(places: &Places, json: bool) -> Result<ExitCode, Error> {
    let sightings = client(places).events().await?;
    if json {
        output::json(&sightings);
    } else {
        output::say!("{}", show::events(&sightings.events, now()));
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_names_its_client() {
        let address = session_address("203.0.113.7 50000 198.51.100.1 22");
        assert_eq!(address, Some(IpAddr::from([203, 0, 113, 7])));
        assert_eq!(session_address(""), None);
    }
}
