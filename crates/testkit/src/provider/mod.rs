//! A stand-in for an OpenAI-compatible provider, good and bad: each [`Mode`] answers `POST /v1/chat/completions` in its own
//! way. It is also the peer in benchmarks, so what it sends is made once and not for each request.

mod mode;
mod replies;
mod server;

pub use mode::Mode;
pub use replies::SENTENCE;
pub use server::{KEY, Provider, serve};
