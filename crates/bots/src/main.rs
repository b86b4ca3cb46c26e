//! Starts `casemate-bots`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::once::<casemate_bots::job::Bots>()
}
