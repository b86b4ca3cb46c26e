//! The bot behind the gate, and how a visitor asks it.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};

use crate::stand::{self, Stand};

/// How long the bot takes for the second half of what is below `/slow`.
pub(crate) const SLOW: Duration = Duration::from_millis(700);

/// The site whose pages may call the bot.
pub(crate) const SITE: &str = "https://shop.example";

/// The bot: says what reached it.
async fn bot(_peer: ipc::Peer, request: ipc::Request) -> ipc::Response {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value
            .map_or("none", |value| value.to_str().unwrap())
            .to_owned()
    };
    let said = format!(
        "{} {} forwarded={} request={}",
        request.method(),
        request.uri(),
        header("forwarded"),
        header("x-request-id")
    );
    if request.uri().path() == "/slow" {
        let (mut sender, body) = ipc::stream(1);
        tokio::spawn(async move {
            sender.send("first ").await.unwrap();
            tokio::time::sleep(SLOW).await;
            let _ = sender.send("second").await;
        });
        return Response::new(body);
    }
    if request.uri().path() == "/stuck" {
        std::future::pending::<()>().await;
    }
    if request.uri().path() == "/frame" {
        let mut response = Response::new(ipc::full(said));
        let policy = "default-src 'none'; frame-ancestors https://shop.example";
        let headers = response.headers_mut();
        headers.insert("content-security-policy", policy.parse().unwrap());
        headers.insert(
            "cross-origin-resource-policy",
            "cross-origin".parse().unwrap(),
        );
        return response;
    }
    let is_site = header("origin") == SITE;
    let mut response = Response::new(ipc::full(said));
    let headers = response.headers_mut();
    headers.insert("vary", "origin".parse().unwrap());
    if is_site {
        headers.insert("access-control-allow-origin", SITE.parse().unwrap());
    }
    response
}

/// Runs a gate with these settings, and `test` beside it, unconfined, as a visitor.
pub(crate) fn with_gate<F, Fut>(settings: &str, test: F)
where
    F: FnOnce(Stand) -> Fut,
    Fut: Future<Output = ()>,
{
    stand::with_gate(settings, bot, test);
}

/// A request of a browser.
pub(crate) fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("https://localhost{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

/// A request as HTTP/1.1 has it.
pub(crate) fn ask1(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    ask(method, path, &[&[("host", "localhost")], headers].concat())
}

/// The body of an answer.
pub(crate) async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}
