//! Pure: whether another member is asked after one.
//!
//! Only where nothing can have been done. A `POST` whose bytes were sent is not repeated, though a message has an id
//! of its own by which it is not stored twice: that holds within one instance, and another one that is given the
//! beginning of a conversation would begin it a second time. Whom the first has left in the dark, the widget asks for the
//! answer again, with the message's id, and comes to the same instance.

use std::time::Duration;

use http::{Method, StatusCode};

use super::choose::Purpose;

/// How long a member may take with what another one can answer as well.
const TRY_TIME: Duration = Duration::from_secs(5);

/// What became of a request at a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It began to answer.
    Answered(StatusCode),
    /// It was sent nothing.
    NotReached,
    /// It was sent nothing, for want of room here.
    NoRoom,
    /// It broke off, and may have done what it was asked.
    Broken,
    /// It did not begin to answer in time, and may still do what it was asked.
    Silent,
}

/// What comes then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The visitor gets this answer.
    Give,
    /// The next one is asked. Where there is none, this answer is the last word.
    Unknown,
    /// The next one is asked. Where there is none, the assistant is away.
    Away,
    /// The visitor is told that the assistant is away.
    Stop(StatusCode),
}

/// Whether a request can be sent again without doing anything twice (RFC 9110, section 9.2.1).
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What comes after this.
pub(crate) fn after(outcome: Outcome, method: &Method, purpose: &Purpose) -> After {
    match outcome {
        // It has no such conversation, so nothing was done.
        Outcome::Answered(StatusCode::NOT_FOUND) if matches!(purpose, Purpose::Conversation(_)) => {
            After::Unknown
        }
        // So says an appliance that does not have the bot (RFC 9110, section 15.5.20).
        Outcome::Answered(StatusCode::MISDIRECTED_REQUEST) => After::Unknown,
        Outcome::Answered(_) => After::Give,
        Outcome::NotReached => After::Away,
        // Nor is there room to ask another one.
        Outcome::NoRoom => After::Stop(StatusCode::SERVICE_UNAVAILABLE),
        Outcome::Broken | Outcome::Silent if is_safe(method) => After::Away,
        Outcome::Broken => After::Stop(StatusCode::BAD_GATEWAY),
        Outcome::Silent => After::Stop(StatusCode::GATEWAY_TIMEOUT),
    }
}

/// How long one member may take until it begins to answer, of `most` in all. Where it is about a conversation, nobody
/// else can answer in its place, and so it is waited for.
pub(crate) fn time(most: Duration, is_last: bool, method: &Method, purpose: &Purpose) -> Duration {
    if is_last || !is_safe(method) || *purpose != Purpose::Any {
        most
    } else {
        TRY_TIME.min(most)
    }
}

#[cfg(test)]
mod tests {
    use chat_api::ConversationId;

    use super::*;

    const SAFE: [Method; 3] = [Method::GET, Method::HEAD, Method::OPTIONS];
    const UNSAFE: [Method; 4] = [Method::POST, Method::DELETE, Method::PUT, Method::PATCH];

    fn purposes() -> [Purpose; 3] {
        let id = ConversationId::begin(1, [7; 10]);
        [Purpose::Begin(id), Purpose::Conversation(id), Purpose::Any]
    }

    #[test]
    fn nothing_is_repeated_that_may_have_been_done() {
        for purpose in purposes() {
            for outcome in [Outcome::Broken, Outcome::Silent] {
                for method in UNSAFE {
                    let after = after(outcome, &method, &purpose);
                    assert!(matches!(after, After::Stop(_)), "{method} {purpose:?}");
                }
                for method in SAFE {
                    assert_eq!(after(outcome, &method, &purpose), After::Away);
                }
            }
            for method in SAFE.iter().chain(&UNSAFE) {
                assert_eq!(after(Outcome::NotReached, method, &purpose), After::Away);
                let stop = After::Stop(StatusCode::SERVICE_UNAVAILABLE);
                assert_eq!(after(Outcome::NoRoom, method, &purpose), stop);
            }
        }
    }

    #[test]
    fn an_answer_is_given_unless_the_conversation_may_be_elsewhere() {
        for purpose in purposes() {
            for method in SAFE.iter().chain(&UNSAFE) {
                for status in (100..600).filter_map(|code| StatusCode::from_u16(code).ok()) {
                    let elsewhere = match status.as_u16() {
                        404 => matches!(purpose, Purpose::Conversation(_)),
                        code => code == 421,
                    };
                    let expected = if elsewhere {
                        After::Unknown
                    } else {
                        After::Give
                    };
                    assert_eq!(after(Outcome::Answered(status), method, &purpose), expected);
                }
            }
        }
    }

    #[test]
    fn what_another_can_answer_is_not_waited_for_long() {
        let most = Duration::from_secs(60);
        let [begin, pinned, any] = purposes();
        assert_eq!(time(most, false, &Method::GET, &any), TRY_TIME);
        let short = Duration::from_secs(1);
        assert_eq!(time(short, false, &Method::GET, &any), short);
        for (last, method, purpose) in [
            (true, Method::GET, any),
            (false, Method::POST, any),
            (false, Method::GET, pinned),
            (false, Method::POST, begin),
        ] {
            assert_eq!(time(most, last, &method, &purpose), most);
        }
    }
}
