//! A question's turn: answered, read along with whoever answers it, or said again.

use std::sync::Arc;

use crate::answer::{self, Place, Question};
use crate::bot::Bot;
use crate::conversations::MESSAGES_MAX;
use crate::error::Error;
use crate::live::{Claimed, LogReader};

/// What answers a question, which is durable by now.
#[derive(Debug)]
pub enum Turn {
    /// The log of an answer under way.
    Live(LogReader),
    /// The events of one that was given before, as they are sent.
    Given(Vec<u8>),
}

/// Answers a question, reads along where it is being answered, or says again what was answered.
///
/// # Errors
/// Why it was not taken.
pub async fn turn(bot: &Arc<Bot>, mut question: Question) -> Result<Turn, Error> {
    let (claim, log, reader) = loop {
        match bot.live.claim(question.conversation, question.id.clone()) {
            Claimed::Yours(claim, log, reader) => break (claim, log, reader),
            // Another visitor's, who is alone to be told the token.
            Claimed::Running(_) if matches!(question.place, Place::First(_)) => {
                return Err(Error::ConversationTaken);
            }
            Claimed::Running(reader) => match taken(reader).await {
                // Whoever held the right gave it back unused.
                Err(Error::CutOff) => {}
                other => return other,
            },
        }
    };
    if matches!(question.place, Place::Next(_)) {
        let mut earlier = bot.conversations.exchanges(&question.conversation)?;
        if let Some(at) = earlier
            .iter()
            .position(|exchange| exchange.question.id == question.id)
        {
            let known = earlier.swap_remove(at);
            if known.question.text != question.text {
                return Err(Error::IdTaken);
            }
            if let Some(answer) = known.answer {
                return Ok(Turn::Given(answer::replay(&question.id, answer)));
            }
            earlier.truncate(at);
            question.place = Place::Stored(known.number);
        } else {
            let next = earlier
                .last()
                .map_or(0, |last| last.number.saturating_add(1));
            if (next as usize).saturating_mul(2) >= MESSAGES_MAX {
                return Err(Error::ConversationFull);
            }
            question.place = Place::Next(next);
        }
        question.earlier = earlier;
    }
    let place = Arc::clone(&bot.places)
        .try_acquire_owned()
        .map_err(|_| Error::Busy)?;
    answer::spawn(bot, question, log, claim, place);
    taken(reader).await
}

/// The log, once the question is durable.
async fn taken(mut reader: LogReader) -> Result<Turn, Error> {
    reader.taken().await?;
    Ok(Turn::Live(reader))
}
