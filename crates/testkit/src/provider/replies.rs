//! What the stand-in sends.

use std::sync::LazyLock;

use bytes::Bytes;

/// The sentence that every good answer is.
pub const SENTENCE: &str = "Our returns desk accepts any unused item within thirty days of delivery , and refunds reach \
                            your card in five working days . Is there anything else that I can help you with today ?";

/// The sentence word by word, each an event of the stream.
pub(super) static WORDS: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let event = |word: &str| {
        let chunk = serde_json::json!({
            "id": "c", "object": "chat.completion.chunk", "model": "bench",
            "choices": [{"index": 0, "delta": {"content": format!("{word} ")}, "finish_reason": null}],
        });
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    SENTENCE.split_whitespace().map(event).collect()
});

/// How a stream ends that is whole.
pub(super) static END: LazyLock<Bytes> = LazyLock::new(|| {
    let chunk = serde_json::json!({
        "id": "c", "object": "chat.completion.chunk", "model": "bench",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
    });
    Bytes::from(format!("data: {chunk}\n\ndata: [DONE]\n\n"))
});

/// A whole answer.
pub(super) static WHOLE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut whole = WORDS.concat();
    whole.extend_from_slice(&END);
    whole.into()
});

/// What is no stream of events.
pub(super) const GARBAGE: &[u8] = b"data: {\"choices\": [{\"delta\": {\"content\": 7}}]}\n\n\
    data: {\"choices\": \"none\"\n\n\xff\xfe\x00data: \xf0\x9f\r\rdata:{}\n\nevent: delta\ndata: null\n\n";

/// A page as proxies send it.
pub(super) const PAGE: &[u8] =
    b"<!doctype html><title>Sign in</title><p>Please sign in to the network.";

/// An error within a stream.
pub(super) const FAILURE: &[u8] =
    b"data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\",\"code\":null}}\n\n";

/// The body of an answer with this status.
pub(super) fn error(kind: &str) -> Bytes {
    let body = serde_json::json!({"error": {"message": "The stand-in was asked to fail.", "type": kind, "code": kind}});
    Bytes::from(body.to_string())
}
