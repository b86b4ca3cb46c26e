//! Pure: which sites may call the bot from their own pages (CORS; Fetch, 3.3).
//!
//! The widget needs none of it, for its frame calls its own origin. A site that
//! the bot's file names may also call by itself. For any other the answers have no
//! word of it, and browsers keep them from the page.

use chat_api::BotFile;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use ipc::{Request, Response};

/// The methods that visitors' calls have.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");

/// The headers that visitors' calls have beyond those that any page may send.
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type");

const EXPOSED: HeaderValue = HeaderValue::from_static(chat_api::EXPOSED_HEADERS);

/// How long a browser may remember what it was allowed, in seconds. A site that is
/// taken out of the file is out by then.
const REMEMBERED_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// What the answer to a preflight depends on.
const VARY: HeaderValue = HeaderValue::from_static(
    "origin, access-control-request-method, access-control-request-headers",
);

/// The sites that may call.
#[derive(Debug)]
pub(crate) struct Sites(Vec<HeaderValue>);

impl Sites {
    /// Those that the bot's file names.
    #[must_use]
    pub(crate) fn of(file: &BotFile) -> Self {
        let origins = file.origins.iter();
        Self(
            origins
                .filter_map(|origin| origin.as_str().parse().ok())
                .collect(),
        )
    }

    /// The site that a request comes from, if it may call: exactly one origin, and
    /// exactly as in the file.
    #[must_use]
    pub(crate) fn caller(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let mut origins = request.get_all(header::ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else {
            return None;
        };
        self.0.iter().find(|site| *site == origin).cloned()
    }

    /// Whether a page that opens a WebSocket may. Browsers ask nobody before they open one, so it is refused here: to
    /// all pages but the bot's own and those of the sites in its file. What is no browser names no origin, and has no
    /// visitor's secrets that a page could borrow (RFC 6455, section 10.2).
    #[must_use]
    pub(crate) fn admits(&self, request: &HeaderMap) -> bool {
        if !request.contains_key(header::ORIGIN) || self.caller(request).is_some() {
            return true;
        }
        let mut origins = request.get_all(header::ORIGIN).iter();
        let (Some(origin), None, Some(host)) =
            (origins.next(), origins.next(), request.get(header::HOST))
        else {
            return false;
        };
        // Visitors come by HTTPS alone.
        let own = origin.as_bytes().strip_prefix(b"https://");
        own.is_some_and(|own| !own.is_empty() && own.eq_ignore_ascii_case(host.as_bytes()))
    }

    /// The answer to a browser that asks on behalf of a page whether it may call;
    /// none where the request is no such question.
    #[must_use]
    pub(crate) fn preflight(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        let is_question = *request.method() == Method::OPTIONS
            && headers.contains_key(header::ORIGIN)
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_question {
            return None;
        }
        if self.caller(headers).is_none() {
            let detail = "Pages of this site may not call the assistant.";
            return Some(ipc::problem(StatusCode::FORBIDDEN, detail));
        }
        let mut response = ipc::no_content();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_SECONDS);
        headers.insert(header::VARY, VARY);
        Some(response)
    }

    /// Says on an answer that its caller's pages may read it. Cookies and the like
    /// are never allowed: the bot has none.
    pub(crate) fn share(caller: Option<HeaderValue>, response: &mut HeaderMap) {
        if !response.contains_key(header::VARY) {
            response.insert(header::VARY, HeaderValue::from(header::ORIGIN));
        }
        if let Some(origin) = caller {
            response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn sites(origins: &str) -> Sites {
        let file = BotFile::parse(&format!("title = 'Shop'\norigins = [{origins}]")).unwrap();
        Sites::of(&file)
    }

    fn caller(sites: &Sites, origins: &[&str]) -> Option<HeaderValue> {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(header::ORIGIN, origin.parse().unwrap());
        }
        sites.caller(&headers)
    }

    #[test]
    fn a_site_of_the_file_may_call_and_no_other() {
        let two = sites("'https://shop.example', 'http://localhost:3000'");
        for origin in ["https://shop.example", "http://localhost:3000"] {
            assert_eq!(caller(&two, &[origin]).unwrap(), origin);
        }
        for other in [
            "null",
            "*",
            "",
            "https://shop.example.evil.example",
            "https://www.shop.example",
            "http://shop.example",
            "https://shop.example:8443",
            "https://shop.example/",
            "HTTPS://SHOP.EXAMPLE",
        ] {
            assert_eq!(caller(&two, &[other]), None, "{other}");
        }
        assert_eq!(caller(&two, &[]), None);
        let twice = ["https://shop.example", "https://shop.example"];
        assert_eq!(caller(&two, &twice), None);
        assert_eq!(caller(&sites(""), &["https://shop.example"]), None);
    }

    #[test]
    fn an_answer_differs_by_origin_and_never_allows_cookies() {
        let mut headers = HeaderMap::new();
        Sites::share(None, &mut headers);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["vary"], "origin");
        let origin = HeaderValue::from_static("https://shop.example");
        Sites::share(Some(origin), &mut headers);
        assert_eq!(
            headers["access-control-allow-origin"],
            "https://shop.example"
        );
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }

    #[test]
    fn a_page_of_its_own_may_open_a_websocket_and_so_may_a_site_of_the_file() {
        let admits = |origins: &[&str]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("chat.example:8443"));
            for origin in origins {
                headers.append(header::ORIGIN, origin.parse().unwrap());
            }
            sites("'https://shop.example'").admits(&headers)
        };
        assert!(admits(&[]));
        assert!(admits(&["https://shop.example"]));
        assert!(admits(&["https://chat.example:8443"]));
        for strange in [
            "null",
            "",
            "https://",
            "https://evil.example",
            "http://chat.example:8443",
            "https://chat.example",
            "https://chat.example:8443.evil.example",
        ] {
            assert!(!admits(&[strange]), "{strange}");
        }
        assert!(!admits(&[
            "https://chat.example:8443",
            "https://chat.example:8443"
        ]));
    }

    proptest! {
        #[test]
        fn only_what_the_file_says_is_ever_allowed(origin in "[ -~]{0,40}") {
            let allowed = caller(&sites("'https://shop.example'"), &[&origin]);
            prop_assert_eq!(allowed.is_some(), origin == "https://shop.example");
        }
    }
}
