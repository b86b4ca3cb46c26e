//! The data of one event.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

/// Longest code of a provider's error that is kept, in bytes.
const CODE_BYTES: usize = 64;

/// What one event says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// A piece of the answer, which may be empty, and whether the model has finished.
    Piece(Cow<'a, str>, Option<Finish>),
    /// The provider reports that it failed, with its code.
    Failed(String),
    /// The stream is over.
    Done,
}

/// Why the model finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// It had said everything, or as much as it may.
    Whole,
    /// The provider held the rest back.
    Filtered,
}

/// The marker that stands for an event at the end of a stream.
const DONE: &[u8] = b"[DONE]";

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
}

/// Reads the data of one event; `None` when it is no chunk of an answer.
pub(super) fn read(data: &[u8]) -> Option<Said<'_>> {
    let data = data.trim_ascii();
    if data == DONE {
        return Some(Said::Done);
    }
    let chunk: Chunk<'_> = serde_json::from_slice(data).ok()?;
    if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
        return Some(Said::Failed(code(&error)));
    }
    // One answer was asked for. A chunk without choices carries figures about the use.
    let first = chunk.choices?.into_iter().find(|choice| choice.index == 0);
    let Some(choice) = first else {
        return Some(Said::Piece("".into(), None));
    };
    let finish = choice
        .finish_reason
        .filter(|reason| !reason.is_empty())
        .map(|reason| match &*reason {
            "content_filter" => Finish::Filtered,
            _ => Finish::Whole,
        });
    Some(Said::Piece(
        choice
            .delta
            .and_then(|delta| delta.content)
            .unwrap_or_default(),
        finish,
    ))
}

/// The provider's code in the body of an answer that is an error; empty if there is none.
#[must_use]
pub fn error_code(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    value.get("error").map(code).unwrap_or_default()
}

/// The code is what a log may hold: the message beside it can quote what the visitor wrote.
fn code(error: &Value) -> String {
    let is_code = |text: &&str| {
        (1..=CODE_BYTES).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    };
    let number = |value: &Value| value.as_u64().map(|number| number.to_string());
    let find = |key: &str| {
        let value = error.get(key)?;
        value
            .as_str()
            .filter(is_code)
            .map(str::to_owned)
            .or_else(|| number(value))
    };
    find("code").or_else(|| find("type")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(data: &str) -> Option<(String, Option<Finish>)> {
        match read(data.as_bytes())? {
            Said::Piece(text, finish) => Some((text.into_owned(), finish)),
            _ => None,
        }
    }

    #[test]
    fn chunks_of_different_servers_are_read() {
        for (data, text, finish) in [
            (
                r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
                "",
                None,
            ),
            (
                r#"{"choices":[{"delta":{"content":"a\n\"é"}}]}"#,
                "a\n\"é",
                None,
            ),
            (
                r#"{"choices":[{"delta":{"content":null,"reasoning":"hm"}}]}"#,
                "",
                None,
            ),
            (
                r#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#,
                "",
                Some(Finish::Whole),
            ),
            (
                r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#,
                "",
                Some(Finish::Whole),
            ),
            (
                r#"{"choices":[{"delta":{"content":"x"},"finish_reason":"content_filter"}]}"#,
                "x",
                Some(Finish::Filtered),
            ),
            (
                r#"{"choices":[{"delta":{"content":"x"},"finish_reason":""}],"error":null}"#,
                "x",
                None,
            ),
            (r#"{"choices":[],"usage":{"total_tokens":3}}"#, "", None),
            (
                r#"{"choices":[{"index":1,"delta":{"content":"other"}}]}"#,
                "",
                None,
            ),
        ] {
            assert_eq!(piece(data), Some((text.to_owned(), finish)), "{data}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_none() {
        for data in [
            "",
            "null",
            "7",
            "[]",
            "{}",
            r#"{"choices":"none"}"#,
            r#"{"choices":[{"delta":{"content":7}}]}"#,
            "{\"choices\":[",
        ] {
            assert_eq!(read(data.as_bytes()), None, "{data}");
        }
        assert_eq!(read(b" [DONE] "), Some(Said::Done));
    }

    #[test]
    fn an_error_gives_its_code_and_not_its_message() {
        let failed = |data: &str| match read(data.as_bytes()) {
            Some(Said::Failed(code)) => Some(code),
            _ => None,
        };
        let object = r#"{"error":{"message":"You wrote: my name is Ada","type":"server_error","code":null}}"#;
        assert_eq!(failed(object).as_deref(), Some("server_error"));
        assert_eq!(
            failed(r#"{"error":{"code":502,"message":"m"}}"#).as_deref(),
            Some("502")
        );
        assert_eq!(failed(r#"{"error":"my name is Ada"}"#).as_deref(), Some(""));
        assert_eq!(
            failed(r#"{"error":{"code":"my name is Ada"}}"#).as_deref(),
            Some("")
        );
        assert_eq!(error_code(object.as_bytes()), "server_error");
        assert_eq!(error_code(b"<html>"), "");
    }

    proptest! {
        #[test]
        fn hostile_data_is_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&data);
            prop_assert!(error_code(&data).len() <= CODE_BYTES);
        }
    }
}
