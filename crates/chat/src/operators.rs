//! The operators' socket, which only root can open.

use std::sync::Arc;

use chat_api::limits::{DOCUMENT_BYTES, DOCUMENT_TIME};
use chat_api::operator::{CONVERSATIONS_PATH, DOCUMENTS_PATH, OPEN_PATH, STATUS_PATH};
use chat_api::{DocumentName, MediaType};
use http::{HeaderValue, Method, StatusCode, header};
use ipc::{Request, Response};
use percent_encoding::percent_decode_str;

use crate::bot::{Bot, now};
use crate::conversation::ConversationId;
use crate::error::Error;

/// The operators of a bot.
#[derive(Debug)]
pub struct Operators {
    bot: Arc<Bot>,
}

impl Operators {
    /// The operators of a bot.
    #[must_use]
    pub const fn of(bot: Arc<Bot>) -> Self {
        Self { bot }
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request) -> Response {
        self.route(request)
            .await
            .unwrap_or_else(|error| error.response())
    }

    async fn route(&self, request: Request) -> Result<Response, Error> {
        let path = request.uri().path();
        let method = request.method();
        if path == STATUS_PATH {
            return only(method, &Method::GET, "GET")
                .and_then(|()| Ok(ipc::json(StatusCode::OK, &self.bot.status()?)));
        }
        if path == OPEN_PATH {
            only(method, &Method::POST, "POST")?;
            if self.bot.doors.open() {
                tracing::info!(
                    "the documents are those of the first instance: visitors are let in"
                );
            }
            return Ok(ipc::no_content());
        }
        if let Some(id) = path.strip_prefix(CONVERSATIONS_PATH) {
            let id = id.strip_prefix('/').ok_or(Error::NotFound)?;
            only(method, &Method::DELETE, "DELETE")?;
            let id = ConversationId::parse(id).ok_or(Error::NoConversation)?;
            return match self.bot.erase(id).await {
                Ok(()) => Ok(ipc::no_content()),
                Err(Error::UnknownConversation) => Err(Error::NoConversation),
                Err(error) => Err(error),
            };
        }
        let rest = path.strip_prefix(DOCUMENTS_PATH).ok_or(Error::NotFound)?;
        if rest.is_empty() {
            return only(method, &Method::GET, "GET")
                .map(|()| ipc::json(StatusCode::OK, &self.bot.library.list()));
        }
        let name = document_name(rest.strip_prefix('/').ok_or(Error::NotFound)?)?;
        match *method {
            Method::GET => self.document(&name),
            Method::PUT => self.put(name, request).await,
            Method::DELETE => self.remove(name).await,
            _ => Err(Error::Method("GET, PUT, DELETE")),
        }
    }

    fn document(&self, name: &DocumentName) -> Result<Response, Error> {
        let record = self.bot.library.get(name)?;
        let mut response = Response::new(ipc::full(record.content));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(record.media_type.as_str()),
        );
        Ok(response)
    }

    async fn put(&self, name: DocumentName, request: Request) -> Result<Response, Error> {
        let value = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media_type = value
            .and_then(MediaType::from_header)
            .ok_or(Error::MediaType("text/markdown, text/plain or text/html"))?;
        let content = ipc::read_body(request.into_body(), DOCUMENT_BYTES, DOCUMENT_TIME).await?;
        let library = Arc::clone(&self.bot.library);
        // In a task of its own: a caller that goes away must not leave store and index apart.
        let put = self
            .bot
            .tasks
            .spawn(async move { library.put(name, media_type, content, now()).await });
        let document = put.await.map_err(|_| Error::CutOff)??;
        tracing::info!(
            chunks = document.chunks,
            bytes = document.bytes,
            "a document was added"
        );
        Ok(ipc::json(StatusCode::OK, &document))
    }

    async fn remove(&self, name: DocumentName) -> Result<Response, Error> {
        let library = Arc::clone(&self.bot.library);
        let removed = self
            .bot
            .tasks
            .spawn(async move { library.remove(name).await });
        removed.await.map_err(|_| Error::CutOff)??;
        tracing::info!("a document was removed");
        Ok(ipc::no_content())
    }
}

fn only(method: &Method, allowed: &Method, name: &'static str) -> Result<(), Error> {
    if method == allowed {
        Ok(())
    } else {
        Err(Error::Method(name))
    }
}

/// The document's name in the rest of a path.
fn document_name(segment: &str) -> Result<DocumentName, Error> {
    let name = percent_decode_str(segment).decode_utf8().map_err(|_| {
        Error::Body(
            StatusCode::BAD_REQUEST,
            "The document's name in the address is not UTF-8.".to_owned(),
        )
    })?;
    Ok(name.parse()?)
}
