//! A bot's knowledge base: documents in the store, and the index over them in memory.

use std::sync::{Arc, PoisonError, RwLock};

use chat_api::limits::{DOCUMENTS as DOCUMENTS_MAX, KNOWLEDGE_BYTES};
use chat_api::{DocumentName, Language, MediaType, operator};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use store::Store;

use crate::error::Error;
use crate::knowledge;
use crate::retrieval::{Analysed, Document, Index, Passage, Words, analyse};
use crate::schema::{DOCUMENTS, DocumentRecord};

/// Most passages that a question is answered from.
pub const PASSAGES: usize = 6;

/// The documents of one bot.
#[derive(Debug)]
pub struct Library {
    store: Store,
    words: Arc<Words>,
    index: RwLock<Arc<Index>>,
    /// Held while documents change, so that store and index change in the same order.
    changing: tokio::sync::Mutex<()>,
}

impl Library {
    /// Reads all documents of the store. Blocks for as long as that takes.
    ///
    /// # Errors
    /// When the store fails. A document that can be read no more is left out of answers and logged, and stays stored.
    pub fn open(store: Store, language: Language) -> Result<Self, Error> {
        let words = Words::of(language);
        // One at a time: a document as it was given may be much larger than what is kept of it.
        let index = store.read(|tx| {
            let mut index = Index::default();
            for entry in tx.range(DOCUMENTS, ..)? {
                let (name, record) = entry?;
                match read(&name, &record, &words) {
                    Ok(analysed) => index.insert(analysed),
                    Err(error) => tracing::error!(
                        %error,
                        bytes = record.len(),
                        "a stored document cannot be read and is left out of answers; remove it or add it again"
                    ),
                }
            }
            Ok(index)
        })?;
        Ok(Self {
            store,
            words: Arc::new(words),
            index: RwLock::new(Arc::new(index)),
            changing: tokio::sync::Mutex::new(()),
        })
    }

    /// The documents as they are now.
    #[must_use]
    pub fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The passages that may answer a question, best first.
    #[must_use]
    pub fn passages(&self, question: &str) -> Vec<Passage> {
        self.index().search(question, &self.words, PASSAGES)
    }

    /// Adds a document, in place of the one of its name; returns once it is durable and found.
    ///
    /// # Errors
    /// When it cannot be read, there is no room for it, or the store fails; then nothing was changed.
    pub async fn put(
        self: &Arc<Self>,
        name: DocumentName,
        media_type: MediaType,
        content: bytes::Bytes,
        now: u64,
    ) -> Result<operator::Document, Error> {
        let record = DocumentRecord::encode(media_type, now, &content);
        let words = Arc::clone(&self.words);
        let of = name.clone();
        // Reading megabytes takes time that others' answers must not wait for.
        let analysed = blocking(move || {
            let readable = knowledge::read(&content, media_type)?;
            Ok(analyse(
                document(
                    of,
                    readable,
                    digest(media_type, &content),
                    content.len(),
                    now,
                ),
                &words,
            ))
        })
        .await?;
        let described = describe(analysed.document());

        let _changing = self.changing.lock().await;
        let index = self.index();
        let replaced = index.get(&name);
        let documents = index.len() + usize::from(replaced.is_none());
        let text_bytes = index.text_bytes() - replaced.map_or(0, |document| document.text.len());
        if documents > DOCUMENTS_MAX
            || text_bytes + analysed.document().text.len() > KNOWLEDGE_BYTES
        {
            return Err(Error::KnowledgeFull);
        }
        let key = name.clone();
        self.store
            .write(move |tx| tx.put(DOCUMENTS, DocumentRecord::key(&key), &record))
            .await
            .map_err(store::Error::from)?;
        self.change(index, move |index| index.insert(analysed))
            .await?;
        Ok(described)
    }

    /// Removes a document; returns once that is durable and it is found no more.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], or when the store fails; then nothing was changed.
    pub async fn remove(self: &Arc<Self>, name: DocumentName) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        let key = name.clone();
        let removed = self
            .store
            .write(move |tx| tx.remove(DOCUMENTS, DocumentRecord::key(&key)))
            .await
            .map_err(store::Error::from)?;
        if removed.is_none() {
            return Err(Error::UnknownDocument);
        }
        let index = self.index();
        self.change(index, move |index| {
            index.remove(&name);
        })
        .await
    }

    /// A document as it was given.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], or when the store fails.
    pub fn get(&self, name: &DocumentName) -> Result<DocumentRecord, Error> {
        let key = DocumentRecord::key(name);
        let record = self.store.read(|tx| tx.get(DOCUMENTS, key))?;
        let record = record.ok_or(Error::UnknownDocument)?;
        Ok(DocumentRecord::decode(&record)?)
    }

    /// All documents, by name.
    #[must_use]
    pub fn list(&self) -> operator::Documents {
        operator::Documents {
            documents: self.index().documents().map(describe).collect(),
        }
    }

    /// Puts a changed copy of the index in its place. Searches under way keep the one that they began with.
    async fn change(
        &self,
        index: Arc<Index>,
        change: impl FnOnce(&mut Index) + Send + 'static,
    ) -> Result<(), Error> {
        let changed = blocking(move || {
            let mut changed = Index::clone(&index);
            drop(index);
            change(&mut changed);
            Ok(changed)
        })
        .await?;
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(changed);
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::CutOff)?
}

fn read(name: &[u8], record: &[u8], words: &Words) -> Result<Analysed, Error> {
    let name = std::str::from_utf8(name)
        .ok()
        .and_then(|name| name.parse().ok());
    let name = name.ok_or(crate::schema::Malformed::Record)?;
    let record = DocumentRecord::decode(record)?;
    let readable = knowledge::read(&record.content, record.media_type)?;
    let digest = digest(record.media_type, &record.content);
    Ok(analyse(
        document(name, readable, digest, record.content.len(), record.added),
        words,
    ))
}

fn document(
    name: DocumentName,
    readable: knowledge::Readable,
    digest: [u8; 32],
    bytes: usize,
    added: u64,
) -> Document {
    let title = readable.title.unwrap_or_else(|| untitled(&name));
    Document {
        name,
        title,
        text: readable.text,
        chunks: readable.chunks,
        bytes: bytes as u64,
        added,
        digest,
    }
}

/// What tells a document from every other, whatever its name.
fn digest(media_type: MediaType, content: &[u8]) -> [u8; 32] {
    let named = Sha256::new_with_prefix(media_type.as_str()).chain_update([0]);
    named.chain_update(content).finalize().into()
}

/// The title of a document that gives itself none: its name without folders and extension.
fn untitled(name: &DocumentName) -> String {
    let file = name.as_str().rsplit('/').next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let words = stem.replace(['-', '_'], " ");
    let words = words.trim();
    if words.is_empty() {
        name.as_str().to_owned()
    } else {
        words.to_owned()
    }
}

fn describe(document: &Document) -> operator::Document {
    operator::Document {
        document: document.name.clone(),
        title: document.title.clone(),
        chunks: document.chunks.len(),
        bytes: document.bytes,
        added: document.added,
        digest: HEXLOWER.encode(&document.digest),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_document_without_a_title_has_its_name_for_one() {
        for (name, title) in [
            ("return-policy.md", "return policy"),
            ("a/b_c.txt", "b c"),
            ("notes", "notes"),
            (".md", ".md"),
        ] {
            assert_eq!(untitled(&name.parse().unwrap()), title);
        }
    }
}
