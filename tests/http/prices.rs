//! Trying a price book over the socket.

use reqwest::Response;

use super::fixture::{Options, Server, problem};
use crate::rated::BOOK;

async fn post(server: &Server, query: &str, kind: &str, body: &str) -> Response {
    let request = server.client.post(server.url(&format!("/api/v1/price/diff{query}")));
    request.header("content-type", kind).body(body.to_owned()).send().await.unwrap()
}

#[tokio::test]
async fn another_book_is_tried_and_nothing_is_stored() {
    let server = Server::start(Options { rated: true, ..Options::default() }).await;
    let before = server.text("/api/v1/reports/2026-10.csv").await;
    let dearer = BOOK.replace("0.50", "0.75");
    let answer = post(&server, "?period=2026-10&fail_above=3", "application/yaml", &dearer).await;
    assert_eq!(answer.status(), 200);
    let json: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!((&json["total"]["difference"], &json["old_is_stored"]), (&"7.50".into(), &true.into()));
    assert_eq!(json["threshold"]["above"], serde_json::json!(["the total", "CC-1 / alpha"]));
    assert_eq!(json["threshold"]["fails"], true);
    let bare = BOOK.replace("network: [{class: \"*\", gib: \"2\"}]\n", "");
    let answer = post(&server, "?period=2026-10&fail_above=1%25", "application/yaml", &bare).await;
    let json: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(
        (&json["threshold"]["above"], &json["threshold"]["fails"]),
        (&serde_json::json!([]), &true.into())
    );
    // A second edition that begins later changes nothing of October, unless it is asked for.
    let later = dearer.replace("version: \"1\"", "version: \"2\"").replace("2026-01-01", "2026-12-01");
    let both = format!("---\n{BOOK}---\n{later}");
    for (query, difference) in [("?period=2026-10", "0.00"), ("?period=2026-10&edition=2", "7.50")] {
        let answer = post(&server, query, "text/yaml; charset=utf-8", &both).await;
        let json: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(json["total"]["difference"], difference, "{query}: {json}");
    }
    assert_eq!(server.text("/api/v1/reports/2026-10.csv").await, before);
}

#[tokio::test]
async fn what_cannot_be_tried_is_a_problem_that_tells_all() {
    let server = Server::start(Options { rated: true, ..Options::default() }).await;
    let yaml = "application/yaml";
    let wrong = BOOK.replace("EUR", "XXQ").replace("idle: even", "idle: odd");
    let told = problem(post(&server, "?period=2026-10", yaml, &wrong).await, 400).await;
    assert!(told["type"].as_str().unwrap().contains("invalid-price-book"), "{told}");
    assert_eq!(told["invalid_params"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(told["invalid_params"][0]["name"], "file 1:2:11", "{told}");
    for (query, kind, body, status, word) in [
        ("", yaml, BOOK.to_owned(), 400, "invalid-parameters"),
        ("?period=2026-10&fail_above=x", yaml, BOOK.to_owned(), 400, "invalid-parameters"),
        ("?period=2026-10", "text/plain", BOOK.to_owned(), 415, "not-yaml"),
        ("?period=2026-10", "application/json", BOOK.to_owned(), 415, "not-yaml"),
        ("?period=2026-10&edition=7", yaml, BOOK.to_owned(), 400, "invalid-body"),
        ("?period=2026-10", yaml, BOOK.replace("EUR", "USD"), 400, "invalid-body"),
        ("?period=2026-10", yaml, BOOK.replace("2026-01-01", "2026-12-01"), 400, "invalid-body"),
        ("?period=2026-01", yaml, BOOK.to_owned(), 404, "period-not-found"),
    ] {
        let told = problem(post(&server, query, kind, &body).await, status).await;
        assert!(told["type"].as_str().unwrap().contains(word), "{query} {kind}: {told}");
    }
}
