//! Starts and stops a bot's units when its file comes and goes, without a
//! service that could start units of its choice.
//!
//! Two small programs. `casemate-bots-generator` is run by process 1
//! (systemd.generator(7)) at each start and reload: it lists the bots' files and
//! writes links by which `casemate-bots.target` upholds the sockets of each
//! instance of each bot. `casemate-bots` is run when a file came or went: it sends `SIGHUP` to
//! process 1, which reloads, and looks whether the sockets followed. So all
//! that a fault in either can do is start a bot that has a file, or reload.

pub mod follow;
pub mod instances;
pub mod job;
pub mod links;
pub mod listing;
pub mod machine;
pub mod report;

/// Bots that the administrator or Nix declares.
pub const DECLARED: &str = "/etc/casemate/bots";

/// Bots made at run time.
pub const MADE: &str = "/var/lib/casemate/bots";

/// The visitors' sockets of the bots' instances: `BOT.sock`, `BOT.2.sock`, ….
pub const SOCKETS: &str = "/run/casemate/chat";
