//! The request.

use bytes::Bytes;
use serde::Serialize;

use crate::{config::Entry, prompt::Message};

/// <https://platform.openai.com/docs/api-reference/chat/create>, as far as every compatible server takes it.
#[derive(Serialize)]
struct Completion<'a> {
    model: &'a str,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    messages: &'a [Message],
}

/// The body of a request to complete a chat.
#[must_use]
pub fn body(entry: &Entry, messages: &[Message]) -> Bytes {
    let request = Completion {
        model: &entry.model,
        stream: true,
        max_tokens: entry.max_tokens,
        temperature: entry.temperature,
        messages,
    };
    // Strings and numbers always serialise.
    serde_json::to_vec(&request).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_what_is_configured_is_sent() {
        let text = "name = \"a\"\nbase_url = \"https://a.example\"\nmodel = \"m-1\"\n";
        let message = Message {
            role: "user",
            content: "Hi \"there\"".into(),
        };
        let entry: Entry = toml::from_str(text).unwrap();
        assert_eq!(
            body(&entry, std::slice::from_ref(&message)),
            r#"{"model":"m-1","stream":true,"messages":[{"role":"user","content":"Hi \"there\""}]}"#
        );
        let entry: Entry =
            toml::from_str(&format!("{text}max_tokens = 300\ntemperature = 0.5")).unwrap();
        assert_eq!(
            body(&entry, &[]),
            r#"{"model":"m-1","stream":true,"max_tokens":300,"temperature":0.5,"messages":[]}"#
        );
    }
}
