//! Leads a connection that changes its protocol, such as a WebSocket, to one instance.
//!
//! Only to those on this appliance: such a connection cannot be shared with others', as those between appliances are. The
//! whole session stays at its instance, so one that goes on with a conversation names it in its address.

use chat_api::socket::CONVERSATION_PARAMETER;
use chat_api::{BotName, ConversationId};
use http::header::HeaderValue;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use ipc::{Body, Switch};

use super::Balance;
use super::choose::{Candidate, Purpose, choose};
use super::health::Source;
use super::member::Failure;
use super::members::Seat;
use super::retry::{After, Outcome, after};
use super::spread::{CONVERSATION, begin};
use crate::forward::{away, no_such_assistant};

impl Balance {
    /// Asks the instances of a bot, one after another, to change the protocol, until one has answered.
    ///
    /// # Errors
    /// The answer for the visitor, where none could.
    pub(crate) async fn switch(
        &self,
        bot: &BotName,
        seats: &[Seat],
        mut head: Parts,
    ) -> Result<Switch, Response<Body>> {
        let purpose = purpose(head.uri.query(), begin);
        if let Purpose::Begin(id) = &purpose
            && let Ok(value) = HeaderValue::try_from(id.to_string())
        {
            head.headers.insert(CONVERSATION, value);
        }
        let near: Vec<&Seat> = seats
            .iter()
            .filter(|seat| seat.member.client().is_some())
            .collect();
        let candidates: Vec<Candidate<'_>> = near
            .iter()
            .map(|seat| seat.member.candidate(self.own(), seat.is_gone()))
            .collect();
        let choice = choose(&purpose, &candidates, self.turn());
        let mut is_away = choice.incomplete;
        let mut unknown = None;
        for index in choice.tries {
            let member = &near[index].member;
            let Some(client) = member.client() else {
                continue;
            };
            let mut request = Request::new(ipc::empty());
            head.uri.clone_into(request.uri_mut());
            head.headers.clone_into(request.headers_mut());
            let sent = tokio::time::timeout(self.answer_time(), client.switch(request)).await;
            let sent = sent.map_or_else(
                |_| Err(Failure::Silent(self.answer_time())),
                |sent| sent.map_err(Failure::from),
            );
            let why = sent.as_ref().err().map(ToString::to_string);
            self.count(member, Source::Visitor, why.as_deref().map_or(Ok(()), Err));
            match sent {
                Ok(Switch::Refused(response))
                    if after(Outcome::Answered(response.status()), &Method::GET, &purpose)
                        == After::Unknown =>
                {
                    unknown = Some(response);
                }
                Ok(switch) => return Ok(switch),
                Err(why) => {
                    tracing::debug!(%bot, "another instance is asked: {why}");
                    is_away = true;
                }
            }
        }
        match unknown {
            // All have said that they do not know it.
            Some(response) if !is_away => Ok(Switch::Refused(response)),
            _ if near.is_empty() => Err(no_such_assistant()),
            _ => {
                tracing::warn!(%bot, "a visitor was told that the assistant is away: nobody who could answer does");
                Err(away(StatusCode::SERVICE_UNAVAILABLE))
            }
        }
    }
}

/// What a WebSocket is about: the conversation that its address names, or one that begins on it.
fn purpose(query: Option<&str>, begin: impl FnOnce() -> ConversationId) -> Purpose {
    let named = query.into_iter().flat_map(|query| query.split('&'));
    let mut named = named.filter_map(|pair| {
        let value = pair.strip_prefix(CONVERSATION_PARAMETER)?;
        value.strip_prefix('=')
    });
    match named.next() {
        // What cannot be an id is unknown to everybody.
        Some(id) => ConversationId::parse(id).map_or(Purpose::Any, Purpose::Conversation),
        None => Purpose::Begin(begin()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_says_what_a_websocket_is_about() {
        let new = ConversationId::from([7; 16]);
        let old = ConversationId::from([1; 16]);
        let of = |query: Option<&str>| purpose(query, || new);
        assert_eq!(of(None), Purpose::Begin(new));
        assert_eq!(of(Some("x=1")), Purpose::Begin(new));
        let named = format!("x=1&conversation={old}");
        assert_eq!(of(Some(&named)), Purpose::Conversation(old));
        assert_eq!(of(Some("conversation=none")), Purpose::Any);
    }
}
