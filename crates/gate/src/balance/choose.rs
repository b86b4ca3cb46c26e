//! Pure: which members a request is offered to, and in which order.

use chat_api::ConversationId;
use chat_api::visitor::CONVERSATIONS_PATH;
use http::Method;

use super::health::Standing;
use super::rendezvous::{self, Place};

/// What a request is about, as far as it matters who answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A conversation begins, with this id.
    Begin(ConversationId),
    /// It is about this conversation.
    Conversation(ConversationId),
    /// Anybody can answer it.
    Any,
}

impl Purpose {
    /// Of a request for `path` below a bot. `id` gives the id of a conversation that begins.
    pub(crate) fn of(method: &Method, path: &str, id: impl FnOnce() -> ConversationId) -> Self {
        let Some(below) = path.strip_prefix(CONVERSATIONS_PATH) else {
            return Self::Any;
        };
        if below.is_empty() && *method == Method::POST {
            return Self::Begin(id());
        }
        let named = below
            .strip_prefix('/')
            .and_then(|rest| rest.split('/').next());
        // What cannot be an id is unknown to everybody.
        named
            .and_then(ConversationId::parse)
            .map_or(Self::Any, Self::Conversation)
    }

    /// The conversation, if it is about one.
    pub(crate) const fn id(&self) -> Option<&ConversationId> {
        match self {
            Self::Begin(id) | Self::Conversation(id) => Some(id),
            Self::Any => None,
        }
    }
}

/// A member as it stands now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) place: Place<'a>,
    /// Whether it is on this appliance.
    pub(crate) near: bool,
    pub(crate) standing: Standing,
    /// Whether it says that it takes no new conversations.
    pub(crate) drains: bool,
    /// Whether its socket has gone away a moment ago.
    pub(crate) gone: bool,
}

/// Whom to ask, in this order, until one has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) tries: Vec<usize>,
    /// Whether somebody is not asked who may have the conversation: that nobody else has it does not mean then
    /// that it does not exist.
    pub(crate) incomplete: bool,
}

