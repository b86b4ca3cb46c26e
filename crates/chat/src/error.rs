//! What can go wrong, what its client is told, and what is logged.

use chat_api::FORGED_HEADER;
use chat_api::limits::{DOCUMENTS, KNOWLEDGE_BYTES};
use http::{HeaderValue, StatusCode, header};
use ipc::Response;

use crate::conversation::{NoRandomness, TextError};
use crate::conversations::MESSAGES_MAX;
use crate::knowledge::Unreadable;
use crate::schema::Malformed;

/// Why a request was not done. Its text is for the log; [`Error::detail`] is for the client.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
    /// The store holds a record that cannot be read.
    #[error(transparent)]
    Record(#[from] Malformed),
    /// There are no random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// Work in the background ended before it was done.
    #[error("the work was cut off")]
    CutOff,
    /// The message cannot be taken.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The request's body cannot be read.
    #[error("the body cannot be read: {1}")]
    Body(StatusCode, String),
    /// The body is of another kind than the call takes.
    #[error("the body is not {0}")]
    MediaType(&'static str),
    /// There is no such conversation, or the token is another's.
    #[error("no such conversation for this token")]
    UnknownConversation,
    /// The conversation is here and the token is not its own. The client is told the same as where it is not here.
    #[error("the token does not open this conversation")]
    ForgedToken,
    /// There is no such conversation, as an operator is told.
    #[error("no such conversation")]
    NoConversation,
    /// The header that names a conversation that begins holds no conversation's id.
    #[error("the conversation's id in the header is malformed")]
    ConversationHeader,
    /// A conversation of that id is there already.
    #[error("the conversation's id is taken")]
    ConversationTaken,
    /// The id names another message.
    #[error("the message's id is taken")]
    IdTaken,
    /// The conversation has as many messages as it may.
    #[error("the conversation is full")]
    ConversationFull,
    /// As many answers as may be are under way.
    #[error("too many answers are under way")]
    Busy,
    /// The answer before is still under way.
    #[error("an answer is under way on this connection")]
    Answering,
    /// The address takes WebSockets.
    #[error("not a WebSocket, or not as it must be")]
    Upgrade,
    /// The page is of a site that may not call.
    #[error("the page's site may not call")]
    Origin,
    /// The document cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The document's name cannot be one.
    #[error(transparent)]
    DocumentName(#[from] chat_api::DocumentNameError),
    /// There is no such document.
    #[error("no such document")]
    UnknownDocument,
    /// The knowledge base has no room.
    #[error("the knowledge base is full")]
    KnowledgeFull,
    /// There is nothing at that path.
    #[error("no such path")]
    NotFound,
    /// The path takes other methods.
    #[error("the method is not {0}")]
    Method(&'static str),
}

/// How soon a client may try again when all places are taken, in seconds.
const RETRY_AFTER_SECONDS: u16 = 2;

impl Error {
    /// The status that says it.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Store(store::Error::NoSpace) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Store(_) | Self::Randomness(_) | Self::CutOff | Self::Busy => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Record(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Text(TextError::TooLong(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Text(TextError::Empty)
            | Self::Unreadable(_)
            | Self::DocumentName(_)
            | Self::KnowledgeFull => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Body(status, _) => *status,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::UnknownConversation
            | Self::ForgedToken
            | Self::NoConversation
            | Self::UnknownDocument
            | Self::NotFound => StatusCode::NOT_FOUND,
            Self::ConversationHeader => StatusCode::BAD_REQUEST,
            Self::ConversationTaken | Self::IdTaken | Self::ConversationFull | Self::Answering => {
                StatusCode::CONFLICT
            }
            Self::Upgrade => StatusCode::UPGRADE_REQUIRED,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// What the client is told: what it means for him, and nothing of how the service works inside.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Store(store::Error::NoSpace) => {
                "This was not saved, because the storage is full. Nothing that was saved before is lost.".to_owned()
            }
            Self::Store(store::Error::Unconfirmed(_)) => {
                "Whether this was saved is not known yet. Sending the same again is safe.".to_owned()
            }
            Self::Store(store::Error::EraseUnfinished(_)) => {
                "The conversation is gone from here. That no copy of it can be read any more is not certain yet; \
                 the assistant goes on trying by itself."
                    .to_owned()
            }
            Self::Store(_) => {
                "This was not saved, because the storage failed. Nothing that was saved before is lost; please try again."
                    .to_owned()
            }
            Self::Record(_) => "This cannot be read at the moment. Nothing was changed.".to_owned(),
            Self::Randomness(_) | Self::CutOff => "This was not done. Please try again.".to_owned(),
            Self::Text(error) => error.to_string(),
            Self::Body(_, why) => why.clone(),
            Self::MediaType(expected) => format!("The Content-Type must be {expected}."),
            Self::UnknownConversation | Self::ForgedToken => "There is no such conversation, or the token is not its own.".to_owned(),
            Self::NoConversation => "There is no conversation of that id.".to_owned(),
            Self::ConversationHeader => {
                "The header that names the conversation must hold one id of 32 hexadecimal digits. Nothing was begun.".to_owned()
            }
            Self::ConversationTaken => {
                "A conversation of this id is there already, and was left as it is.".to_owned()
            }
            Self::IdTaken => "This id already names another message of the conversation; send a new id.".to_owned(),
            Self::ConversationFull => {
                format!("The conversation has {MESSAGES_MAX} messages, which is the most. Please begin a new one.")
            }
            Self::Busy => "Too many questions are being answered just now. Please try again in a moment.".to_owned(),
            Self::Answering => "The answer before is not whole yet. Please wait for it.".to_owned(),
            Self::Upgrade => "This address takes WebSockets of version 13 only.".to_owned(),
            Self::Origin => "Pages of this site may not call the assistant.".to_owned(),
            Self::Unreadable(error) => format!("This was not added: {error}. What the bot knew before is unchanged."),
            Self::DocumentName(error) => format!("This was not done: {error}."),
            Self::UnknownDocument => "There is no document of that name.".to_owned(),
            Self::KnowledgeFull => format!(
                "This was not added: a bot has at most {DOCUMENTS} documents and {} MiB of text. \
                 What it knew before is unchanged.",
                KNOWLEDGE_BYTES / 1024 / 1024
            ),
            Self::NotFound => "There is nothing at this address.".to_owned(),
            Self::Method(allowed) => format!("This address takes {allowed} only."),
        }
    }

    /// Whether the very same request may be done later.
    #[must_use]
    pub fn may_pass_later(&self) -> bool {
        self.status() == StatusCode::SERVICE_UNAVAILABLE || matches!(self, Self::Answering)
    }

    /// Logs what an operator has to know.
    pub(crate) fn log(&self) {
        if self.status().is_server_error() {
            tracing::error!("a request was not done: {self}");
        }
    }

    /// Logs what an operator has to know, and makes the response for the client.
    #[must_use]
    pub fn response(&self) -> Response {
        self.log();
        let mut response = ipc::problem(self.status(), &self.detail());
        match self {
            Self::Busy => {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
            }
            Self::Upgrade => {
                let headers = response.headers_mut();
                headers.insert(
                    header::SEC_WEBSOCKET_VERSION,
                    HeaderValue::from_static("13"),
                );
                crate::socket::agree(headers);
            }
            Self::ForgedToken => {
                response
                    .headers_mut()
                    .insert(FORGED_HEADER, HeaderValue::from_static("token"));
            }
            Self::Method(allowed) => {
                response
                    .headers_mut()
                    .insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            _ => {}
        }
        response
    }
}

impl From<ipc::BodyError> for Error {
    fn from(error: ipc::BodyError) -> Self {
        let why = match &error {
            ipc::BodyError::TooLarge(most) => {
                format!(
                    "The request is longer than {most} bytes, which is the most. Nothing of it was saved."
                )
            }
            other => format!("The request was not understood: {other}."),
        };
        Self::Body(error.status(), why)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_full_disk_says_what_is_lost_and_what_is_not() {
        let error = Error::from(store::Error::NoSpace);
        assert_eq!(error.response().status(), StatusCode::INSUFFICIENT_STORAGE);
        assert!(
            error.detail().contains("not saved")
                && error
                    .detail()
                    .contains("Nothing that was saved before is lost")
        );
    }

    #[test]
    fn a_client_learns_nothing_of_the_inside() {
        let inside = store::Error::Damaged { block: 7 };
        let error = Error::from(inside.clone());
        assert!(error.to_string().contains(&inside.to_string()));
        assert!(!error.detail().contains("block"));
    }

    #[test]
    fn overload_says_when_to_come_back() {
        let response = Error::Busy.response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "2");
    }
}
