//! `casemate-certs`: makes the appliance's certificates.
//!
//! One is always there: the local certificate, by an authority of the machine's own, for the names
//! by which it is reached at home. With an `[acme]` table there is a public one besides, from a
//! directory such as Let's Encrypt (RFC 8555), renewed when the directory asks for it (RFC 9773).
//!
//! The unit runs the program twice: `--instance due` says by its exit code whether there is anything
//! to do (`ExecCondition=`, systemd.service(5)), `--instance make` does it and writes what comes of it to
//! the unit's `RuntimeDirectory=`, which is memory. The unit's next lines seal the private keys, put
//! everything in its place and have the gate read it. Whatever is cut off or fails leaves what was
//! there, and the next run makes up for it.
//!
//! The local authority's private key is sealed too, so that whoever trusts `ca.pem` need not do so
//! anew with each certificate. It can sign for the machine's own names and no others.

pub mod acme;
pub mod config;
pub mod decide;
pub mod issue;
mod job;
pub mod leaf;
mod put;
mod report;
mod run;
pub mod work;

pub use job::{Certs, condition};
