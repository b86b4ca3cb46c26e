//! The demo bot: made with the operators' own tool, as anybody would make one.

use std::fs;

use crate::failure::{Failure, Outcome, While};
use crate::instance::{Instance, Reach};
use crate::progress::note;

/// Everything is done by commands inside the machine.
const ADD_BOT: &str = "casemate bot add demo --file /usr/share/casemate/demo/demo.toml";
const HAS_BOT: &str = "test -e /var/lib/casemate/bots/demo.toml";
const ADD_KNOWLEDGE: &str = "casemate knowledge add demo /usr/share/casemate/handbook/*.md";
const KNOWLEDGE: &str = "sha256sum /usr/share/casemate/handbook/*.md";

/// Returns once both answer that they are ready: systemd waits for their own word.
const SERVING: &str =
    "timeout 300 systemctl start casemate-gate.service casemate-chat@demo.service";

/// Why they do not, in their own words.
const WHY_NOT: &str = "journalctl --boot --unit=casemate-gate.service --unit=casemate-chat@demo.service \
     --grep='the service ends' --lines=2 --output=cat --no-pager";

/// What was last taught to the demo bot, so that it is taught again only when that changed.
const TAUGHT: &str = "demo-knowledge";

/// Makes the demo bot if it is not there and teaches it the handbook if that changed.
pub(crate) fn set_up(reach: &Reach, instance: &Instance) -> Outcome<()> {
    let taught = instance.dir().join(TAUGHT);
    let mut known = fs::read_to_string(&taught).unwrap_or_default();
    if reach.run(HAS_BOT)?.status != 0 {
        let added = reach.run(ADD_BOT)?;
        // On an emulated machine the bot may take longer to serve than the tool waits for it.
        if added.status != 0 && reach.run(HAS_BOT)?.status != 0 {
            return Failure::because(format!("the demo bot was not added: {}", added.output));
        }
        known.clear();
    }
    if reach.run(SERVING)?.status != 0 {
        let why = reach.run(WHY_NOT)?.output;
        return Failure::because(format!(
            "the appliance does not serve: {}\n`cargo xtask up --fresh` begins anew, without the bots and \
             conversations of the last time",
            why.trim_end()
        ));
    }
    let knowledge = reach.succeed(KNOWLEDGE)?;
    if knowledge == known {
        note("as the last time");
        return Ok(());
    }
    reach.succeed(ADD_KNOWLEDGE)?;
    note(&format!(
        "it has read the handbook, {} documents",
        knowledge.lines().count()
    ));
    fs::write(&taught, knowledge).during("what the demo bot knows could not be noted")
}
