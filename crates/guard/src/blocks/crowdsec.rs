//! Pure: what CrowdSec's `cscli decisions list` prints, as CSV (`-o raw`) and JSON (`-o json`).

use std::fmt;
use std::io::{self, BufReader, Read};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Longest text or number of a JSON list in bytes; CrowdSec quotes lines of logs.
const TOKEN_BYTES: usize = 64 * 1024;

/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// Where the columns are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    value: usize,
    action: Option<usize>,
}

impl Columns {
    /// Reads the first line. The value's column is `value`, `ip` or `range`.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let names: Vec<_> = cells(line).map(|cell| cell.to_ascii_lowercase()).collect();
        let at = |wanted: &[&str]| {
            names
                .iter()
                .position(|name| wanted.contains(&name.as_str()))
        };
        Some(Self {
            value: at(&["value", "ip", "range"])?,
            action: at(&["action", "type"]),
        })
    }

    /// The entry of a line; none where it is no ban.
    #[must_use]
    pub fn entry<'a>(&self, line: &'a str) -> Option<&'a str> {
        if line.trim().is_empty() {
            return None;
        }
        let cells: Vec<_> = cells(line).collect();
        let action = self.action.and_then(|at| cells.get(at));
        if action.is_some_and(|action| !action.is_empty() && *action != "ban") {
            return None;
        }
        let value = cells.get(self.value).copied().unwrap_or_default();
        // "Ip:203.0.113.7" and "Range:203.0.113.0/24"
        let value = value
            .strip_prefix("Ip:")
            .or_else(|| value.strip_prefix("Range:"))
            .unwrap_or(value);
        Some(value)
    }
}

/// Cells of a line (RFC 4180), without what is between quotes but for the quotes themselves: no cell that counts has a
/// comma.
fn cells(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line.trim_end_matches(['\r', '\n']));
    std::iter::from_fn(move || {
        let text = rest?;
        let mut quoted = false;
        let end = text.find(|char| {
            quoted ^= char == '"';
            char == ',' && !quoted
        });
        let cell = end.map_or(text, |end| text.get(..end).unwrap_or_default());
        rest = end.and_then(|end| text.get(end + 1..));
        Some(cell.trim().trim_matches('"'))
    })
}

#[derive(Debug, Deserialize)]
struct Decision {
    value: String,
    #[serde(rename = "type")]
    action: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Value,
    Type,
    Decisions,
    #[serde(other)]
    Other,
}

/// Where entries go, until it wants no more.
struct Sink<F> {
    each: F,
    wanted: bool,
}

impl<F: FnMut(&str) -> bool> Sink<F> {
    fn one(&mut self, value: &str, action: Option<&str>) {
        if action.is_none_or(|action| action == "ban") {
            self.wanted = self.wanted && (self.each)(value);
        }
    }
}

/// The whole list.
struct Entries<'a, F>(&'a mut Sink<F>);

impl<'de, F: FnMut(&str) -> bool> Visitor<'de> for Entries<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of CrowdSec's decisions")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Entry(self.0))?.is_some() {}
        Ok(())
    }
}

/// A decision, or an alert that has some.
struct Entry<'a, F>(&'a mut Sink<F>);

impl<'de, F: FnMut(&str) -> bool> DeserializeSeed<'de> for Entry<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&str) -> bool> Visitor<'de> for Entry<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decision or an alert of CrowdSec")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut value, mut action) = (None::<String>, None::<String>);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Value => value = map.next_value()?,
                Field::Type => action = map.next_value()?,
                Field::Decisions => map.next_value_seed(Decisions(self.0))?,
                Field::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if let Some(value) = value {
            self.0.one(&value, action.as_deref());
        }
        Ok(())
    }
}

/// An alert's decisions, of which there may be any number.
struct Decisions<'a, F>(&'a mut Sink<F>);

impl<'de, F: FnMut(&str) -> bool> DeserializeSeed<'de> for Decisions<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str) -> bool> Visitor<'de> for Decisions<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of decisions")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(decision) = list.next_element::<Decision>()? {
            self.0.one(&decision.value, decision.action.as_deref());
        }
        Ok(())
    }
}

/// Fails where a text or number is longer than [`TOKEN_BYTES`], which the parser would hold in memory.
struct Bounded<R> {
    from: R,
    in_text: bool,
    escaped: bool,
    length: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(to)?;
        for byte in to.iter().take(count) {
            let ends = match byte {
                _ if self.escaped => false,
                b'"' => true,
                b',' | b':' | b'[' | b']' | b'{' | b'}' => !self.in_text,
                _ => !self.in_text && byte.is_ascii_whitespace(),
            };
            self.escaped = self.in_text && *byte == b'\\' && !self.escaped;
            self.in_text ^= ends && *byte == b'"';
            self.length = if ends { 0 } else { self.length + 1 };
            if self.length > TOKEN_BYTES {
                let told = format!("it has a text of more than {TOKEN_BYTES} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, told));
            }
        }
        Ok(count)
    }
}

