//! Starts `casemate-firewall`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::main::<casemate_firewall::FirewallService>()
}
