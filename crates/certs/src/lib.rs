//! `casemate-certs`: makes the appliance's certificate, by an authority of its
//! own that exists for that one signature.
//!
//! The unit runs it twice: `--instance due` says by its exit code whether a
//! certificate is due (`ExecCondition=`, systemd.service(5)), `--instance make`
//! writes one to the unit's `RuntimeDirectory=`, which is memory. The unit's
//! next lines seal the private key and put everything in its place, the
//! certificate last: it is what the next run goes by, so a run that was cut
//! off is made up for.
//!
//! The authority's private key is never written and is gone with the process.
//! Whoever trusts `ca.pem` trusts this one certificate and no other.

pub mod config;
pub mod decide;
pub mod issue;
mod job;

pub use job::{Certs, condition};
