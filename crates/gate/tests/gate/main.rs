//! The gate between its visitors and a bot's socket, confined as in service.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bans;
mod clients;
mod edge;
mod serving;
mod smuggling;
mod sockets;
mod stand;
mod streams;
mod visitor;
