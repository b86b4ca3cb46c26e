//! The bounds of every message, held by both sides.

use std::time::Duration;

/// Most bytes in the body of a request.
pub const REQUEST_BYTES: usize = 512 * 1024;
/// Most bytes in a name: of a bot, a provider, a language.
pub const NAME_BYTES: usize = 64;
/// Most bytes in a bot's instructions.
pub const INSTRUCTIONS_BYTES: usize = 16 * 1024;
/// Most bytes in a question.
pub const QUESTION_BYTES: usize = 8 * 1024;
/// Most passages in a request.
pub const PASSAGES: usize = 16;
/// Most bytes in the text of a passage.
pub const PASSAGE_BYTES: usize = 8 * 1024;
/// Most bytes in a passage's document name, title or heading.
pub const LABEL_BYTES: usize = 1024;
/// Most earlier turns in a request.
pub const TURNS: usize = 32;
/// Most bytes in the text of one earlier turn.
pub const TURN_BYTES: usize = ANSWER_BYTES;
/// Most bytes of text in one [`Event::Delta`](crate::Event::Delta).
pub const DELTA_BYTES: usize = 4 * 1024;
/// Most bytes of text in one answer, all its pieces together.
pub const ANSWER_BYTES: usize = 64 * 1024;
/// Most bytes in a source's quote.
pub const QUOTE_BYTES: usize = 1024;
/// Most bytes in one line of an answer. A JSON string takes at most six bytes for one of text, and the longest line is
/// the one that ends the answer with a source for every passage.
pub const LINE_BYTES: usize = 6 * PASSAGES * QUOTE_BYTES + 8 * 1024;
/// Most bytes in the reply to a status call, and in the text of a refusal.
pub const STATUS_BYTES: usize = 64 * 1024;
/// Longest wait for the next event of an answer. The broker's own time-outs are shorter, so a caller that waits this long
/// is waiting for a broker that hangs.
pub const EVENT_TIME: Duration = Duration::from_secs(130);
/// Longest wait for the reply to a status call.
pub const STATUS_TIME: Duration = Duration::from_secs(5);
