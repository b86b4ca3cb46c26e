//! `casemate`: the operator's command.

use std::process::ExitCode;

fn main() -> ExitCode {
    casemate_cli::main()
}
