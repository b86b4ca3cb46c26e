//! How the stand-in behaves.

use std::str::FromStr;

/// How the stand-in answers. A request chooses by its model's name; a name that is no mode is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Streams a sentence, all at once.
    Answers,
    /// Streams the sentence word by word, with a pause before each.
    Slow,
    /// Takes the request and says nothing.
    Hangs,
    /// Breaks off in the middle of the sentence.
    Dies,
    /// Answers 200 with lines that are no events.
    Lies,
    /// Answers 200 with a page for people.
    Page,
    /// Sends one event that has no end.
    Floods,
    /// Reports an error in the middle of the stream, as some providers do.
    Fails,
    /// Answers 401.
    Refuses,
    /// Answers 429.
    Busy,
    /// Answers 500.
    Broken,
    /// Answers with a redirect to another host.
    Redirects,
}

impl Mode {
    /// Every mode by its name.
    pub const ALL: [(&str, Self); 12] = [
        ("answers", Self::Answers),
        ("slow", Self::Slow),
        ("hangs", Self::Hangs),
        ("dies", Self::Dies),
        ("lies", Self::Lies),
        ("page", Self::Page),
        ("floods", Self::Floods),
        ("fails", Self::Fails),
        ("refuses", Self::Refuses),
        ("busy", Self::Busy),
        ("broken", Self::Broken),
        ("redirects", Self::Redirects),
    ];

    /// The mode that a request's body asks for. The body is searched and not parsed: this is the peer in benchmarks.
    #[must_use]
    pub fn of_request(body: &[u8]) -> Self {
        const KEY: &[u8] = b"\"model\":\"";
        let start = body
            .windows(KEY.len())
            .position(|window| window == KEY)
            .map(|at| at + KEY.len());
        let name = start
            .map(|start| &body[start..])
            .and_then(|rest| rest.split(|byte| *byte == b'"').next());
        name.and_then(|name| std::str::from_utf8(name).ok()?.parse().ok())
            .unwrap_or(Self::Answers)
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, mode)| mode).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            format!("there is no mode {name:?}; the modes are {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_name_is_the_mode() {
        assert_eq!(
            Mode::of_request(br#"{"model":"hangs","stream":true}"#),
            Mode::Hangs
        );
        assert_eq!(
            Mode::of_request(br#"{"messages":[],"model":"bench"}"#),
            Mode::Answers
        );
        assert_eq!(Mode::of_request(b""), Mode::Answers);
    }

    #[test]
    fn a_wrong_name_is_told_the_right_ones() {
        assert!(
            "hang"
                .parse::<Mode>()
                .is_err_and(|why| why.contains("hangs"))
        );
    }
}
