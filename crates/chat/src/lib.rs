//! One bot: its conversations, its knowledge base and its answers.
//!
//! One process a bot, or several (`instances`), each with a store of its own and two sockets: visitors', which websites reach through the gate, and operators'. A message is
//! durable before it is acknowledged, and an answer before it is said to be whole. Documents and what is derived from
//! them are in the encrypted store or in memory, nowhere else.

pub mod answer;
pub mod assets;
pub mod bot;
pub mod config;
pub mod conversation;
pub mod conversations;
mod cors;
pub mod doors;
mod error;
pub mod knowledge;
pub mod library;
pub mod live;
pub mod operators;
pub mod prompt;
pub mod retrieval;
pub mod schema;
mod serve;
mod socket;
pub mod sse;
pub mod turn;
pub mod visitors;

pub use error::Error;
pub use serve::{Chat, run};
