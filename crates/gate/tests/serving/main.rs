//! A gate that is confined as in service: its handshakes, its other port, and its places.
#![expect(clippy::unwrap_used, reason = "tests")]

mod places;
mod plain;
mod stage;
mod tls;
mod visitor;
