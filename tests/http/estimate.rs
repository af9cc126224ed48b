//! What a proposed tenant would cost, over the socket.

use super::fixture::{Options, Server, problem};

const TENANT: &str = "kind: Tenant\nspec: {teamName: gamma, costCenter: CC-3, resourceQuota: {cpu: 2}}\n";

async fn post(server: &Server, query: &str, kind: &str, body: &str) -> reqwest::Response {
    let request = server.client.post(server.url(&format!("/api/v1/estimate{query}")));
    request.header("content-type", kind).body(body.to_owned()).send().await.unwrap()
}

#[tokio::test]
async fn a_portal_gets_the_number_and_what_it_rests_on() {
    let server = Server::start(Options { rated: true, ..Options::default() }).await;
    let answer = post(&server, "", "application/yaml", TENANT).await;
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert!(!text.contains("alpha"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    // 1488 core-hours at 0.50, and a third of 7440.
    assert_eq!((&json["amount"], &json["period"]), (&"3224.00".into(), &"2026-10".into()));
    assert!(json["assumptions"].as_array().unwrap().len() >= 4, "{json}");
    assert!(!json["not_estimated"].as_array().unwrap().is_empty(), "{json}");
}

#[tokio::test]
async fn a_tenant_that_cannot_be_read_is_a_problem_that_tells_all() {
    let server = Server::start(Options { rated: true, ..Options::default() }).await;
    let yaml = "application/yaml";
    let told =
        problem(post(&server, "", yaml, "kind: Tenant\nspec: {resourceQuota: {cpu: x}}\n").await, 400).await;
    assert_eq!(told["invalid_params"].as_array().unwrap().len(), 3, "{told}");
    for (query, kind, body, status, word) in [
        ("", "application/json", TENANT.to_owned(), 415, "not-yaml"),
        ("", yaml, TENANT.replace("gamma", "beta"), 400, "invalid-body"),
        ("?cluster=east", yaml, TENANT.to_owned(), 400, "invalid-body"),
        ("?period=2026-01", yaml, TENANT.to_owned(), 404, "period-not-found"),
        ("?size=3", yaml, TENANT.to_owned(), 400, "invalid-parameters"),
    ] {
        let told = problem(post(&server, query, kind, &body).await, status).await;
        assert!(told["type"].as_str().unwrap().contains(word), "{query} {kind}: {told}");
    }
}
