//! The bounds of every message, held by the service and known to its clients.

use std::time::Duration;

/// Most bytes in the text of one message.
pub const MESSAGE_BYTES: usize = 8 * 1024;
/// Most bytes in the body of a visitor's request. JSON takes at most six bytes for one of text.
pub const REQUEST_BYTES: usize = 64 * 1024;
/// Longest time that a visitor's request may take to arrive.
pub const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Most bytes in one document.
pub const DOCUMENT_BYTES: usize = 8 * 1024 * 1024;
/// Longest time that a document may take to arrive.
pub const DOCUMENT_TIME: Duration = Duration::from_secs(60);
/// Most bytes of readable text in all documents of one bot, which its process holds in memory.
pub const KNOWLEDGE_BYTES: usize = 64 * 1024 * 1024;
/// Most documents of one bot.
pub const DOCUMENTS: usize = 4096;
/// Most bytes in a reply on the operators' socket.
pub const REPLY_BYTES: usize = 8 * 1024 * 1024;
/// Longest time that a reply on the operators' socket may take, its work included.
pub const REPLY_TIME: Duration = Duration::from_secs(120);

/// Most instances of one bot on one machine.
pub const INSTANCES_MAX: u8 = 8;

/// Most bytes in a bot's title.
pub const TITLE_BYTES: usize = 120;
/// Most bytes in a bot's greeting.
pub const GREETING_BYTES: usize = 1000;
/// Most suggested questions.
pub const SUGGESTIONS: usize = 8;
/// Most bytes in a suggested question.
pub const SUGGESTION_BYTES: usize = 200;
/// Most sites that may embed a bot. They all stand in one header.
pub const ORIGINS: usize = 32;
/// Most bytes in a site's origin.
pub const ORIGIN_BYTES: usize = 255;
/// Most bytes in a provider's name.
pub const PROVIDER_BYTES: usize = 64;
/// Most bytes in a bot's instructions.
pub const INSTRUCTIONS_BYTES: usize = 16 * 1024;
/// MiB that a bot keeps of its store in memory, unless its file says otherwise. A turn touches few pages, and bots are
/// many.
pub const CACHE_MIB: u32 = 2;
/// The most, in MiB: the unit's `MemoryMax=` has room for it beside the documents.
pub const CACHE_MIB_MAX: u32 = 64;
