//! Who is answered, and how refusals look.

use std::io::Write as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::fixture::{Options, Server, problem};

const TOKEN: &str = "correct horse";

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_everything_but_health_wants_it() {
    let server = Server::start(Options { token: Some(TOKEN), ..Options::default() }).await;
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(server.get(path).await.status(), 200, "{path}");
    }
    for path in [
        "/",
        "/style.css",
        "/metrics",
        "/api/v1/periods",
        "/api/v1/reports/2026-10.csv",
        "/api/v1/reports/2026-10/payments.json",
        "/api/v1/grafana/costs/daily?period=2026-10",
        "/nothing/here",
    ] {
        let refused = server.get(path).await;
        assert!(refused.headers()["www-authenticate"].to_str().unwrap().contains("Bearer"), "{path}");
        problem(refused, 401).await;
        let wrong = server.client.get(server.url(path)).bearer_auth("correct hors").send().await.unwrap();
        problem(wrong, 401).await;
    }
    let periods = server.url("/api/v1/periods");
    let right = server.client.get(&periods).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(right.status(), 200);
    let browser = server.client.get(&periods).basic_auth("anyone", Some(TOKEN)).send().await.unwrap();
    assert_eq!(browser.status(), 200, "a browser shows the token as a password");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_a_foreign_name_for_this_machine_is_not_answered() {
    let server = Server::start(Options::default()).await;
    let asked = server.client.get(server.url("/api/v1/periods")).header("host", "rebound.example");
    problem(asked.send().await.unwrap(), 421).await;
    assert_eq!(server.get("/api/v1/periods").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_problem_with_the_number_the_log_has() {
    let server = Server::start(Options::default()).await;
    for (path, status, kind) in [
        ("/nothing", 404, "/problems/not-found"),
        ("/api/v1/reports/2026-13.csv", 400, "/problems/invalid-period"),
        ("/api/v1/reports/october.json", 400, "/problems/invalid-period"),
        ("/api/v1/reports/2025-01.csv", 404, "/problems/period-not-found"),
        ("/api/v1/reports/2026-10.xlsx", 404, "/problems/format-not-found"),
        ("/api/v1/reports/2026-10", 404, "/problems/format-not-found"),
        ("/api/v1/reports/2026-10/summary.pdf", 404, "/problems/format-not-found"),
        ("/api/v1/reports/2026-10/nobody.json", 404, "/problems/tenant-not-found"),
        ("/api/v1/reports/2026-10.csv?fromat=csv", 400, "/problems/invalid-parameters"),
        ("/api/v1/periods?limit=3", 400, "/problems/invalid-parameters"),
        ("/api/v1/grafana/costs/daily", 400, "/problems/invalid-parameters"),
        ("/periods/x", 400, "/problems/invalid-period"),
        ("/?x=1", 400, "/problems/invalid-parameters"),
    ] {
        let told = server.refused(path, status).await;
        assert_eq!(told["type"], kind, "{path}: {told}");
    }
    let posted = server.client.post(server.url("/api/v1/periods")).send().await.unwrap();
    assert_eq!(posted.headers()["allow"], "GET,HEAD");
    problem(posted, 405).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_request_number_is_kept_and_a_strange_one_is_not() {
    let server = Server::start(Options::default()).await;
    let with = |id: &'static str| server.client.get(server.url("/livez")).header("x-request-id", id).send();
    assert_eq!(with("trace-1.a_b").await.unwrap().headers()["x-request-id"], "trace-1.a_b");
    let strange = with("a b\tc").await.unwrap();
    assert_ne!(strange.headers()["x-request-id"], "a b\tc");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_what_does_not_hold() {
    let server = Server::start(Options::default()).await;
    assert_eq!(server.json("/readyz").await["ready"], true);
    server
        .not_ready
        .lock()
        .unwrap()
        .push("rate: book.yaml:3: there is no price for the pool `gpu`".to_owned());
    let response = server.get("/readyz").await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["content-type"], "application/json");
    let body: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["reasons"][0]["condition"], "rate");
    assert_eq!(body["reasons"][0]["reason"], "book.yaml:3: there is no price for the pool `gpu`");
    assert_eq!(server.get("/livez").await.status(), 200, "not ready is not dead");
    server.not_ready.lock().unwrap().clear();
    assert_eq!(server.get("/healthz").await.status(), 200);
    server.warnings.lock().unwrap().push("book: the last good one stays in force (book.yaml:3)".to_owned());
    let beside = server.json("/readyz").await;
    assert_eq!((&beside["ready"], &beside["reasons"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(beside["warnings"][0]["reason"], "the last good one stays in force (book.yaml:3)");
    assert!(server.text("/").await.contains("book.yaml:3"), "the page says so, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_openmetrics() {
    let server = Server::start(Options::default()).await;
    let response = server.get("/metrics").await;
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = response.text().await.unwrap();
    assert!(text.contains("defray_build_info") && text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_harms_nobody_else() {
    let server = Server::start(Options::default()).await;
    let mut raw = tokio::net::TcpStream::connect(&server.address).await.unwrap();
    let mut junk = Vec::new();
    writeln!(junk, "\0\0 this is no HTTP \r\n\r\n").unwrap();
    raw.write_all(&junk).await.unwrap();
    let mut answer = String::new();
    raw.read_to_string(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(server.get("/livez").await.status(), 200);
}
