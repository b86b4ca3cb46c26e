//! Pure: a request's target (RFC 9112, section 3.2).

use super::{Reason, authority, octet};

/// The form of a target that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// A path, maybe with a query.
    Origin,
    /// With a scheme; the authority's place in the target.
    Absolute(std::ops::Range<usize>),
    /// `*`, of OPTIONS alone.
    Asterisk,
}

/// Tells a target's form.
///
/// # Errors
/// [`Reason::Target`] when it has none, or a byte that does not belong there: a fragment's `#`, a
/// backslash in the path, which some read as a slash, or anything outside of ASCII.
pub(super) fn form(method: &[u8], target: &[u8]) -> Result<Form, Reason> {
    let reason = || octet::fault(target, Reason::Target);
    if target.first() == Some(&b'/') {
        return is_origin(target).then_some(Form::Origin).ok_or_else(reason);
    }
    if target == b"*" && method == b"OPTIONS" {
        return Ok(Form::Asterisk);
    }
    absolute(target).map(Form::Absolute).ok_or_else(reason)
}

/// Whether `bytes` are a path, maybe with a query.
pub(super) fn is_origin(bytes: &[u8]) -> bool {
    let (path, query) = match memchr::memchr(b'?', bytes) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &bytes[..0]),
    };
    path.first() == Some(&b'/') && octet::is_path(path) && octet::is_query(query)
}

fn absolute(target: &[u8]) -> Option<std::ops::Range<usize>> {
    let scheme = memchr::memmem::find(target, b"://")?;
    if !(target[..scheme].eq_ignore_ascii_case(b"https")
        || target[..scheme].eq_ignore_ascii_case(b"http"))
    {
        return None;
    }
    let from = scheme + 3;
    let to = from + memchr::memchr(b'/', &target[from..])?;
    (authority::is_valid(&target[from..to]) && is_origin(&target[to..])).then_some(from..to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_apart() {
        for target in ["/", "/a?b=c/d?e", "//a", "/?a=\\{}`", "/%2e", "/a[]|^"] {
            assert_eq!(
                form(b"GET", target.as_bytes()),
                Ok(Form::Origin),
                "{target}"
            );
        }
        assert_eq!(form(b"OPTIONS", b"*"), Ok(Form::Asterisk));
        let absolute = form(b"GET", b"HTTPS://a.example:1/x?y");
        assert_eq!(absolute, Ok(Form::Absolute(8..19)));
    }

    #[test]
    fn other_targets_are_refused() {
        for target in [
            "",
            "*",
            "a",
            "a.example:443",
            "/a#b",
            "/a b",
            "/a\\b",
            "/\u{fc}",
            "/\"",
            "/<",
            "https://a.example",
            "https:///x",
            "https://user@a.example/x",
            "https://a.example?x",
            "ftp://a.example/",
            "file:///etc/passwd",
        ] {
            assert_eq!(
                form(b"GET", target.as_bytes()),
                Err(Reason::Target),
                "{target}"
            );
        }
        assert_eq!(form(b"GET", b"/\0"), Err(Reason::ControlByte));
        assert_eq!(form(b"GET", b"/\r/"), Err(Reason::BareCr));
    }
}
