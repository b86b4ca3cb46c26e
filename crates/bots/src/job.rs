//! `casemate-bots`: has process 1 look for bots anew. Its one power is to tell
//! process 1 to reload.

use daemon::{BoxError, Job};
use sandbox::{Confined, Plan};

use crate::follow::follow;
use crate::machine::Machine;
use crate::{DECLARED, MADE, SOCKETS};

/// The job.
#[derive(Debug)]
pub struct Bots;

/// There is nothing to configure.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl Job for Bots {
    const STEM: &'static str = "bots";
    type Config = Config;

    fn check(_config: &Config, _instance: Option<&str>) -> Result<(), String> {
        Ok(())
    }

    fn plan(_config: &Config, _instance: Option<&str>) -> Plan {
        let folders = [DECLARED, MADE, SOCKETS];
        folders
            .into_iter()
            .fold(Plan::new(), Plan::read)
            .reload_manager()
    }

    fn run(_config: Config, _instance: Option<&str>, _confined: &Confined) -> Result<(), BoxError> {
        let followed = follow(&Machine)?;
        for skipped in &followed.listing.skipped {
            tracing::warn!("{skipped}");
        }
        for instance in &followed.left_out {
            let (bot, number) = (instance.bot(), instance.number());
            tracing::warn!(
                "{bot} has fewer instances now, and {instance} is none of them: its conversations stay on disk, sealed, \
                 and nobody reaches them until the bot's file says `instances = {number}` again; `casemate bot list` says \
                 how many they are"
            );
        }
        Ok(())
    }
}
