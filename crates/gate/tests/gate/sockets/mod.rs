//! WebSockets through a gate that serves confined, to a bot that says everything again.

mod bot;
mod ends;
mod handshake;
mod limits;
mod visit;
