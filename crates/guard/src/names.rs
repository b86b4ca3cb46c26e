//! Pure: texts by number, so that what refers to them is small and is copied without an allocation.

use std::sync::Arc;

/// Different texts that can have a number at once. Units and kinds of events are few; units of sessions come and go.
pub const NAMES_MAX: usize = 256;

/// How many texts go without a number after none could be freed, before that is tried again: it looks at all that
/// refer to them.
const PATIENCE: u32 = 1024;

/// What stands for a text that got no number.
const UNNAMED: &str = "?";

/// The number of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Name(u8, bool);

impl Name {
    /// Of no text.
    pub const NONE: Self = Self(0, false);
}

/// Texts by number.
#[derive(Debug, Default)]
pub struct Names {
    texts: Vec<Option<Arc<str>>>,
    /// The one that was asked for last: mostly it is the next too.
    latest: usize,
    patience: u32,
}

impl Names {
    /// The number of a text. Where there is no more room, the numbers that `used` does not name are free again.
    pub fn number(&mut self, text: &str, used: impl FnOnce(&mut dyn FnMut(Name))) -> Name {
        let is = |known: &Option<Arc<str>>| known.as_deref() == Some(text);
        if self.texts.get(self.latest).is_some_and(is) {
            return name(self.latest);
        }
        let at = self.texts.iter().position(is);
        let Some(at) = at.or_else(|| self.put(text, used)) else {
            return Name::default();
        };
        self.latest = at;
        name(at)
    }

    fn put(&mut self, text: &str, used: impl FnOnce(&mut dyn FnMut(Name))) -> Option<usize> {
        if let Some(at) = self.texts.iter().position(Option::is_none) {
            self.texts[at] = Some(text.into());
            return Some(at);
        }
        if self.texts.len() < NAMES_MAX {
            self.texts.push(Some(text.into()));
            return Some(self.texts.len() - 1);
        }
        if self.patience > 0 {
            self.patience -= 1;
            return None;
        }
        let mut in_use = [false; NAMES_MAX];
        used(&mut |Name(at, named)| in_use[usize::from(at)] |= named);
        let texts = self.texts.iter_mut().zip(in_use);
        for (unused, _) in texts.filter(|(_, used)| !used) {
            *unused = None;
        }
        let free = self.texts.iter().position(Option::is_none);
        match free {
            Some(at) => self.texts[at] = Some(text.into()),
            None => self.patience = PATIENCE,
        }
        free
    }

    /// The text.
    #[must_use]
    pub fn text(&self, Name(at, named): Name) -> &str {
        let text = self.texts.get(usize::from(at)).and_then(Option::as_deref);
        text.filter(|_| named).unwrap_or(UNNAMED)
    }
}

fn name(at: usize) -> Name {
    u8::try_from(at).map_or(Name::default(), |at| Name(at, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_when_nothing_refers_to_them() {
        let mut names = Names::default();
        let kept = names.number("ssh.service", |_| {});
        assert_eq!(names.number("ssh.service", |_| {}), kept);
        for number in 0..10_000 {
            let unit = format!("session-{number}.scope");
            let one = names.number(&unit, |used| used(kept));
            assert_eq!((names.text(one), names.text(kept)), (&*unit, "ssh.service"));
        }
        assert!(names.texts.len() <= NAMES_MAX);
    }

    #[test]
    fn one_too_many_is_nameless_and_the_others_stay() {
        let mut names = Names::default();
        let all: Vec<_> = (0..NAMES_MAX)
            .map(|number| names.number(&number.to_string(), |_| {}))
            .collect();
        let mut looked = 0;
        for number in 1000..1100 {
            let one = names.number(&number.to_string(), |used| {
                looked += 1;
                all.iter().for_each(|name| used(*name));
            });
            assert_eq!(names.text(one), UNNAMED);
        }
        assert_eq!((looked, names.text(all[7])), (1, "7"));
    }
}
