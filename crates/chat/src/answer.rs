//! Answers a message: stores it, finds passages, asks the broker, streams, and stores the answer before it says so.

use std::sync::Arc;
use std::time::Duration;

use chat_api::visitor::{Begun, Event, MessageId, Trouble};
use data_encoding::HEXLOWER;
use futures_util::FutureExt as _;
use ipc::RequestId;
use llm_api::FailKind;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument as _;

use crate::bot::{Bot, now};
use crate::conversation::{ConversationId, NoRandomness, Token, random};
use crate::conversations::Exchange;
use crate::error::Error;
use crate::live::{Claim, LogWriter};
use crate::prompt;
use crate::retrieval::Passage;
use crate::schema::MessageRecord;

/// Longest time that a whole answer may take. The broker bounds the silence between two pieces; this bounds a provider
/// that never ends.
pub const ANSWER_TIME: Duration = Duration::from_secs(600);

/// Where a question stands.
#[derive(Debug)]
pub enum Place {
    /// It begins a conversation, which this token opens.
    First(Token),
    /// It comes after those that are stored, as this exchange.
    Next(u32),
    /// It is stored, as this exchange, and was not answered.
    Stored(u32),
}

/// A question that is to be answered.
#[derive(Debug)]
pub struct Question {
    /// The conversation.
    pub conversation: ConversationId,
    /// Where it stands in it.
    pub place: Place,
    /// The visitor's id of it.
    pub id: MessageId,
    /// What the visitor says.
    pub text: String,
    /// What was said before.
    pub earlier: Vec<Exchange>,
    /// The request that it came with, for the logs.
    pub request: Option<RequestId>,
}

/// Answers in a task of its own, which nobody's going away ends.
pub fn spawn(
    bot: &Arc<Bot>,
    question: Question,
    log: LogWriter,
    claim: Claim,
    place: OwnedSemaphorePermit,
) {
    let of = Arc::clone(bot);
    let answering = async move {
        match take(&of, &question).await {
            Err(error) => log.refuse(error),
            Ok((number, passages)) => {
                log.push(&accepted(&question));
                if let Err(failure) = answer(&of, &question, number, &passages, &log).await {
                    log.push(&[Event::Error(failure.trouble())]);
                }
            }
        }
        drop((claim, place));
    };
    bot.tasks.spawn(answering.in_current_span());
}

fn accepted(question: &Question) -> Vec<Event> {
    let accepted = Event::Accepted {
        id: question.id.clone(),
    };
    match &question.place {
        Place::First(token) => {
            let begun = Begun {
                conversation: question.conversation.to_string(),
                token: token.expose(),
            };
            vec![Event::Conversation(begun), accepted]
        }
        Place::Next(_) | Place::Stored(_) => vec![accepted],
    }
}

/// Makes the question durable, and finds passages while that takes. Gives the number of the exchange.
async fn take(bot: &Bot, question: &Question) -> Result<(u32, Vec<Passage>), Error> {
    let now = now();
    let record = MessageRecord {
        id: question.id.clone(),
        text: question.text.clone(),
        sources: Vec::new(),
        at: now,
    };
    let stored = async {
        match &question.place {
            Place::First(token) => {
                let begun = bot.conversations.begin(
                    question.conversation,
                    token.hash(),
                    Some(&record),
                    now,
                );
                begun.await.map(|()| 0)
            }
            Place::Next(next) => {
                bot.conversations
                    .ask(question.conversation, *next, &record)
                    .await
            }
            Place::Stored(number) => Ok(*number),
        }
    };
    let (number, passages) = tokio::join!(stored, async { bot.library.passages(&question.text) });
    Ok((number?, passages))
}

/// Why a question that is stored has no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Broker(#[from] llm_api::Error),
    #[error("the provider failed: {}", .0.kind.as_str())]
    Provider(llm_api::Failed),
    #[error("the provider's answer is empty")]
    Empty,
    #[error("the answer was not whole after {} s", ANSWER_TIME.as_secs())]
    Endless,
    #[error("the answer could not be stored: {0}")]
    Store(Error),
    #[error("the conversation was erased meanwhile")]
    Erased,
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error("the service stops")]
    Stopping,
}

