//! Starts `casemate-guard`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::main::<casemate_guard::Guard>()
}
