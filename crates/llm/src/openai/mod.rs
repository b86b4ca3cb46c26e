//! What OpenAI-compatible providers speak: chat completions, streamed as server-sent events. Pure: bytes in, text out.

mod chunk;
mod decode;
mod request;
mod sse;

pub use chunk::error_code;
pub use decode::{DecodeError, Decoder, Output, STREAM_BYTES};
pub use request::body;
pub use sse::EVENT_BYTES;