/// Reads a list of decisions, or of alerts with decisions, and hands over each entry until `each` wants no more, without
/// keeping the whole.
///
/// # Errors
/// Where it is no such list.
pub fn json(from: impl Read, each: impl FnMut(&str) -> bool) -> Result<(), serde_json::Error> {
    let bounded = Bounded {
        from,
        in_text: false,
        escaped: false,
        length: 0,
    };
    let from = BufReader::with_capacity(READ_BYTES, bounded);
    let mut document = serde_json::Deserializer::from_reader(from);
    let mut sink = Sink { each, wanted: true };
    document.deserialize_any(Entries(&mut sink))?;
    document.end()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::blocks::prefix;

    #[test]
    fn what_cscli_prints_is_read() {
        let head =
            "id,source,ip,reason,action,country,as,events_count,expiration,simulated,alert_id";
        let columns = Columns::read(head).unwrap();
        let read = |line| {
            let found = columns.entry(line);
            found.map(|entry| prefix(entry).map(|prefix| prefix.to_string()).ok_or(()))
        };
        let line = "1,crowdsec,Ip:203.0.113.7,\"ssh, slow\",ban,FR,\"1 A, B\",6,3h59m,false,1";
        assert_eq!(read(line), Some(Ok("203.0.113.7/32".to_owned())));
        let line = "1,cscli,Range:203.0.113.0/24,x,ban,,,1,3h,false,2\r";
        assert_eq!(read(line), Some(Ok("203.0.113.0/24".to_owned())));
        assert_eq!(
            read("1,cscli,Ip:203.0.113.7,x,captcha,,,1,3h,false,2"),
            None
        );
        assert_eq!(
            read("1,cscli,Country:FR,x,ban,,,1,3h,false,2"),
            Some(Err(()))
        );
        assert_eq!(Columns::read("a,b"), None);
        let simple = Columns::read("duration,scope,value").unwrap();
        assert_eq!(simple.entry("4h,ip,2001:db8::7"), Some("2001:db8::7"));
    }

    fn all(text: &str) -> Result<Vec<String>, serde_json::Error> {
        let mut found = Vec::new();
        json(text.as_bytes(), |one| {
            found.push(one.to_owned());
            true
        })?;
        Ok(found)
    }

    #[test]
    fn decisions_and_alerts_are_read() {
        let alerts = r#"[{"id":1,"decisions":[{"value":"203.0.113.7","type":"ban","scope":"Ip"},
            {"value":"203.0.113.8","type":"captcha"}]},{"decisions":[{"value":"FR","type":"ban"}]}]"#;
        assert_eq!(all(alerts).unwrap(), ["203.0.113.7", "FR"]);
        let decisions = r#"[{"value":"2001:db8::/32","duration":"4h"}]"#;
        assert_eq!(all(decisions).unwrap(), ["2001:db8::/32"]);
        assert!(all("null").unwrap().is_empty());
        let order = r#"[{"type":"captcha","value":"203.0.113.9","decisions":null}]"#;
        assert!(all(order).unwrap().is_empty());
        for wrong in ["{}", "[1]", "[", "[] x", r#"[{"decisions":[1]}]"#] {
            assert!(all(wrong).is_err(), "{wrong}");
        }
    }

    /// `count` times `piece`, without having them.
    struct Many(&'static [u8], usize, usize);

    impl Read for Many {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let mut wrote = 0;
            while wrote < to.len() && self.1 > 0 {
                to[wrote] = self.0[self.2];
                wrote += 1;
                self.2 = (self.2 + 1) % self.0.len();
                self.1 -= usize::from(self.2 == 0);
            }
            Ok(wrote)
        }
    }

    #[test]
    fn one_alert_may_have_any_number_of_decisions() {
        const COUNT: usize = 300_000;
        let first: &[u8] = br#"[{"decisions":[{"value":"::1"}"#;
        let piece = br#",{"value":"203.0.113.7","type":"ban"}"#;
        let (mut count, mut whole) = (0, 0);
        let list = |each: &mut dyn FnMut(&str) -> bool| {
            let last: &[u8] = b"]}]";
            json(first.chain(Many(piece, COUNT, 0)).chain(last), each)
        };
        list(&mut |_| {
            count += 1;
            true
        })
        .unwrap();
        list(&mut |_| {
            whole += 1;
            whole < 7
        })
        .unwrap();
        assert_eq!((count, whole), (COUNT + 1, 7));
    }

    #[test]
    fn a_text_without_an_end_is_no_list() {
        for (begin, piece) in [
            (r#"[{"value":""#, &b" a,"[..]),
            (r#"[{"reason":"\\\"","#, b" "),
            ("[", b"1"),
        ] {
            let mut read = 0;
            let endless = Many(piece, usize::MAX, 0);
            let counted = CountingRead(endless, &mut read);
            let outcome = json(begin.as_bytes().chain(counted.take(1 << 24)), |_| true);
            assert!(outcome.is_err());
            assert!(read <= 4 * TOKEN_BYTES || piece == b" ", "{read}");
        }
        // What is quoted within a text does not end it.
        let quoted = format!(
            r#"[{{"value":"{}"}}]"#,
            r#"\",\\ "#.repeat(TOKEN_BYTES / 8 - 8)
        );
        assert_eq!(all(&quoted).unwrap().len(), 1);
        let quoted = format!(r#"[{{"value":"{}"}}]"#, r#"\",\\ "#.repeat(TOKEN_BYTES / 4));
        assert!(all(&quoted).is_err());
    }

    struct CountingRead<'a, R>(R, &'a mut usize);

    impl<R: Read> Read for CountingRead<'_, R> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let count = self.0.read(to)?;
            *self.1 += count;
            Ok(count)
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(line in any::<String>(), head in "[a-z\",]{0,30}") {
            let _ = all(&line);
            let _ = crate::blocks::plain::entry(&line);
            if let Some(columns) = Columns::read(&head) {
                let _ = columns.entry(&line);
            }
        }
    }
}
