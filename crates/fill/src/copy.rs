//! Makes the documents of one instance those of another.

use chat_api::{Difference, operator};

/// How often the documents are compared. They may change while they are copied, and an operator changes few at a time.
const ROUNDS: usize = 16;

/// What was changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Documents that were added or replaced.
    pub put: usize,
    /// Documents that were removed.
    pub removed: usize,
}

/// Why the documents are not the same.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The first instance did not give them.
    #[error(
        "the first instance did not give its documents, so visitors may get answers from older ones, or none"
    )]
    First(#[source] operator::Error),
    /// The other did not take them.
    #[error(
        "the documents of the first instance were not taken, so visitors may get answers from older ones, or none"
    )]
    Copy(#[source] operator::Error),
    /// They changed every time.
    #[error(
        "the documents of the first instance changed all the while, so that they could not be copied"
    )]
    Unsteady,
}

/// Makes the documents of `copy` those of `first`, and has it let visitors in.
///
/// # Errors
/// As [`Error`] lists; what was copied by then stays, and doing it again goes on.
pub async fn copy(first: &operator::Client, copy: &operator::Client) -> Result<Copied, Error> {
    let mut copied = Copied::default();
    for _ in 0..ROUNDS {
        // The copy's list first: a document that is added to both meanwhile then looks missing and is copied again, and
        // not like one too many.
        let has = copy.list_documents().await.map_err(Error::Copy)?;
        let wanted = first.list_documents().await.map_err(Error::First)?;
        let difference = Difference::of(&has, &wanted);
        if difference.is_empty() {
            copy.open().await.map_err(Error::Copy)?;
            return Ok(copied);
        }
        for name in &difference.put {
            match first.get_document(name).await {
                Ok((media_type, content)) => {
                    let put = copy.put_document(name, media_type, content).await;
                    put.map_err(Error::Copy)?;
                    copied.put += 1;
                }
                // Removed meanwhile, here and below.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(Error::First(error)),
            }
        }
        for name in &difference.remove {
            match copy.delete_document(name).await {
                Ok(()) => copied.removed += 1,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(Error::Copy(error)),
            }
        }
    }
    Err(Error::Unsteady)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use bytes::Bytes;
    use chat_api::operator::{DOCUMENTS_PATH, Document, Documents, OPEN_PATH};
    use http::{Method, StatusCode};
    use ipc::{Limits, Request, Response};
    use testkit::Folder;
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// Stands in for an instance: what it holds, and how often it was opened.
    #[derive(Debug, Default)]
    struct Stand {
        documents: Mutex<BTreeMap<String, Bytes>>,
        opened: Mutex<usize>,
        /// What is added to it, one with each list that it gives.
        coming: Mutex<Vec<(&'static str, &'static str)>>,
        full: bool,
    }

    impl Stand {
        fn of(documents: &[(&str, &str)]) -> Self {
            let documents = documents
                .iter()
                .map(|(name, text)| ((*name).to_owned(), Bytes::copy_from_slice(text.as_bytes())));
            Self {
                documents: Mutex::new(documents.collect()),
                ..Self::default()
            }
        }

        async fn answer(self: Arc<Self>, request: Request) -> Response {
            let path = request.uri().path().to_owned();
            if path == OPEN_PATH {
                *self.opened.lock().unwrap() += 1;
                return ipc::no_content();
            }
            let Some(name) = path
                .strip_prefix(DOCUMENTS_PATH)
                .and_then(|rest| rest.strip_prefix('/'))
            else {
                let documents = self.documents.lock().unwrap().iter().map(listed).collect();
                if let Some((name, text)) = self.coming.lock().unwrap().pop() {
                    let text = Bytes::from_static(text.as_bytes());
                    self.documents.lock().unwrap().insert(name.to_owned(), text);
                }
                return ipc::json(StatusCode::OK, &Documents { documents });
            };
            let absent = || ipc::problem(StatusCode::NOT_FOUND, "There is none.");
            match *request.method() {
                Method::GET => match self.documents.lock().unwrap().get(name) {
                    Some(text) => {
                        let mut response = Response::new(ipc::full(text.clone()));
                        let named = http::HeaderValue::from_static("text/plain");
                        response
                            .headers_mut()
                            .insert(http::header::CONTENT_TYPE, named);
                        response
                    }
                    None => absent(),
                },
                Method::DELETE => match self.documents.lock().unwrap().remove(name) {
                    Some(_) => ipc::no_content(),
                    None => absent(),
                },
                _ if self.full => ipc::problem(StatusCode::INSUFFICIENT_STORAGE, "It is full."),
                _ => {
                    let name = name.to_owned();
                    let body = ipc::read_body(request.into_body(), 1 << 20, Duration::from_secs(5));
                    let text = body.await.unwrap();
                    let document = listed((&name, &text));
                    self.documents.lock().unwrap().insert(name, text);
                    ipc::json(StatusCode::OK, &document)
                }
            }
        }
    }

    fn listed((name, text): (&String, &Bytes)) -> Document {
        Document {
            document: name.parse().unwrap(),
            title: String::new(),
            chunks: 1,
            bytes: text.len() as u64,
            added: 0,
            digest: format!("{text:?}"),
        }
    }

    /// Copies from one to the other, and says what came of it.
    fn copied(first: Stand, further: Stand) -> (Result<Copied, Error>, Arc<Stand>, Arc<Stand>) {
        let (first, further) = (Arc::new(first), Arc::new(further));
        let (of_first, of_further) = (Arc::clone(&first), Arc::clone(&further));
        let done = testkit::confined(|confined| async move {
            let folder = Folder::new();
            let mut clients = Vec::new();
            for (name, stand) in [("first.sock", of_first), ("further.sock", of_further)] {
                let (path, listener) = folder.listen(name);
                let confined = confined.clone();
                tokio::spawn(async move {
                    let answer = move |_, request| Arc::clone(&stand).answer(request);
                    ipc::serve(
                        &confined,
                        listener,
                        Limits::default(),
                        CancellationToken::new(),
                        answer,
                    )
                    .await;
                });
                clients.push(operator::Client::new(path));
            }
            copy(&clients[0], &clients[1]).await
        });
        (done, first, further)
    }

    #[test]
    fn what_is_missing_other_or_too_many_is_mended_and_the_rest_left() {
        let first = Stand::of(&[("a.txt", "one"), ("b.txt", "two"), ("c.txt", "three")]);
        let further = Stand::of(&[("b.txt", "old"), ("c.txt", "three"), ("d.txt", "gone")]);
        let (done, first, further) = copied(first, further);
        assert_eq!(done.unwrap(), Copied { put: 2, removed: 1 });
        assert_eq!(
            *first.documents.lock().unwrap(),
            *further.documents.lock().unwrap()
        );
        assert_eq!(
            (
                *first.opened.lock().unwrap(),
                *further.opened.lock().unwrap()
            ),
            (0, 1)
        );
    }

    #[test]
    fn what_an_operator_adds_meanwhile_is_there_too() {
        let first = Stand::of(&[("a.txt", "one")]);
        *first.coming.lock().unwrap() = vec![("c.txt", "third"), ("b.txt", "second")];
        let (done, first, further) = copied(first, Stand::default());
        assert_eq!(done.unwrap(), Copied { put: 3, removed: 0 });
        assert_eq!(
            *first.documents.lock().unwrap(),
            *further.documents.lock().unwrap()
        );
    }

    #[test]
    fn visitors_are_not_let_in_to_half_of_it() {
        let full = Stand {
            full: true,
            ..Stand::default()
        };
        let (done, _, further) = copied(Stand::of(&[("a.txt", "one")]), full);
        assert!(
            matches!(done, Err(Error::Copy(operator::Error::Refused { .. }))),
            "{done:?}"
        );
        assert_eq!(*further.opened.lock().unwrap(), 0);
    }
}
