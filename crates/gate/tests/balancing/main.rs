//! The gate before several instances of a bot, and beside other appliances, confined as in service.
#![expect(clippy::unwrap_used, reason = "tests")]

mod appliances;
mod bot;
mod dialer;
mod door;
mod failing;
mod pinning;
mod stage;
