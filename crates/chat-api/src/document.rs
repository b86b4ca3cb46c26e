//! Documents' names and media types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most bytes in a document's name.
const DOCUMENT_NAME_BYTES: usize = 200;

/// A document's name in a bot's knowledge base, usually its file's: any text without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentName(String);

/// A name that no document can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentNameError {
    /// It is empty or only blank.
    #[error("a document's name is empty")]
    Empty,
    /// It is too long.
    #[error("a document's name has at most {DOCUMENT_NAME_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// It has a character that cannot be shown, or blank ends.
    #[error("a document's name has no control characters and no blanks at its ends")]
    Character,
}

impl DocumentName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DocumentName {
    type Err = DocumentNameError;

    fn from_str(name: &str) -> Result<Self, DocumentNameError> {
        if name.trim().is_empty() {
            return Err(DocumentNameError::Empty);
        }
        if name.len() > DOCUMENT_NAME_BYTES {
            return Err(DocumentNameError::TooLong(name.len()));
        }
        if name.chars().any(char::is_control) || name.trim() != name {
            return Err(DocumentNameError::Character);
        }
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for DocumentName {
    type Error = DocumentNameError;

    fn try_from(name: String) -> Result<Self, DocumentNameError> {
        name.parse()
    }
}

impl From<DocumentName> for String {
    fn from(name: DocumentName) -> Self {
        name.0
    }
}

/// What a document is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MediaType {
    /// `text/markdown` (RFC 7763).
    #[serde(rename = "text/markdown")]
    Markdown,
    /// `text/plain`.
    #[serde(rename = "text/plain")]
    Text,
    /// `text/html`.
    #[serde(rename = "text/html")]
    Html,
}

impl MediaType {
    /// Its name, as in a `Content-Type` header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown",
            Self::Text => "text/plain",
            Self::Html => "text/html",
        }
    }

    /// The media type that a `Content-Type` header names; its parameters are not looked at, since every document must
    /// be UTF-8.
    #[must_use]
    pub fn from_header(value: &str) -> Option<Self> {
        let essence = value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        [Self::Markdown, Self::Text, Self::Html]
            .into_iter()
            .find(|known| known.as_str() == essence)
    }

    /// The media type that a file's name suggests.
    #[must_use]
    pub fn from_file_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "md" | "markdown" => Some(Self::Markdown),
            "txt" | "text" => Some(Self::Text),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            _ => None,
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_shown() {
        for good in ["faq.md", "Über uns.html", "guide/start.md", "問.txt"] {
            assert_eq!(
                good.parse::<DocumentName>().map(String::from),
                Ok(good.to_owned())
            );
        }
        assert_eq!(" ".parse::<DocumentName>(), Err(DocumentNameError::Empty));
        assert_eq!(
            "a\nb".parse::<DocumentName>(),
            Err(DocumentNameError::Character)
        );
        assert_eq!(
            " a".parse::<DocumentName>(),
            Err(DocumentNameError::Character)
        );
        assert_eq!(
            "a".repeat(201).parse::<DocumentName>(),
            Err(DocumentNameError::TooLong(201))
        );
    }

    #[test]
    fn media_types_come_from_headers_and_names() {
        assert_eq!(
            MediaType::from_header("text/markdown; charset=utf-8"),
            Some(MediaType::Markdown)
        );
        assert_eq!(MediaType::from_header("Text/HTML"), Some(MediaType::Html));
        assert_eq!(MediaType::from_header("application/pdf"), None);
        assert_eq!(MediaType::from_file_name("A.MD"), Some(MediaType::Markdown));
        assert_eq!(MediaType::from_file_name("x.htm"), Some(MediaType::Html));
        assert_eq!(MediaType::from_file_name("Makefile"), None);
        assert_eq!(MediaType::from_file_name("a.pdf"), None);
    }
}
