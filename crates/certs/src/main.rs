//! Starts `casemate-certs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    casemate_certs::condition(daemon::once::<casemate_certs::Certs>())
}
