//! The words of a text, and where its letters are.

/// The words of a text: runs of letters and digits. A letter of a script that is written without spaces is a word.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    word_spans(text).map(move |(start, end)| &text[start..end])
}

fn word_spans(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = loop {
            let (len, kind) = kind_at(text, *bytes.get(at)?, at);
            match kind {
                Kind::Letter => break at,
                Kind::Alone => {
                    at += len;
                    return Some((at - len, at));
                }
                Kind::Gap => at += len,
            }
        };
        while let Some(byte) = bytes.get(at) {
            let (len, kind) = kind_at(text, *byte, at);
            if kind != Kind::Letter {
                break;
            }
            at += len;
        }
        Some((start, at))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Alone,
    Gap,
}

fn kind_at(text: &str, byte: u8, at: usize) -> (usize, Kind) {
    if byte.is_ascii() {
        return (
            1,
            if byte.is_ascii_alphanumeric() {
                Kind::Letter
            } else {
                Kind::Gap
            },
        );
    }
    let Some(letter) = text[at..].chars().next() else {
        return (1, Kind::Gap);
    };
    let kind = match letter {
        // Thai, Lao, Khmer, Myanmar; kana and Han.
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => Kind::Alone,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' => {
            Kind::Alone
        }
        letter if letter.is_alphanumeric() => Kind::Letter,
        _ => Kind::Gap,
    };
    (letter.len_utf8(), kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_every_script_are_found() {
        let found: Vec<_> = words("It's v2—naïve, 返金 สวัส!").collect();
        assert_eq!(found[..5], ["It", "s", "v2", "naïve", "返"]);
    }
}
