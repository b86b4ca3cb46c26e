//! Bans on their way from the decision to the firewall and the store, over restarts and failures of both.

#![expect(clippy::unwrap_used, reason = "tests")]

mod dry_run;
mod guard;
mod kernel;
mod refused;
mod restart;
mod sessions;
mod trouble;
