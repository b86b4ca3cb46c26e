//! What a bot's chat service understands: the bot's file, the messages of its two sockets, their limits, and the
//! client of the operators' socket.
//!
//! Each bot is one process, or several ([`Instance`]), each with two sockets: visitors' ([`visitor`], reached by websites through the gate) and
//! operators' ([`operator`], reached by the command line). Who may open a socket decides who may call.

mod bot_file;
mod bot_name;
mod conversation_id;
mod copies;
mod document;
mod instance;
mod language;
pub mod limits;
pub mod operator;
mod origin;
pub mod socket;
pub mod visitor;

pub use bot_file::{BotFile, BotFileError, DEFAULT_PROVIDER};
pub use bot_name::{BOT_NAME_BYTES, BotName, BotNameError};
pub use conversation_id::ConversationId;
pub use copies::Difference;
pub use document::{DocumentName, DocumentNameError, MediaType};
pub use instance::{Instance, InstanceError};
pub use language::{Language, UnknownLanguage};
pub use origin::{Origin, OriginError};
pub use visitor::{CONVERSATION_HEADER, EXPOSED_HEADERS, FORGED_HEADER};
