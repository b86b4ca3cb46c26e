//! What the provider broker understands: its messages, its limits and its client.
//!
//! A caller sends one [`AnswerRequest`] and reads a stream of [`Event`]s: any number of pieces of text, then exactly one
//! end, [`Event::Done`] or [`Event::Failed`]. On the wire that is `POST /v1/answer` with a JSON body and a reply of
//! `application/x-ndjson`, one event a line, so that `curl --unix-socket` can speak it too.

mod client;
mod decode;
pub mod limits;
mod request;
mod status;
mod stream;

pub use client::{AnswerStream, Client, Error};
pub use decode::{DecodeError, Decoder};
pub use request::{AnswerRequest, Invalid, Passage, Role, Turn};
pub use status::{ProviderStatus, Status};
pub use stream::{Done, Event, FailKind, Failed, Outcome, Source, encode};

/// The name of the provider that is always there: the answerer that quotes the passages, without network.
pub const BUILT_IN: &str = "built-in";

/// The path of the call that answers a question.
pub const ANSWER_PATH: &str = "/v1/answer";

/// The path of the call that lists the providers.
pub const STATUS_PATH: &str = "/v1/status";

/// The media type of an answer: one JSON object a line.
pub const ANSWER_TYPE: &str = "application/x-ndjson";
