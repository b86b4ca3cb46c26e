//! The messages and the client of the operators' socket, which only root can open.

use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::limits::{DOCUMENT_BYTES, REPLY_BYTES, REPLY_TIME};
use crate::{BotName, DocumentName, Instance, MediaType};

/// `GET`: [`Documents`]. With a name after a slash, `GET`, `PUT` and `DELETE` of one document.
pub const DOCUMENTS_PATH: &str = "/v1/documents";
/// With an id after a slash, `DELETE` of one conversation.
pub const CONVERSATIONS_PATH: &str = "/v1/conversations";
/// `GET`: [`Status`].
pub const STATUS_PATH: &str = "/v1/status";

/// `POST`: the documents are those of the bot's first instance, so visitors may be let in.
pub const OPEN_PATH: &str = "/v1/open";

/// The store's table that has a record for each conversation.
pub const CONVERSATIONS_TABLE: &str = "conversations";

/// What stays as it is in one segment of a path (RFC 3986, "unreserved").
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A document of a bot's knowledge base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its name.
    pub document: DocumentName,
    /// Its title, as its text gives it.
    pub title: String,
    /// The passages that it was divided into.
    pub chunks: usize,
    /// Its size in bytes, as it was given.
    pub bytes: u64,
    /// When it was added or last replaced, in milliseconds since 1970.
    pub added: u64,
    /// Tells it from every other: the SHA-256 hash of its media type, a zero byte and its content, in hexadecimal digits.
    pub digest: String,
}

/// A bot's knowledge base.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Documents {
    /// Its documents, by name.
    pub documents: Vec<Document>,
}

/// How an instance of a bot fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its bot's name.
    pub bot: BotName,
    /// Its own name.
    pub instance: Instance,
    /// Whether visitors are let in. A further instance waits for the documents of the first.
    pub open: bool,
    /// The name that visitors see.
    pub title: String,
    /// Documents in its knowledge base.
    pub documents: usize,
    /// Passages that they were divided into.
    pub chunks: usize,
    /// Tells its documents from others: the SHA-256 hash of their names and digests, in hexadecimal digits.
    pub knowledge: String,
    /// Conversations in its store.
    pub conversations: u64,
    /// Messages in its store.
    pub messages: u64,
    /// The provider that answers.
    pub provider: String,
    /// When its process started, in milliseconds since 1970.
    pub started: u64,
}

