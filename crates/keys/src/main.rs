//! Starts `casemate-keys`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::once::<casemate_keys::Keys>()
}
