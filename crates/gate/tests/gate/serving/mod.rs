//! A gate's handshakes, its other port, and its places.

mod places;
mod plain;
mod stage;
mod tls;
