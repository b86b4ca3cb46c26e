//! Pure: what the instance's name asks for: `read-chat-shop`.

use std::str::FromStr;

/// Longest name of a store, in bytes: a service's stem, a hyphen, and a bot's name.
pub const STORE_NAME_BYTES: usize = 64;

/// What is done with a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is read, and made where there is none, before the store is opened.
    Read,
    /// It is moved, after the store was opened.
    Move,
    /// It is removed, with its store.
    Forget,
}

/// A step, and the store whose counter it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What is done.
    pub step: Step,
    /// The store's name: small letters, digits and hyphens, and `.2` and so on behind them for those of a service's further
    /// instances.
    pub store: String,
}

impl FromStr for Task {
    type Err = String;

    fn from_str(instance: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "--instance {instance:?} is none of read-STORE, move-STORE and forget-STORE, where \
                 STORE is up to {STORE_NAME_BYTES} small letters, digits and hyphens, and for an \
                 instance a dot and its number"
            )
        };
        let (step, store) = instance.split_once('-').ok_or_else(refused)?;
        let step = match step {
            "read" => Step::Read,
            "move" => Step::Move,
            "forget" => Step::Forget,
            _ => return Err(refused()),
        };
        let of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let (name, number) = store.split_once('.').unwrap_or((store, "2"));
        let is_name = !name.is_empty() && name.bytes().all(of_name);
        let is_number = matches!(number.as_bytes(), [b'2'..=b'9']);
        if !is_name || !is_number || store.len() > STORE_NAME_BYTES {
            return Err(refused());
        }
        Ok(Self {
            step,
            store: store.to_owned(),
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_instance_is_a_step_and_a_store() {
        let task: Task = "move-chat-my-shop".parse().unwrap();
        assert_eq!(
            (task.step, task.store.as_str()),
            (Step::Move, "chat-my-shop")
        );
        let task: Task = "read-chat-shop.2".parse().unwrap();
        assert_eq!(task.store, "chat-shop.2");
        for other in [
            "",
            "read",
            "read-",
            "chat-shop",
            "read-../x",
            "read-Chat",
            "read-a b",
            "read-a/b",
            "read-.2",
            "read-chat-shop.",
            "read-chat-shop.1",
            "read-chat-shop.22",
            "read-chat-shop.2.3",
            "read-chat-shop.wear",
        ] {
            let refused = other.parse::<Task>().unwrap_err();
            assert!(refused.contains("move-STORE"), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn a_store_is_a_plain_file_name(instance in "(read-|move-|forget-)?\\PC{0,70}") {
            if let Ok(task) = instance.parse::<Task>() {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
                prop_assert!(task.store.chars().all(plain) && !task.store.starts_with('.') && !task.store.ends_with(".wear"));
            }
        }
    }
}
