//! A bot whose provider is a stand-in that answers at once, so that what is measured is the way there and back.

use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::booted::Machine;
use crate::failure::{Failure, Outcome, While};

/// The stand-in's program.
const PROGRAM: &str = "casemate-provider-standin";

/// Where it listens in the container's network. Port 9100 is left to stacks that bring a provider of their own.
const ADDRESS: &str = "127.0.0.1:9200";

/// Its interface, as clients are told it.
pub(super) const URL: &str = "http://127.0.0.1:9200/v1";

/// The key that it takes (`crates/testkit/src/provider/server.rs`).
pub(super) const KEY: &str = "standin-key-7f3a91";

/// How long it may take to listen, in seconds.
const LISTEN_SECONDS: u64 = 10;

/// What an operator would do: address, permission to reach it, sealed key, bot and documents. And the gate's limits are
/// lifted, for all visitors of a benchmark come from one address.
const SET_UP: &str = "\
mkdir --parents /etc/casemate /etc/credstore.encrypted
cat > /etc/casemate/llm.toml <<'END'
[[provider]]
name = \"standin\"
base_url = \"@URL@\"
model = \"answers\"
private = true
credential = \"provider.standin\"
END
cat > /etc/casemate/dialer.toml <<'END'
[[reach]]
unit = \"llm\"
host = \"127.0.0.1\"
ports = [9200]
private = true
END
cat > /etc/casemate/gate.toml <<'END'
[limits]
bot_per_minute = 1000000
all_per_minute = 1000000
exempt = ['127.0.0.0/8', '::1/128']
END
set -e
printf %s @KEY@ | systemd-creds encrypt --name=provider.standin - /etc/credstore.encrypted/provider.standin
systemctl restart casemate-dialer.service casemate-llm.service
casemate bot add provided --title Provided --provider standin
timeout 60 systemctl start casemate-chat@provided.service
casemate knowledge add provided /usr/share/casemate/handbook/*.md
";

/// Makes the bot. Its provider need not run yet.
pub(super) fn set_up(machine: &Machine) -> Outcome<()> {
    let script = SET_UP.replace("@URL@", URL).replace("@KEY@", KEY);
    machine.reach().succeed(&script).map(drop)
}

/// A running stand-in; it is killed when this is dropped.
pub(super) struct StandIn(Child);

impl StandIn {
    /// Starts it in the container's network, outside the container's control group: nobody's work.
    /// A `slow` one pauses before each word.
    pub(super) fn start(machine: &Machine, built: &Path, slow: bool) -> Outcome<Self> {
        let mode = if slow { "slow" } else { "answers" };
        let child = machine
            .beside(&built.join(PROGRAM))
            .args(["--listen", ADDRESS, "--mode", mode])
            .stdin(Stdio::null())
            .spawn()
            .during("the stand-in for a provider could not be started")?;
        let stand_in = Self(child);
        let deadline = Instant::now() + Duration::from_secs(LISTEN_SECONDS);
        let listens =
            format!("ss --listening --tcp --numeric --no-header src {ADDRESS} | grep -q .");
        while machine.reach().run(&listens)?.status != 0 {
            if Instant::now() > deadline {
                return Failure::because(format!(
                    "the stand-in for a provider does not listen on {ADDRESS}"
                ));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(stand_in)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // One that has ended already needs neither.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}
