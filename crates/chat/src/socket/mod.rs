//! A visitor's WebSocket: a whole session on one connection, with the events that [`crate::sse`] streams.

mod handshake;
mod message;
mod session;

use std::sync::Arc;

use chat_api::socket::{CONVERSATION_PARAMETER, SOCKETS};
use chat_api::{CONVERSATION_HEADER, ConversationId};
use ipc::{Request, RequestId, Response};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::bot::Bot;
use crate::cors::Sites;
use crate::error::Error;
pub(crate) use handshake::agree;
use session::Session;

/// The WebSockets of one bot.
#[derive(Debug)]
pub(crate) struct Sockets {
    bot: Arc<Bot>,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Sockets {
    /// Those of a bot; once `stop` is cancelled they end, and visitors are told to come again.
    pub(crate) fn of(bot: Arc<Bot>, stop: CancellationToken) -> Self {
        Self {
            bot,
            places: Arc::new(Semaphore::new(SOCKETS)),
            stop,
        }
    }

    /// Answers a request for a WebSocket. The session goes on in a task of its own.
    ///
    /// # Errors
    /// Why there will be no WebSocket: the handshake is wrong, the page's site may not call, the conversation that the
    /// address names is not here, or too many are open.
    pub(crate) fn open(&self, mut request: Request, sites: &Sites) -> Result<Response, Error> {
        let accept = handshake::accept(request.headers())?;
        if !sites.admits(request.headers()) {
            return Err(Error::Origin);
        }
        if let Some(named) = named(request.uri().query()) {
            let id = ConversationId::parse(named).ok_or(Error::UnknownConversation)?;
            self.bot.conversations.find(&id)?;
        }
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Error::Busy)?;
        let of = RequestId::of(request.headers());
        let first = request
            .headers()
            .get(CONVERSATION_HEADER)
            .and_then(|id| ConversationId::parse(id.to_str().ok()?));
        let (bot, stop) = (Arc::clone(&self.bot), self.stop.clone());
        let session = async move {
            match ipc::switched(&mut request).await {
                Ok(connection) => {
                    Session::new(bot, connection, of, first)
                        .await
                        .run(stop)
                        .await
                }
                Err(error) => tracing::debug!("a WebSocket was not opened: {error}"),
            }
            drop(place);
        };
        self.bot.tasks.spawn(session.in_current_span());
        Ok(handshake::response(accept))
    }
}

/// The conversation that an address names.
fn named(query: Option<&str>) -> Option<&str> {
    query?
        .split('&')
        .find_map(|pair| pair.strip_prefix(CONVERSATION_PARAMETER)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_name_a_conversation() {
        assert_eq!(named(Some("conversation=ab")), Some("ab"));
        assert_eq!(named(Some("x=1&conversation=ab&y")), Some("ab"));
        assert_eq!(named(Some("conversations=ab&conversation")), None);
        assert_eq!(named(None), None);
    }
}
