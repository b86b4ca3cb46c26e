//! Starts `casemate-dialer`.

use std::process::ExitCode;

fn main() -> ExitCode {
    casemate_dialer::resolve::open_random();
    daemon::main::<casemate_dialer::DialerService>()
}
