//! Pure: whether a browser was led to a path by somebody else's page.

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Uri};

/// Where the page that asks stands (W3C, Fetch Metadata Request Headers, section 2.3). Pages can't write it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a page of another host may have led a browser to a request, by an image or a link: then it tells nothing of
/// whoever looks at that page.
pub(crate) fn is_linked(request: &Parts) -> bool {
    let by_site = request.headers.get_all(SEC_FETCH_SITE).iter();
    let mut by_site = by_site.map(HeaderValue::as_bytes);
    if by_site.any(|site| matches!(site, b"cross-site" | b"same-site")) {
        return true;
    }
    let own = request.uri.host().map(str::to_owned).or_else(|| {
        let host = request.headers.get(header::HOST)?.as_bytes();
        Some(http::uri::Authority::try_from(host).ok()?.host().to_owned())
    });
    let is_other = |page: &HeaderValue| {
        // An origin that is not told, such as a sandboxed frame's, is another (RFC 6454, section 7.3).
        if page.as_bytes() == b"null" {
            return true;
        }
        let page = Uri::try_from(page.as_bytes()).ok();
        let page = page.filter(|page| page.scheme().is_some());
        let host = page.as_ref().and_then(Uri::host);
        host.is_some_and(|host| {
            !own.as_ref()
                .is_some_and(|own| own.eq_ignore_ascii_case(host))
        })
    };
    let pages = [header::ORIGIN, header::REFERER];
    let mut pages = pages.iter().flat_map(|name| request.headers.get_all(name));
    pages.any(is_other)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn parts(uri: &str, headers: &[(&str, &[u8])]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value).unwrap());
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_what_another_page_leads_to_is_linked() {
        for (name, value, linked) in [
            ("sec-fetch-site", "cross-site", true),
            ("sec-fetch-site", "same-site", true),
            ("sec-fetch-site", "same-origin", false),
            ("sec-fetch-site", "none", false),
            ("origin", "https://evil.example", true),
            ("origin", "https://shop.example", false),
            ("origin", "https://Shop.Example:8443", false),
            ("origin", "null", true),
            ("referer", "https://evil.example/?shop.example", true),
            ("referer", "https://shop.example.evil.example/", true),
            ("referer", "https://shop.example@evil.example/", true),
            ("referer", "http://shop.example/b/shop/", false),
            ("referer", "nonsense", false),
            ("referer", "", false),
            ("accept", "cross-site", false),
        ] {
            for request in [
                parts("https://shop.example/.env", &[(name, value.as_bytes())]),
                parts(
                    "/.env",
                    &[("host", b"shop.example:443"), (name, value.as_bytes())],
                ),
            ] {
                assert_eq!(is_linked(&request), linked, "{name}: {value}");
            }
        }
        assert!(!is_linked(&parts("/.env", &[("host", b"shop.example")])));
        // One is enough.
        let twice: &[(&str, &[u8])] = &[
            ("sec-fetch-site", b"none"),
            ("sec-fetch-site", b"cross-site"),
        ];
        assert!(is_linked(&parts("/.env", twice)));
    }

    proptest! {
        #[test]
        fn any_headers_are_read(value in "[\\x20-\\x7e\\u{80}-\\u{ff}]{0,60}", host in "[a-z]{1,9}") {
            let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { return Ok(()) };
            for name in ["origin", "referer", "sec-fetch-site", "host"] {
                let _either = is_linked(&parts("/.env", &[(name, value.as_bytes())]));
            }
            // A page of its own never counts as another's, any other always does.
            let own = format!("https://{host}.example/");
            let referer: &[(&str, &[u8])] = &[("host", b"shop.example"), ("referer", own.as_bytes())];
            prop_assert_eq!(is_linked(&parts("/.env", referer)), host != "shop");
        }
    }
}
