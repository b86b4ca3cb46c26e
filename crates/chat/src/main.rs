//! Casemate's chat service: `casemate-chat --instance BOT --config BOT.toml`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::main::<chat::Chat>()
}
