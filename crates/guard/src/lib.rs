//! `casemate-guard`: decides who is banned, from what services tell and from the journal.
//!
//! It has no power: it opens no connection and holds no capability. What it decides, `firewall` does. Decisions
//! ([`decide`]) and the reading of what attackers can write ([`messages`], [`journal`], [`blocks`]) are pure.

pub mod api;
pub mod blocks;
pub mod clock;
pub mod config;
pub mod core;
pub mod decide;
pub mod journal;
pub mod keep;
pub mod kinds;
pub mod listen;
pub mod lists;
pub mod living;
pub mod load;
pub mod messages;
pub mod names;
pub mod policy;
pub mod prefix;
pub mod recent;
pub mod rules;
pub mod schema;
mod service;
pub mod wall;
pub mod watch;

pub use service::Guard;
