//! A bot's file.

use serde::{Deserialize, Serialize};

use crate::limits::{
    CACHE_MIB, CACHE_MIB_MAX, GREETING_BYTES, INSTANCES_MAX, INSTRUCTIONS_BYTES, ORIGINS,
    PROVIDER_BYTES, SUGGESTION_BYTES, SUGGESTIONS, TITLE_BYTES,
};
use crate::{Language, Origin};

/// The provider of a bot whose file names none. It answers by quoting the documents, without network.
pub const DEFAULT_PROVIDER: &str = "built-in";

/// A bot, as its TOML file declares it. The file's name is the bot's ([`BotName`](crate::BotName)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BotFile {
    /// The name that visitors see.
    pub title: String,
    /// What the assistant says before the first question. Empty shows none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub greeting: String,
    /// Questions that a visitor can ask with one click.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<String>,
    /// The language of visitors and documents.
    #[serde(default)]
    pub language: Language,
    /// The sites that may embed the widget, beside the appliance's own pages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
    /// The provider that answers, by its name in `llm.toml`.
    #[serde(default = "default_provider")]
    pub provider: String,
    /// What the provider is told beyond the standing instructions. The built-in answerer takes none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instructions: String,
    /// Whether `/b/BOT/` shows a sample page with the widget.
    #[serde(default)]
    pub preview: bool,
    /// MiB that the bot keeps of its store in memory: more where many long conversations are read again.
    #[serde(default = "cache_mib")]
    pub cache_mib: u32,
    /// Processes that serve the bot, each with a store of its own: 1 to 8. More than one helps where a single store
    /// cannot write as fast as visitors ask. Conversations of those that a lower number leaves out stay on disk, and
    /// cannot be reached until it is raised again.
    #[serde(default = "instances")]
    pub instances: u8,
}

/// What a bot's file says of its instances, whatever else it says.
#[derive(Deserialize)]
struct Sized {
    #[serde(default = "instances")]
    instances: u8,
}

const fn instances() -> u8 {
    1
}

const fn cache_mib() -> u32 {
    CACHE_MIB
}

fn default_provider() -> String {
    DEFAULT_PROVIDER.to_owned()
}

/// Why a bot's file was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BotFileError {
    /// It is not TOML, or a key is unknown, missing or of the wrong type.
    #[error("{0}")]
    Malformed(String),
    /// A value cannot be served.
    #[error("{0}")]
    Refused(String),
}

impl BotFile {
    /// A bot of this title with defaults for all else.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            greeting: String::new(),
            suggestions: Vec::new(),
            language: Language::default(),
            origins: Vec::new(),
            provider: default_provider(),
            instructions: String::new(),
            preview: false,
            cache_mib: CACHE_MIB,
            instances: instances(),
        }
    }

    /// Reads and checks a bot's file.
    ///
    /// # Errors
    /// With the place in the file, and the nearest valid key where one is unknown.
    pub fn parse(text: &str) -> Result<Self, BotFileError> {
        let bot: Self = daemon::parse(text).map_err(BotFileError::Malformed)?;
        bot.check().map_err(BotFileError::Refused)?;
        Ok(bot)
    }

    /// Reads the number of instances alone, so that a fault elsewhere in the file stops none of them.
    ///
    /// # Errors
    /// As [`Self::parse`], for what concerns the number.
    pub fn parse_instances(text: &str) -> Result<u8, BotFileError> {
        let Sized { instances } = daemon::parse(text).map_err(BotFileError::Malformed)?;
        in_bounds(instances).map_err(BotFileError::Refused)?;
        Ok(instances)
    }

    /// The file that [`Self::parse`] reads back.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // Strings, lists of strings, a boolean and numbers always serialise.
        toml::to_string(self).unwrap_or_default()
    }

    /// Holds the values to their bounds.
    ///
    /// # Errors
    /// A sentence that names the key and what is wrong with its value.
    pub fn check(&self) -> Result<(), String> {
        shown("title", &self.title, TITLE_BYTES)?;
        if self.title.trim().is_empty() {
            return Err("title is empty: visitors see it above the conversation".to_owned());
        }
        shown("greeting", &self.greeting, GREETING_BYTES)?;
        few("suggestions", self.suggestions.len(), SUGGESTIONS)?;
        for suggestion in &self.suggestions {
            shown("a suggestion", suggestion, SUGGESTION_BYTES)?;
            if suggestion.trim().is_empty() {
                return Err(
                    "a suggestion is empty: it is a question that a visitor can click on"
                        .to_owned(),
                );
            }
        }
        few("origins", self.origins.len(), ORIGINS)?;
        shown("provider", &self.provider, PROVIDER_BYTES)?;
        if self.provider.trim().is_empty() {
            return Err(format!(
                "provider is empty: leave it out for {DEFAULT_PROVIDER:?}, or name one of llm.toml"
            ));
        }
        if !(1..=CACHE_MIB_MAX).contains(&self.cache_mib) {
            return Err(format!(
                "cache_mib is {}; it must be 1 to {CACHE_MIB_MAX}",
                self.cache_mib
            ));
        }
        in_bounds(self.instances)?;
        within("instructions", &self.instructions, INSTRUCTIONS_BYTES)
    }
}