/// Chooses among `candidates`. `turn` is another number with each request, so that they take turns with what anybody can
/// answer. Whoever is out is asked where nobody else is left: the last one is never given up.
pub(crate) fn choose(purpose: &Purpose, candidates: &[Candidate<'_>], turn: usize) -> Choice {
    let mut ordered = match purpose.id() {
        Some(id) => {
            let places: Vec<_> = candidates.iter().map(|member| member.place).collect();
            rendezvous::order(&places, id)
        }
        None => in_turn(candidates, turn),
    };
    ordered.retain(|&index| !candidates[index].gone);
    let present = ordered.len();
    let is_out = |index: &usize| candidates[*index].standing == Standing::Out;
    if !ordered.iter().all(is_out) {
        ordered.retain(|index| !is_out(index));
    }
    if !matches!(purpose, Purpose::Conversation(_)) {
        // Who is about to go is asked after the others. (The sort is stable.)
        ordered.sort_by_key(|&index| candidates[index].drains);
    }
    Choice {
        incomplete: ordered.len() < present || candidates.iter().any(|member| member.gone),
        tries: ordered,
    }
}

/// Those of this appliance first, for the way to them is shorter.
fn in_turn(candidates: &[Candidate<'_>], turn: usize) -> Vec<usize> {
    let (mut near, mut far): (Vec<_>, Vec<_>) =
        (0..candidates.len()).partition(|&index| candidates[index].near);
    for members in [&mut near, &mut far] {
        if !members.is_empty() {
            let first = turn % members.len();
            members.rotate_left(first);
        }
    }
    near.append(&mut far);
    near
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn id(text: &str) -> ConversationId {
        ConversationId::parse(text).unwrap()
    }

    fn local(instance: u8, standing: Standing) -> Candidate<'static> {
        Candidate {
            place: Place {
                appliance: "",
                instance,
            },
            near: true,
            standing,
            drains: false,
            gone: false,
        }
    }

    #[test]
    fn requests_are_about_the_conversation_that_their_path_names() {
        let new = id("00000000000000000000000000000001");
        let purpose = |method: Method, path: &str| Purpose::of(&method, path, || new);
        assert_eq!(
            purpose(Method::POST, "/v1/conversations"),
            Purpose::Begin(new)
        );
        for (method, path) in [
            (Method::GET, ""),
            (Method::DELETE, ""),
            (Method::POST, "/messages"),
            (Method::GET, "/socket"),
        ] {
            let path = format!("/v1/conversations/{ID}{path}");
            assert_eq!(
                purpose(method, &path),
                Purpose::Conversation(id(ID)),
                "{path}"
            );
        }
        for (method, path) in [
            (Method::GET, "/"),
            (Method::GET, "/v1/bot"),
            (Method::GET, "/v1/conversations"),
            (Method::POST, "/v1/conversations/"),
            (Method::GET, "/v1/conversations/1"),
            (
                Method::GET,
                "/v1/conversations/0123456789ABCDEF0123456789ABCDEF",
            ),
            (Method::POST, "/v1/conversations2"),
            (
                Method::GET,
                "/v1/conversationsx/0123456789abcdef0123456789abcdef",
            ),
        ] {
            assert_eq!(purpose(method, path), Purpose::Any, "{path}");
        }
    }

    #[test]
    fn members_take_turns_and_near_ones_come_first() {
        let far = |name| Candidate {
            place: Place {
                appliance: name,
                instance: 0,
            },
            near: false,
            ..local(0, Standing::In)
        };
        let members = [
            far("x"),
            local(1, Standing::In),
            local(2, Standing::In),
            far("y"),
        ];
        assert_eq!(choose(&Purpose::Any, &members, 0).tries, [1, 2, 0, 3]);
        assert_eq!(choose(&Purpose::Any, &members, 7).tries, [2, 1, 3, 0]);
    }

    #[test]
    fn a_new_conversation_goes_to_who_stays() {
        let mut members = [1, 2, 3].map(|number| local(number, Standing::In));
        let begin = Purpose::Begin(id(ID));
        let first = choose(&begin, &members, 0).tries[0];
        members[first].drains = true;
        assert_eq!(choose(&begin, &members, 0).tries[2], first);
        // One that it has goes on there.
        let pinned = Purpose::Conversation(id(ID));
        assert_eq!(choose(&pinned, &members, 0).tries[0], first);
        members[first].gone = true;
        assert_eq!(choose(&begin, &members, 0).tries.len(), 2);
        let choice = choose(&pinned, &members, 0);
        assert!(choice.incomplete && !choice.tries.contains(&first));
    }

    fn standing() -> impl Strategy<Value = Standing> {
        prop_oneof![Just(Standing::In), Just(Standing::Out)]
    }

    proptest! {
        #[test]
        fn somebody_is_asked_while_anybody_is_there_and_nobody_twice(
            members in proptest::collection::vec((standing(), any::<bool>(), any::<bool>(), any::<bool>()), 1..9),
            kind in 0..3, random: [u8; 10], turn: usize,
        ) {
            let members: Vec<_> = members.into_iter().zip(1..).map(|((standing, near, drains, gone), instance)| {
                Candidate { near, drains, gone, ..local(instance, standing) }
            }).collect();
            let id = ConversationId::begin(1, random);
            let purpose = [Purpose::Begin(id), Purpose::Conversation(id), Purpose::Any][usize::try_from(kind).unwrap()];
            let choice = choose(&purpose, &members, turn);
            let present = members.iter().filter(|member| !member.gone).count();
            prop_assert_eq!(choice.tries.is_empty(), present == 0);
            let mut once = choice.tries.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), choice.tries.len());
            prop_assert!(choice.tries.iter().all(|&index| !members[index].gone));
            let out = |index: &usize| members[*index].standing == Standing::Out;
            prop_assert!(choice.tries.iter().all(out) || !choice.tries.iter().any(out));
            prop_assert_eq!(choice.incomplete, choice.tries.len() < members.len());
            if purpose != Purpose::Conversation(id) && !choice.tries.is_empty() {
                let well = |member: &Candidate<'_>| !member.gone && !member.drains && member.standing == Standing::In;
                prop_assert!(well(&members[choice.tries[0]]) || !members.iter().any(well));
            }
        }
    }
}
