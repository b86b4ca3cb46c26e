//! One bot: its conversations, its knowledge base and its answers.
//!
//! One process a bot, with two sockets: visitors', which websites reach through the gate, and operators'.

pub mod knowledge;
pub mod retrieval;
pub mod conversation;
pub mod schema;
pub mod sse;
