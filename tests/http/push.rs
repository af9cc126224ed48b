//! A push by hand: what is taken, and what no page from elsewhere can bring about.

use reqwest::RequestBuilder;

use super::fixture::{Options, Server, period, problem};

fn post(server: &Server) -> RequestBuilder {
    server.client.post(server.url("/api/v1/push"))
}

fn json(server: &Server, body: &'static str) -> RequestBuilder {
    post(server).header("content-type", "application/json").body(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_asked_for_once_for_each_request() {
    let server = Server::start(Options::default()).await;
    for (body, told) in [
        ("", "{\"accepted\":true,\"period\":null,\"survives_restart\":false}"),
        ("{}", "{\"accepted\":true,\"period\":null,\"survives_restart\":false}"),
        (
            " {\"period\": \"2026-10\"}\n",
            "{\"accepted\":true,\"period\":\"2026-10\",\"survives_restart\":false}",
        ),
    ] {
        let answer = json(&server, body).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{body}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.text().await.unwrap(), told);
    }
    let charset = post(&server).header("content-type", "Application/JSON; charset=utf-8").body("{}");
    assert_eq!(charset.send().await.unwrap().status(), 202);
    assert_eq!(*server.pushes.lock().unwrap(), [None, None, Some(period("2026-10")), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_from_elsewhere_can_send_is_refused() {
    let server = Server::start(Options::default()).await;
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json"]
    {
        let refused = post(&server).header("content-type", kind).body("{}").send().await.unwrap();
        assert_eq!(problem(refused, 415).await["type"], "/problems/not-json", "{kind}");
    }
    problem(post(&server).send().await.unwrap(), 415).await;
    let rebound = json(&server, "{}").header("host", "rebound.example").send().await.unwrap();
    problem(rebound, 421).await;
    // The question a browser asks first is not agreed to.
    let first = server.client.request(reqwest::Method::OPTIONS, server.url("/api/v1/push"));
    let first = first.header("origin", "https://elsewhere.example").send().await.unwrap();
    assert!(!first.headers().contains_key("access-control-allow-origin"));
    problem(first, 405).await;
    problem(server.get("/api/v1/push").await, 405).await;
    assert!(server.pushes.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_refused_and_pushes_nothing() {
    let server = Server::start(Options::default()).await;
    for (body, status, kind) in [
        ("{\"perod\": \"2026-10\"}", 400, "invalid-body"),
        ("{\"period\": \"2026-10\", \"period\": \"2026-09\"}", 400, "invalid-body"),
        ("{\"period\": 202610}", 400, "invalid-body"),
        ("[\"2026-10\"]", 400, "invalid-body"),
        ("null", 400, "invalid-body"),
        ("{", 400, "invalid-body"),
        ("{} {}", 400, "invalid-body"),
        ("{\"period\": \"October\"}", 400, "invalid-period"),
        ("{\"period\": \"2025-01\"}", 404, "period-not-found"),
    ] {
        let told = problem(json(&server, body).send().await.unwrap(), status).await;
        assert_eq!(told["type"], format!("/problems/{kind}"), "{body}: {told}");
    }
    let long = post(&server).header("content-type", "application/json").body(" ".repeat(5000));
    problem(long.send().await.unwrap(), 400).await;
    let query = server.client.post(server.url("/api/v1/push?period=2026-10"));
    let query = query.header("content-type", "application/json").send().await.unwrap();
    problem(query, 400).await;
    assert!(server.pushes.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_wants_the_token() {
    let server = Server::start(Options { token: Some("correct horse"), ..Options::default() }).await;
    problem(json(&server, "{}").send().await.unwrap(), 401).await;
    problem(json(&server, "{}").bearer_auth("correct hors").send().await.unwrap(), 401).await;
    assert!(server.pushes.lock().unwrap().is_empty());
    let right = json(&server, "{}").bearer_auth("correct horse").send().await.unwrap();
    assert_eq!(right.status(), 202);
    assert_eq!(server.pushes.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_destination_nothing_is_promised() {
    let server = Server::start(Options { no_destination: true, ..Options::default() }).await;
    let told = problem(json(&server, "{}").send().await.unwrap(), 404).await;
    assert_eq!(told["type"], "/problems/no-destination");
    assert!(told["detail"].as_str().unwrap().contains("push.webhooks"), "{told}");
}
