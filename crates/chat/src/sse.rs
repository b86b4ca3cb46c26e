//! Writes server-sent events (WHATWG HTML, 9.2).

use chat_api::visitor::Event;

/// A comment, which keeps a quiet stream from looking dead to what lies between.
pub const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// Appends an event. JSON in one line has no line feed, so one `data:` line holds it.
pub fn write(event: &Event, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event.name().as_bytes());
    out.extend_from_slice(b"\ndata: ");
    if serde_json::to_writer(&mut *out, event).is_err() {
        // Strings, lists and booleans always serialise; half an event would be worse than none.
        out.truncate(start);
        return;
    }
    out.extend_from_slice(b"\n\n");
}

/// The names and data of the events that [`write`] wrote. Comments are left out.
pub fn read(stream: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let text = str::from_utf8(stream).unwrap_or_default();
    text.split("\n\n").filter_map(|block| {
        let (name, data) = block.strip_prefix("event: ")?.split_once('\n')?;
        Some((name, data.strip_prefix("data: ")?))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use chat_api::visitor::{Begun, MessageId, Source, Trouble};
    use proptest::prelude::*;

    use super::*;

    fn id() -> MessageId {
        "m-1".to_owned().try_into().unwrap()
    }

    fn events() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Accepted { id: id() }),
            Just(Event::Done { id: id() }),
            Just(Event::Conversation(Begun {
                conversation: "c".into(),
                token: "t".into()
            })),
            ".*".prop_map(|text| Event::Delta { text }),
            "(\r|\n|\u{2028}|.)*".prop_map(|text| Event::Delta { text }),
            (".*", ".*").prop_map(|(quote, title)| Event::Sources {
                sources: vec![Source {
                    document: "d".into(),
                    title,
                    heading: String::new(),
                    quote
                }]
            }),
            (".*", any::<bool>()).prop_map(|(detail, retry)| Event::Error(Trouble {
                title: "t".into(),
                detail,
                retry
            })),
        ]
    }

    proptest! {
        #[test]
        fn every_stream_reads_back(sent in prop::collection::vec(events(), 0..6)) {
            let mut stream = Vec::new();
            for event in &sent {
                write(event, &mut stream);
                stream.extend_from_slice(KEEP_ALIVE);
            }
            let text = str::from_utf8(&stream).unwrap();
            let mut found = Vec::new();
            for block in text.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':')) {
                let (name, data) = block.split_once('\n').unwrap();
                let name = name.strip_prefix("event: ").unwrap();
                found.push(Event::parse(name, data.strip_prefix("data: ").unwrap()).unwrap());
            }
            prop_assert_eq!(&found, &sent);
            let again: Vec<_> = read(&stream).map(|(name, data)| Event::parse(name, data).unwrap()).collect();
            prop_assert_eq!(again, sent);
        }
    }

    #[test]
    fn an_event_is_two_lines_and_a_blank() {
        let mut stream = Vec::new();
        write(
            &Event::Delta {
                text: "a\nb".into(),
            },
            &mut stream,
        );
        assert_eq!(stream, b"event: delta\ndata: {\"text\":\"a\\nb\"}\n\n");
    }
}