fn in_bounds(instances: u8) -> Result<(), String> {
    if (1..=INSTANCES_MAX).contains(&instances) {
        Ok(())
    } else {
        Err(format!(
            "instances is {instances}; it must be 1 to {INSTANCES_MAX}"
        ))
    }
}

fn within(key: &str, text: &str, limit: usize) -> Result<(), String> {
    if text.len() > limit {
        return Err(format!(
            "{key} has {} bytes, the most is {limit}",
            text.len()
        ));
    }
    Ok(())
}

/// Text that visitors or operators see: bounded, without control characters but line breaks.
fn shown(key: &str, text: &str, limit: usize) -> Result<(), String> {
    within(key, text, limit)?;
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(format!(
            "{key} has a control character, which cannot be shown"
        ));
    }
    Ok(())
}

fn few(key: &str, count: usize, limit: usize) -> Result<(), String> {
    if count > limit {
        return Err(format!("{key} has {count} entries, the most is {limit}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        BotFile::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_title_is_enough() {
        assert_eq!(BotFile::parse("title = 'Shop'"), Ok(BotFile::new("Shop")));
    }

    #[test]
    fn every_key_is_read_and_written_back() {
        let text = "title = 'Shop'\ngreeting = 'Hello!'\nsuggestions = ['When?', 'How?']\nlanguage = 'de'\n\
                    origins = ['https://Shop.example/']\nprovider = 'openai'\ninstructions = 'Be brief.'\npreview = true\ncache_mib = 16\ninstances = 3\n";
        let bot = BotFile::parse(text).unwrap();
        assert_eq!(bot.language, Language::German);
        assert_eq!(bot.origins[0].as_str(), "https://shop.example");
        assert!(bot.preview);
        assert_eq!((bot.cache_mib, bot.instances), (16, 3));
        assert_eq!(BotFile::parse(&bot.to_toml()), Ok(bot));
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_valid_one() {
        let said = refused("title = 'Shop'\ngreting = 'Hello'");
        assert!(
            said.contains("`greting`") && said.contains("did you mean `greeting`?"),
            "{said}"
        );
        assert!(said.contains("line 2"), "{said}");
    }

    #[test]
    fn bad_values_are_named() {
        assert!(refused("greeting = 'x'").contains("title"));
        assert!(refused("title = ''").starts_with("title is empty"));
        assert!(refused("title = \"a\\tb\"").contains("control character"));
        assert!(refused(&format!("title = '{}'", "x".repeat(121))).contains("the most is 120"));
        assert!(refused("title = 'x'\nlanguage = 'xx'").contains("\"xx\" is not a language"));
        assert!(refused("title = 'x'\norigins = ['http://shop.example']").contains("not https"));
        assert!(refused("title = 'x'\nsuggestions = ['']").contains("a suggestion is empty"));
        assert!(refused("title = 'x'\nprovider = ''").contains("provider is empty"));
        assert!(refused("title = 'x'\ncache_mib = 0").contains("cache_mib is 0"));
        assert!(refused("title = 'x'\ncache_mib = 65").contains("1 to 64"));
        assert!(refused("title = 'x'\ninstances = 0").contains("instances is 0"));
        assert!(refused("title = 'x'\ninstances = 9").contains("1 to 8"));
        assert!(refused("title = 3").contains("string"));
        let origins: Vec<String> = (0..33).map(|n| format!("'https://{n}.example'")).collect();
        assert!(
            refused(&format!("title = 'x'\norigins = [{}]", origins.join(",")))
                .contains("33 entries")
        );
    }

    #[test]
    fn instances_are_read_whatever_else_is_wrong() {
        assert_eq!(
            BotFile::parse_instances("tilte = 'x'\ninstances = 3"),
            Ok(3)
        );
        assert_eq!(BotFile::parse_instances("title = 'x'"), Ok(1));
        for text in [
            "instances = 0",
            "instances = 9",
            "instances = -1",
            "instances = 'x'",
            "instances = ",
        ] {
            assert!(BotFile::parse_instances(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_what_is_read_is_written_back(text in "(title = '.{0,9}'\n)?.{0,60}") {
            if let Ok(bot) = BotFile::parse(&text) {
                prop_assert_eq!(BotFile::parse_instances(&text), Ok(bot.instances));
                prop_assert_eq!(BotFile::parse(&bot.to_toml()), Ok(bot));
            }
        }
    }
}
