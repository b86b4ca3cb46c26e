//! What is written down of a request, and what headers its answer has.

use std::time::Duration;

use http::StatusCode;

use super::bot::{ask, ask1, text, with_gate};

#[test]
fn each_request_is_written_down_without_what_names_anybody() {
    with_gate("", async |stand| {
        let mut send = stand.http2().await;
        let path = "/b/shop/v1/conversations/0190a1b2c3d4e5f60190a1b2c3d4e5f6?token=secret";
        let response = send
            .send_request(ask("GET", path, &[("x-request-id", "forged")]))
            .await
            .unwrap();
        let id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let said = text(response).await;
        // The bot was told the same id.
        assert!(said.ends_with(&format!("request={id}")), "{said}");
        let record = stand.access().await;
        for (field, value) in [
            ("method", "GET"),
            ("path", "/b/shop/v1/conversations/{id}"),
            ("status", "200"),
            ("bytes", &said.len().to_string()),
            ("whole", "true"),
            ("protocol", "HTTP/2"),
            ("request", &id),
            ("bot", "shop"),
            ("client", "127.0.0.0/24"),
        ] {
            assert_eq!(record[field], value, "{field}");
        }
        assert!(record["ms"].parse::<u64>().unwrap() < 10_000);
        let all = format!("{record:?}");
        assert!(
            !all.contains("secret") && !all.contains("0190a1b2"),
            "{all}"
        );
    });
}

#[test]
fn an_answer_that_is_given_up_is_written_down_as_such() {
    with_gate("[log]\nclient = 'none'", async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        let response = send
            .send_request(ask1("GET", "/b/shop/slow", &[]))
            .await
            .unwrap();
        drop((response, send));
        let record = stand.access().await;
        assert_eq!(
            (record["whole"].as_str(), record.get("client")),
            ("false", None)
        );
    });
    with_gate("[limits]\nstreams = 1", async |stand| {
        let mut send = stand.http2().await;
        let request = send.send_request(ask("GET", "/b/shop/stuck", &[]));
        let waited = tokio::time::timeout(Duration::from_millis(200), request);
        assert!(waited.await.is_err());
        let record = stand.access().await;
        assert_eq!(
            (record["path"].as_str(), record.get("status")),
            ("/b/shop/stuck", None)
        );
        // Its place was given back.
        let response = send
            .send_request(ask("GET", "/b/shop/x", &[]))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    });
    with_gate("[log]\naccess = false", async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        let response = send
            .send_request(ask1("GET", "/b/shop/x", &[]))
            .await
            .unwrap();
        text(response).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(stand.records("access").is_empty());
    });
}

#[test]
fn a_page_may_be_framed_where_its_bot_says_and_nothing_else_may() {
    with_gate("", async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        let response = send
            .send_request(ask1("GET", "/b/shop/frame", &[]))
            .await
            .unwrap();
        let headers = response.headers().clone();
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'none'; frame-ancestors https://shop.example"
        );
        assert_eq!(headers["cross-origin-resource-policy"], "cross-origin");
        text(response).await;
        let response = send.send_request(ask1("GET", "/none", &[])).await.unwrap();
        let headers = response.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(
            headers["permissions-policy"]
                .to_str()
                .unwrap()
                .contains("camera=()")
        );
        assert!(!headers.contains_key("x-xss-protection") && !headers.contains_key("server"));
    });
}

#[test]
fn a_flood_of_requests_is_counted_and_not_written_down() {
    with_gate("[log]\nper_second = 3", async |stand| {
        let mut send = stand.http1(b"").await.unwrap();
        for _ in 0..20 {
            let request = ask1("GET", "/healthz", &[]);
            text(send.send_request(request).await.unwrap()).await;
        }
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let request = ask1("GET", "/b/shop/last", &[]);
        text(send.send_request(request).await.unwrap()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let records = stand.records("access");
        let left_out = records.iter().filter_map(|record| record.get("left_out"));
        let left_out: usize = left_out.map(|count| count.parse::<usize>().unwrap()).sum();
        assert_eq!(records.len() + left_out, 21);
        // Each second has three, and the flood may have been in two.
        assert!(records.len() <= 7, "{}", records.len());
    });
}
