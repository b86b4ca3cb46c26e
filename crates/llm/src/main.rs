//! `casemate-llm`: the only way to an AI provider.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::main::<casemate_llm::Llm>()
}
