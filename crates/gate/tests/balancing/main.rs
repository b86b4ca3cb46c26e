//! The gate before several instances of a bot, confined as in service.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bot;
mod failing;
mod pinning;
mod stage;
