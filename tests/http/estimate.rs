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
    assert_eq!((&json["hours"], &json["hours_known"]), (&744.into(), &10.into()), "{json}");
}

#[tokio::test]
async fn a_tenant_that_cannot_be_read_is_a_problem_that_tells_all() {
    let server = Server::start(Options { rated: true, ..Options::default() }).await;
    let yaml = "application/yaml";
    let told =
        problem(post(&server, "", yaml, "kind: Tenant\nspec: {resourceQuota: {cpu: x}}\n").await, 400).await;
    let problems = told["invalid_params"].as_array().unwrap();
    assert_eq!(problems.len(), 3, "{told}");
    // Where it is, to the column, and no sentence that was begun only.
    let missing = &problems[0];
    assert_eq!(
        (&missing["name"], &missing["reason"]),
        (&"tenant:2:7".into(), &"spec: `spec.costCenter` is missing".into())
    );
    assert!(problems.iter().all(|problem| !problem["reason"].as_str().unwrap().ends_with("; ")), "{told}");
    for (query, kind, body, status, word) in [
        ("", "application/json", TENANT.to_owned(), 415, "not-yaml"),
        ("", yaml, TENANT.replace("gamma", "beta"), 400, "invalid-body"),
        ("?cluster=east", yaml, TENANT.to_owned(), 400, "invalid-body"),
        ("?period=2026-01", yaml, TENANT.to_owned(), 404, "period-not-found"),
        ("?size=3", yaml, TENANT.to_owned(), 400, "invalid-parameters"),
        ("", yaml, String::new(), 400, "invalid-tenant"),
        ("", yaml, "\u{0}{[&a *a".to_owned(), 400, "invalid-tenant"),
        ("", yaml, format!("{TENANT}# {}", "x".repeat(64 << 10)), 400, "invalid-body"),
        (
            "?pool=default",
            yaml,
            TENANT.replace("resourceQuota", "nodePool: {size: 2}, resourceQuota"),
            400,
            "invalid-body",
        ),
    ] {
        let told = problem(post(&server, query, kind, &body).await, status).await;
        assert!(told["type"].as_str().unwrap().contains(word), "{query} {kind}: {told}");
    }
}
