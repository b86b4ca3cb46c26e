//! The widget's and the sample page's files, compiled in.

use chat_api::BotFile;
use data_encoding::HEXLOWER;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ipc::Response;
use sha2::{Digest as _, Sha256};

/// How long a site's visitors may keep the loader without asking again.
const LOADER_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=600");

/// The frame and what it loads belong together and to the service's version, so a browser asks each time, by ETag.
const FRAME_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const STYLE: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");

/// What every page may do: load its own scripts and styles, and nothing that is written into it (CSP level 3). Scripts
/// cannot turn text into markup (Trusted Types).
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; \
     form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What a script or a style may do when it is opened as a page: nothing.
const FILE_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

/// A file with the headers that it is sent with.
#[derive(Debug)]
pub struct Asset {
    path: &'static str,
    content: &'static str,
    media_type: HeaderValue,
    etag: HeaderValue,
    cache: HeaderValue,
    policy: HeaderValue,
    /// Who may load it (`Cross-Origin-Resource-Policy`, Fetch 3.7).
    readers: HeaderValue,
}

/// The files of one bot.
#[derive(Debug)]
pub struct Assets(Vec<Asset>);

impl Assets {
    /// The files of the bot that this file declares.
    #[must_use]
    pub fn of(file: &BotFile) -> Self {
        let origins: String = file
            .origins
            .iter()
            .map(|origin| format!(" {origin}"))
            .collect();
        let frame = policy(&format!(
            "{PAGE_POLICY}; connect-src 'self'; frame-ancestors 'self'{origins}"
        ));
        let mut assets = vec![
            Asset {
                cache: LOADER_CACHE,
                readers: HeaderValue::from_static("cross-origin"),
                ..script("/widget.js", include_str!("../web/widget.js"))
            },
            // Framed by other sites, and so readable by them; frame-ancestors names them.
            Asset {
                readers: HeaderValue::from_static("cross-origin"),
                ..page("/frame", include_str!("../web/frame.html"), frame)
            },
            script("/frame.js", include_str!("../web/frame.js")),
            script("/forget.js", include_str!("../web/forget.js")),
            script("/strings.js", include_str!("../web/strings.js")),
            style("/frame.css", include_str!("../web/frame.css")),
        ];
        if file.preview {
            let shop = policy(&format!(
                "{PAGE_POLICY}; frame-src 'self'; frame-ancestors 'none'"
            ));
            assets.push(page("/", include_str!("../web/shop.html"), shop));
            assets.push(style("/shop.css", include_str!("../web/shop.css")));
        }
        Self(assets)
    }

    /// The file at this path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Asset> {
        self.0.iter().find(|asset| asset.path == path)
    }
}

impl Asset {
    /// The file as a response; 304 where the client has it already (RFC 9110, 13.1.2).
    #[must_use]
    pub fn response(&self, request: &HeaderMap) -> Response {
        let mut response = if self.known(request) {
            let mut response = Response::new(ipc::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            let mut response = Response::new(ipc::full(self.content));
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, self.media_type.clone());
            response
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, self.cache.clone());
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        );
        headers.insert("cross-origin-resource-policy", self.readers.clone());
        headers.insert(
            "permissions-policy",
            HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
        );
        response
    }

    fn known(&self, request: &HeaderMap) -> bool {
        let etag = self.etag.to_str().unwrap_or_default();
        request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|known| known.trim().trim_start_matches("W/"))
            .any(|known| known == etag || known == "*")
    }
}

fn asset(path: &'static str, content: &'static str, media_type: HeaderValue) -> Asset {
    let digest = Sha256::digest(content.as_bytes());
    // Hexadecimal digits in quotes are always a header's value.
    let etag = HeaderValue::from_str(&format!("\"{}\"", HEXLOWER.encode(&digest[..16])))
        .unwrap_or(HeaderValue::from_static("\"\""));
    Asset {
        path,
        content,
        media_type,
        etag,
        cache: FRAME_CACHE,
        policy: FILE_POLICY,
        readers: HeaderValue::from_static("same-origin"),
    }
}

fn script(path: &'static str, content: &'static str) -> Asset {
    asset(path, content, SCRIPT)
}

fn style(path: &'static str, content: &'static str) -> Asset {
    asset(path, content, STYLE)
}

fn page(path: &'static str, content: &'static str, policy: HeaderValue) -> Asset {
    Asset {
        policy,
        ..asset(path, content, HTML)
    }
}

/// A policy as a header; one that allows nothing, should it ever not be one.
fn policy(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(FILE_POLICY)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn shop() -> BotFile {
        BotFile::parse("title = 'Shop'\norigins = ['https://shop.example', 'http://localhost:3000']\npreview = true").unwrap()
    }

    fn header<'r>(response: &'r Response, name: &str) -> &'r str {
        response.headers().get(name).unwrap().to_str().unwrap()
    }

    #[test]
    fn the_frame_may_be_embedded_where_the_file_says() {
        let assets = Assets::of(&shop());
        let response = assets.get("/frame").unwrap().response(&HeaderMap::new());
        let policy = header(&response, "content-security-policy");
        assert!(
            policy.ends_with("frame-ancestors 'self' https://shop.example http://localhost:3000"),
            "{policy}"
        );
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        let alone = Assets::of(&BotFile::new("Shop"));
        let response = alone.get("/frame").unwrap().response(&HeaderMap::new());
        assert!(header(&response, "content-security-policy").ends_with("frame-ancestors 'self'"));
    }

    #[test]
    fn the_sample_page_is_shown_on_request_only() {
        assert!(Assets::of(&shop()).get("/").is_some());
        assert!(Assets::of(&BotFile::new("Shop")).get("/").is_none());
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let assets = Assets::of(&shop());
        let widget = assets.get("/widget.js").unwrap();
        let first = widget.response(&HeaderMap::new());
        assert_eq!(
            header(&first, "cross-origin-resource-policy"),
            "cross-origin"
        );
        assert_eq!(
            header(&first, "content-type"),
            "text/javascript; charset=utf-8"
        );
        let mut request = HeaderMap::new();
        let etag = header(&first, "etag");
        request.insert(
            header::IF_NONE_MATCH,
            format!("\"other\", W/{etag}").parse().unwrap(),
        );
        assert_eq!(widget.response(&request).status(), StatusCode::NOT_MODIFIED);
        request.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"other\""));
        assert_eq!(widget.response(&request).status(), StatusCode::OK);
    }

    /// The policy of the pages forbids what would be written into them.
    #[test]
    fn the_pages_hold_no_script_and_no_style_of_their_own() {
        for asset in &Assets::of(&shop()).0 {
            if asset.media_type == HTML {
                let page = asset.content.to_ascii_lowercase();
                for piece in page.split("<script").skip(1) {
                    assert!(
                        piece.contains("></script>")
                            && piece.split('>').next().unwrap().contains("src="),
                        "{}",
                        asset.path
                    );
                }
                for forbidden in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
                    assert!(!page.contains(forbidden), "{} has {forbidden}", asset.path);
                }
            }
        }
    }
}
