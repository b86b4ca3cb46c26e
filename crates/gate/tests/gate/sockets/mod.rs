//! WebSockets through a gate that serves confined, to a bot that says everything again.

mod bot;
mod ends;
mod handshake;
mod limits;
mod visit;

pub(crate) use bot::bot;
pub(crate) use visit::{SOCKET, extended_connect, over_http2, text};
