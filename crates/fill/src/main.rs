//! Starts `casemate-fill`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::once::<casemate_fill::Fill>()
}
