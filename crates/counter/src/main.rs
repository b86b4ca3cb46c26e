//! Starts `casemate-counter`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::once::<casemate_counter::Counter>()
}
