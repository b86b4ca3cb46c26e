//! What is said on one WebSocket.

use std::sync::Arc;
use std::time::Duration;

use chat_api::ConversationId;
use chat_api::limits::REQUEST_BYTES;
use chat_api::socket::{OPENED, Open, READ_TIME, Say};
use chat_api::visitor::{Ask, Conversation, MessageId};
use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use ipc::{RequestId, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

use super::message::{events, refused, told};
use crate::answer::{Place, Question};
use crate::bot::{Bot, now};
use crate::conversation::{Token, normalise, random};
use crate::conversations::messages;
use crate::error::Error;
use crate::live::Follower;
use crate::turn::{Turn, turn};

/// How much is read at once, in bytes. Questions are short, and connections many.
const READ_BYTES: usize = 4096;

/// How long a client may take to answer that it closes too.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// One WebSocket.
pub(super) struct Session {
    bot: Arc<Bot>,
    socket: WebSocketStream<Upgraded>,
    of: Option<RequestId>,
    /// The id for the conversation that begins first, where the caller chose one.
    first: Option<ConversationId>,
    /// The conversation that is open.
    open: Option<ConversationId>,
    /// The answer under way.
    answer: Option<(MessageId, Follower)>,
}

/// The visitor is gone, or does not read.
struct Gone;

impl Session {
    /// A session on a connection whose handshake is done.
    pub(super) async fn new(
        bot: Arc<Bot>,
        connection: Upgraded,
        of: Option<RequestId>,
        first: Option<ConversationId>,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(REQUEST_BYTES))
            .max_frame_size(Some(REQUEST_BYTES));
        // As a server it masks nothing, so it draws no random bytes.
        let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
        Self {
            bot,
            socket,
            of,
            first,
            open: None,
            answer: None,
        }
    }

    /// Listens and answers until one of the two closes, or `stop` is cancelled.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let code = loop {
            let done = tokio::select! {
                said = self.socket.next() => match said {
                    None => return,
                    Some(Err(error)) => match code(&error) {
                        Some(code) => break code,
                        None => return,
                    },
                    Some(Ok(said)) => self.hear(said).await,
                },
                more = follow(&mut self.answer) => self.go_on(more).await,
                // What is being said is said to its end, as far as there is time.
                () = stop.cancelled(), if self.answer.is_none() => break CloseCode::Restart,
            };
            if let Err(Gone) = done {
                return tracing::debug!(
                    "a visitor's WebSocket was cut off: it is gone, or not read"
                );
            }
        };
        let reason = match code {
            CloseCode::Restart => "please connect again",
            CloseCode::Size => "the message is too long",
            CloseCode::Invalid => "a text is not UTF-8",
            _ => "this is no WebSocket's",
        };
        let reason = reason.into();
        let closed = async {
            // Whoever is gone by now needs no farewell.
            if self
                .socket
                .close(Some(CloseFrame { code, reason }))
                .await
                .is_ok()
            {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        let _ = tokio::time::timeout(CLOSE_TIME, closed).await;
    }

    /// What the visitor says.
    async fn hear(&mut self, said: Message) -> Result<(), Gone> {
        let text = match said {
            Message::Text(text) => text,
            Message::Binary(_) => {
                return self.refuse(&Error::MediaType("text"), None).await;
            }
            // Pings were answered, and so was a close, on the way here.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                return Ok(());
            }
        };
        match serde_json::from_str(&text) {
            Err(error) => {
                let why = format!("The message was not understood: {error}.");
                let error = Error::Body(StatusCode::BAD_REQUEST, why);
                self.refuse(&error, None).await
            }
            Ok(Say::Open(open)) => match self.reopen(&open) {
                Ok(opened) => self.tell(opened).await,
                Err(error) => self.refuse(&error, None).await,
            },
            Ok(Say::Begin(ask)) => {
                let id = ask.id.clone();
                let asked = match self.beginning() {
                    Ok((conversation, place)) => self.ask(conversation, place, ask).await,
                    Err(error) => Err(error),
                };
                self.asked(id, asked).await
            }
            Ok(Say::Ask(ask)) => {
                let id = ask.id.clone();
                let asked = match self.open {
                    // The place is found once the right to answer is held.
                    Some(conversation) => self.ask(conversation, Place::Next(0), ask).await,
                    None => Err(Error::UnknownConversation),
                };
                self.asked(id, asked).await
            }
        }
    }

    /// Opens a conversation that began before; gives all that was said in it.
    fn reopen(&mut self, open: &Open) -> Result<String, Error> {
        self.idle()?;
        let known = ConversationId::parse(&open.conversation).zip(Token::parse(&open.token));
        let (id, token) = known.ok_or(Error::UnknownConversation)?;
        self.bot.conversations.open(&id, &token)?;
        let messages = messages(self.bot.conversations.exchanges(&id)?);
        self.open = Some(id);
        let conversation = id.to_string();
        let opened = Conversation {
            conversation,
            messages,
        };
        Ok(told(OPENED, None, &opened))
    }

    /// One answer at a time.
    fn idle(&self) -> Result<(), Error> {
        match self.answer {
            Some(_) => Err(Error::Answering),
            None => Ok(()),
        }
    }

    fn beginning(&mut self) -> Result<(ConversationId, Place), Error> {
        self.idle()?;
        let token = Token::random()?;
        let conversation = match self.first.take() {
            Some(id) => id,
            None => ConversationId::begin(now(), random()?),
        };
        Ok((conversation, Place::First(token)))
    }

    async fn ask(
        &mut self,
        conversation: ConversationId,
        place: Place,
        ask: Ask,
    ) -> Result<Turn, Error> {
        self.idle()?;
        let question = Question {
            conversation,
            place,
            id: ask.id,
            text: normalise(&ask.text)?,
            earlier: Vec::new(),
            request: self.of.clone(),
        };
        let turn = turn(&self.bot, question).await?;
        self.open = Some(conversation);
        Ok(turn)
    }

    async fn asked(&mut self, id: MessageId, asked: Result<Turn, Error>) -> Result<(), Gone> {
        match asked {
            Ok(Turn::Live(reader)) => {
                self.answer = Some((id, reader.follow()));
                Ok(())
            }
            Ok(Turn::Given(stream)) => self.tell_all(&stream, &id).await,
            Err(error) => self.refuse(&error, Some(&id)).await,
        }
    }

    /// More of the answer under way; none once it is whole.
    async fn go_on(&mut self, more: Option<bytes::Bytes>) -> Result<(), Gone> {
        match (more, &self.answer) {
            (Some(stream), Some((id, _))) => {
                let id = id.clone();
                self.tell_all(&stream, &id).await
            }
            _ => {
                self.answer = None;
                Ok(())
            }
        }
    }

    async fn tell_all(&mut self, stream: &[u8], about: &MessageId) -> Result<(), Gone> {
        for event in events(stream, about) {
            self.tell(event).await?;
        }
        Ok(())
    }

    async fn refuse(&mut self, error: &Error, about: Option<&MessageId>) -> Result<(), Gone> {
        self.tell(refused(error, about)).await
    }

    /// Sends a message and waits until it is on its way, so that no more than one waits here.
    async fn tell(&mut self, text: String) -> Result<(), Gone> {
        let sent = self.socket.send(Message::text(text));
        match tokio::time::timeout(READ_TIME, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

/// What comes next of the answer under way; never ends where there is none.
async fn follow(answer: &mut Option<(MessageId, Follower)>) -> Option<bytes::Bytes> {
    match answer {
        Some((_, follower)) => follower.next().await,
        None => std::future::pending().await,
    }
}

/// How to close after an error; none where there is nobody to be told.
fn code(error: &tungstenite::Error) -> Option<CloseCode> {
    Some(match error {
        tungstenite::Error::Capacity(_) => CloseCode::Size,
        tungstenite::Error::Utf8(_) => CloseCode::Invalid,
        tungstenite::Error::Protocol(_) => CloseCode::Protocol,
        _ => return None,
    })
}
