//! Starts `casemate-dialer`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::main::<casemate_dialer::DialerService>()
}