/// Why a call was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bot's process could not be reached.
    #[error("the bot cannot be reached")]
    Unreachable(#[from] ipc::ClientError),
    /// The bot did not do it and says why.
    #[error("{detail}")]
    Refused {
        /// The status of its reply.
        status: StatusCode,
        /// The reason, for the operator.
        detail: String,
    },
    /// It did not reply in time; it may yet do what it was asked.
    #[error("the bot did not reply within {} s; look at its log, and at what it holds, before trying again", REPLY_TIME.as_secs())]
    Slow,
    /// It does not say what a document is written in.
    #[error("the bot does not say what the document is written in")]
    MediaType,
    /// Its reply cannot be read.
    #[error("the bot's reply cannot be read")]
    Reply(#[source] ipc::BodyError),
}

impl Error {
    /// Whether the bot says that it has no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }
}

/// A client of one bot's operators' socket.
#[derive(Debug, Clone)]
pub struct Client {
    ipc: ipc::Client,
}

impl Client {
    /// A client of the bot that listens on `socket`. Connects at the first call.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            ipc: ipc::Client::new(socket),
        }
    }

    /// Adds a document, or replaces the one of that name.
    ///
    /// # Errors
    /// [`Error::Refused`] when the bot cannot read it or has no room for it; what it held before stays.
    pub async fn put_document(
        &self,
        name: &DocumentName,
        media_type: MediaType,
        content: impl Into<Bytes>,
    ) -> Result<Document, Error> {
        let mut request = call(Method::PUT, &document_path(name), ipc::full(content));
        request.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(media_type.as_str()),
        );
        self.ask(request).await
    }

    /// Gives a document back as it was added.
    ///
    /// # Errors
    /// [`Error::Refused`] with 404 when there is none of that name.
    pub async fn get_document(&self, name: &DocumentName) -> Result<(MediaType, Bytes), Error> {
        let reply = self
            .send(call(Method::GET, &document_path(name), ipc::empty()))
            .await?;
        if !reply.status().is_success() {
            return Err(refused(reply).await);
        }
        let named = reply.headers().get(header::CONTENT_TYPE);
        let media_type = named
            .and_then(|value| value.to_str().ok())
            .and_then(MediaType::from_header)
            .ok_or(Error::MediaType)?;
        let content = ipc::read_body(reply.into_body(), DOCUMENT_BYTES, REPLY_TIME).await;
        Ok((media_type, content.map_err(Error::Reply)?))
    }

    /// Lists the documents.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn list_documents(&self) -> Result<Vec<Document>, Error> {
        let documents: Documents = self
            .ask(call(Method::GET, DOCUMENTS_PATH, ipc::empty()))
            .await?;
        Ok(documents.documents)
    }

    /// Removes a document and all that was derived from it.
    ///
    /// # Errors
    /// [`Error::Refused`] with 404 when there is none of that name.
    pub async fn delete_document(&self, name: &DocumentName) -> Result<(), Error> {
        self.delete(&document_path(name)).await
    }

    /// Erases a conversation for good: copies of the bot's data cannot show it either, as long as no older copy of its
    /// key table is beside them.
    ///
    /// # Errors
    /// [`Error::Refused`] with 404 when there is none of that id.
    pub async fn erase_conversation(&self, id: &str) -> Result<(), Error> {
        let id = utf8_percent_encode(id, SEGMENT);
        self.delete(&format!("{CONVERSATIONS_PATH}/{id}")).await
    }

    async fn delete(&self, path: &str) -> Result<(), Error> {
        let reply = self.send(call(Method::DELETE, path, ipc::empty())).await?;
        if reply.status().is_success() {
            Ok(())
        } else {
            Err(refused(reply).await)
        }
    }

    /// Has it let visitors in.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn open(&self) -> Result<(), Error> {
        let reply = self
            .send(call(Method::POST, OPEN_PATH, ipc::empty()))
            .await?;
        if reply.status().is_success() {
            Ok(())
        } else {
            Err(refused(reply).await)
        }
    }

    /// Asks how the bot fares.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn status(&self) -> Result<Status, Error> {
        self.ask(call(Method::GET, STATUS_PATH, ipc::empty())).await
    }

    async fn send(
        &self,
        request: http::Request<ipc::Body>,
    ) -> Result<http::Response<ipc::Incoming>, Error> {
        let reply = tokio::time::timeout(REPLY_TIME, self.ipc.send(request)).await;
        Ok(reply.map_err(|_| Error::Slow)??)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: http::Request<ipc::Body>,
    ) -> Result<T, Error> {
        let reply = self.send(request).await?;
        if !reply.status().is_success() {
            return Err(refused(reply).await);
        }
        ipc::read_json(reply.into_body(), REPLY_BYTES, REPLY_TIME)
            .await
            .map_err(Error::Reply)
    }
}

fn document_path(name: &DocumentName) -> String {
    format!(
        "{DOCUMENTS_PATH}/{}",
        utf8_percent_encode(name.as_str(), SEGMENT)
    )
}

fn call(method: Method, path: &str, body: ipc::Body) -> http::Request<ipc::Body> {
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    // Constants and percent-encoded names are always paths.
    *request.uri_mut() = path.parse().unwrap_or_default();
    request
}

/// What a reply other than success says (RFC 9457).
async fn refused(reply: http::Response<ipc::Incoming>) -> Error {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    let status = reply.status();
    match ipc::read_json(reply.into_body(), REPLY_BYTES, REPLY_TIME).await {
        Ok(Problem { detail }) => Error::Refused { status, detail },
        Err(_) => Error::Refused {
            status,
            detail: format!("the bot replied {status}"),
        },
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_one_segment_of_the_path() {
        let name: DocumentName = "a/b c?d#é.md".parse().unwrap();
        assert_eq!(
            document_path(&name),
            "/v1/documents/a%2Fb%20c%3Fd%23%C3%A9.md"
        );
    }

    proptest! {
        #[test]
        fn every_name_is_a_path_that_reads_back(name in ".{1,60}") {
            if let Ok(name) = name.parse::<DocumentName>() {
                let request = call(Method::GET, &document_path(&name), ipc::empty());
                let segment = request.uri().path().strip_prefix("/v1/documents/").unwrap();
                prop_assert!(!segment.contains('/'));
                prop_assert_eq!(percent_decode_str(segment).decode_utf8().unwrap(), name.as_str());
            }
        }
    }
}
