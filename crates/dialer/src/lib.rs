//! `casemate-dialer`: the only process that can open a connection to the
//! outside.
//!
//! A caller asks over its own Unix socket for a host and a port. If
//! `dialer.toml` declares them for that caller, the name is resolved once, the
//! addresses are checked, one of those that passed is connected to, and the
//! socket is handed over ([`dialer_api`] has the contract). The dialer never
//! reads from it or writes to it: TLS is between caller and host.

pub mod address;
pub mod config;
pub mod connect;
pub mod decide;
pub mod handover;
pub mod host;
pub mod hosts;
mod refused;
pub mod resolve;
pub mod serve;
mod service;
mod unbound;

pub use service::DialerService;
