//! Pure: one address or prefix a line. What follows `#` or `;`, or a space, is a remark.

/// The entry of a line; none where it says nothing.
#[must_use]
pub fn entry(line: &str) -> Option<&str> {
    let end = line.find(['#', ';']).unwrap_or(line.len());
    let text = line.get(..end).unwrap_or_default();
    text.split_ascii_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::prefix;

    #[test]
    fn lines_are_read() {
        let read = |line| {
            let found = entry(line).map(|entry| prefix(entry).ok_or(()));
            found.map(|read| read.map(|prefix| prefix.to_string()))
        };
        assert_eq!(read("203.0.113.7"), Some(Ok("203.0.113.7/32".to_owned())));
        assert_eq!(
            read("203.0.113.0/24 ; SBL1"),
            Some(Ok("203.0.113.0/24".to_owned()))
        );
        assert_eq!(
            read("2001:db8::/32\t# x\r"),
            Some(Ok("2001:db8::/32".to_owned()))
        );
        for nothing in ["", "  ", "# a", ";b", "\r"] {
            assert_eq!(read(nothing), None, "{nothing:?}");
        }
        for wrong in ["x", "203.0.113.7/33", "203.0.113", "-"] {
            assert_eq!(read(wrong), Some(Err(())), "{wrong:?}");
        }
    }
}