impl Failure {
    /// Logs the cause for the operator, and gives the visitor a kind sentence.
    fn trouble(&self) -> Trouble {
        if matches!(self, Self::Erased) {
            return Trouble {
                title: "The conversation was deleted".to_owned(),
                detail: "The conversation was deleted, and this answer with it.".to_owned(),
                retry: false,
            };
        }
        tracing::warn!(cause = %self, "a question was not answered; it is stored");
        let retry = match self {
            Self::Broker(error) => error.retry(),
            Self::Provider(failed) => failed.retry,
            Self::Empty | Self::Endless | Self::Store(_) | Self::Randomness(_) | Self::Stopping => {
                true
            }
            Self::Erased => false,
        };
        let (title, why) = match self {
            Self::Provider(failed) if failed.kind == FailKind::Timeout => (
                "The answer took too long",
                "The assistant took too long to answer.",
            ),
            Self::Store(error) if error.status() == http::StatusCode::INSUFFICIENT_STORAGE => (
                "The answer was not saved",
                "The answer was not saved, because the storage is full. Nothing that was saved before is lost.",
            ),
            Self::Store(_) => ("The answer was not saved", "The answer could not be saved."),
            _ if retry => (
                "No answer just now",
                "The assistant cannot be reached just now.",
            ),
            _ => (
                "No answer",
                "The assistant cannot answer at the moment; whoever runs it can find the cause in its log.",
            ),
        };
        let next = if retry {
            "Your question is saved; please try again in a moment."
        } else {
            "Your question is saved."
        };
        Trouble {
            title: title.to_owned(),
            detail: format!("{why} {next}"),
            retry,
        }
    }
}

async fn answer(
    bot: &Bot,
    question: &Question,
    number: u32,
    passages: &[Passage],
    log: &LogWriter,
) -> Result<(), Failure> {
    let _turn = bot.turns.acquire().await.map_err(|_| Failure::Stopping)?;
    let request = prompt::request(
        &bot.name,
        &bot.file,
        &question.text,
        passages,
        &question.earlier,
    );
    let llm = bot.llm.for_request(question.request.clone());
    let asked = tokio::time::timeout(ANSWER_TIME, ask(&llm, &request, log)).await;
    let (text, done) = asked.map_err(|_| Failure::Endless)??;
    let id = MessageId::try_from(HEXLOWER.encode(&random::<16>()?)).map_err(|_| Failure::Empty)?;
    let sources = prompt::sources(passages, &done.sources);
    let record = MessageRecord {
        id: id.clone(),
        text,
        sources,
        at: now(),
    };
    bot.conversations
        .answer(question.conversation, number, &record)
        .await
        .map_err(|error| match error {
            Error::UnknownConversation => Failure::Erased,
            error => Failure::Store(error),
        })?;
    log.push(&[
        Event::Sources {
            sources: record.sources,
        },
        Event::Done { id },
    ]);
    Ok(())
}

/// Asks the broker and streams what comes; gives the whole text.
async fn ask(
    llm: &llm_api::Client,
    request: &llm_api::AnswerRequest,
    log: &LogWriter,
) -> Result<(String, llm_api::Done), Failure> {
    let mut answer = llm.answer(request).await?;
    let mut text = String::new();
    loop {
        let mut event = answer.next().await?;
        // What has already arrived is sent in one piece.
        let start = text.len();
        let end = loop {
            match event {
                Some(llm_api::Event::Delta(piece)) => text.push_str(&prompt::printed(piece)),
                end => break Some(end),
            }
            match answer.next().now_or_never() {
                Some(next) => event = next?,
                None => break None,
            }
        };
        if text.len() > start {
            log.push(&[Event::Delta {
                text: text[start..].to_owned(),
            }]);
        }
        match end {
            None => {}
            Some(Some(llm_api::Event::Done(_))) if text.trim().is_empty() => {
                return Err(Failure::Empty);
            }
            Some(Some(llm_api::Event::Done(done))) => return Ok((text, done)),
            Some(Some(llm_api::Event::Failed(failed))) => return Err(Failure::Provider(failed)),
            // The stream ends with one of the two, or with an error.
            Some(Some(llm_api::Event::Delta(_)) | None) => return Err(Failure::Empty),
        }
    }
}

/// The events of an answer that is stored.
#[must_use]
pub fn replay(question: &MessageId, answer: MessageRecord) -> Vec<u8> {
    let mut stream = Vec::with_capacity(answer.text.len() + 512);
    for event in [
        Event::Accepted {
            id: question.clone(),
        },
        Event::Delta { text: answer.text },
        Event::Sources {
            sources: answer.sources,
        },
        Event::Done { id: answer.id },
    ] {
        crate::sse::write(&event, &mut stream);
    }
    stream
}
