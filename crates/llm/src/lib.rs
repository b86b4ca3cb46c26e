//! The provider broker: the only way to an AI provider.
//!
//! It answers questions from the passages that a caller sends along: by quoting them ([`builtin`]), or by asking a
//! configured provider. It holds the providers' keys and no conversation. It can open no connection; the dialer does, and
//! hands the socket over.

mod audit;
pub mod builtin;
pub mod config;
mod error;
pub mod openai;
pub mod prompt;
mod provider;
mod serve;
mod service;
mod stream;

pub use error::CallError;
pub use serve::{Broker, serve};
pub use service::Llm;
