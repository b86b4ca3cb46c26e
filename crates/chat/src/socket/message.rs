//! Pure: the messages as they are written.

use chat_api::socket::{REFUSED, Refusal};
use chat_api::visitor::MessageId;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::Error;

#[derive(Serialize)]
struct Told<'a, T> {
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'a MessageId>,
    data: &'a T,
}

/// An event, as [`chat_api::socket::Told`] reads it.
pub(super) fn told<T: Serialize + ?Sized>(
    event: &str,
    about: Option<&MessageId>,
    data: &T,
) -> String {
    // Strings, lists and numbers always serialise.
    serde_json::to_string(&Told {
        event,
        about,
        data: &data,
    })
    .unwrap_or_default()
}

/// The events of a part of an answer's stream, which is whole events.
pub(super) fn events(stream: &[u8], about: &MessageId) -> Vec<String> {
    crate::sse::read(stream)
        .filter_map(|(name, data)| {
            let data: &RawValue = serde_json::from_str(data).ok()?;
            Some(told(name, Some(about), data))
        })
        .collect()
}

/// Why something was not done. Logs what an operator has to know.
pub(super) fn refused(error: &Error, about: Option<&MessageId>) -> String {
    error.log();
    let status = error.status();
    let refusal = Refusal {
        status: status.as_u16(),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        detail: error.detail(),
        retry: error.may_pass_later(),
    };
    told(REFUSED, about, &refusal)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use chat_api::socket::Told;
    use chat_api::visitor::Event;
    use proptest::prelude::*;

    use super::*;

    fn id() -> MessageId {
        "m1".to_owned().try_into().unwrap()
    }

    proptest! {
        #[test]
        fn what_was_streamed_is_told_with_the_same_data(texts in prop::collection::vec("(\n|\r|\u{2028}|.)*", 0..5)) {
            let sent: Vec<Event> = texts.into_iter().map(|text| Event::Delta { text }).collect();
            let mut stream = crate::sse::KEEP_ALIVE.to_vec();
            for event in &sent {
                crate::sse::write(event, &mut stream);
            }
            let read: Vec<Event> = events(&stream, &id())
                .iter()
                .map(|text| {
                    let told: Told = serde_json::from_str(text).unwrap();
                    assert_eq!(told.about, Some(id()));
                    Event::parse(&told.event, told.data.get()).unwrap()
                })
                .collect();
            prop_assert_eq!(read, sent);
        }
    }

    #[test]
    fn a_refusal_is_what_http_would_say() {
        let text = refused(&Error::Busy, Some(&id()));
        let told: Told = serde_json::from_str(&text).unwrap();
        let refusal: Refusal = serde_json::from_str(told.data.get()).unwrap();
        assert_eq!(
            (&*told.event, refusal.status, refusal.retry),
            (REFUSED, 503, true)
        );
        let told: Told = serde_json::from_str(&refused(&Error::UnknownConversation, None)).unwrap();
        let refusal: Refusal = serde_json::from_str(told.data.get()).unwrap();
        assert_eq!(
            (told.about, refusal.status, refusal.retry),
            (None, 404, false)
        );
    }
}
