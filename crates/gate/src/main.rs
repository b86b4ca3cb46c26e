//! Casemate's gate: the one service that faces the internet.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::main::<casemate_gate::Gate>()
}
