//! Why a tenant pays what it pays, over the socket.

use super::fixture::{Options, Server};

#[tokio::test]
async fn a_tenants_month_is_explained_and_names_nobody_else() {
    let server = Server::start(Options { rated: true, ..Options::default() }).await;
    let told = server.text("/api/v1/explain/2026-10/alpha?line=cpu&granularity=hour").await;
    assert!(!told.contains("beta"), "{told}");
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&json["of_stored"], &json["statements"][0]["amount"]), (&true.into(), &"3750.00".into()));
    let line = &json["statements"][0]["lines"][0];
    assert_eq!((&line["item"], line["steps"].as_array().unwrap().len()), (&"cpu".into(), 10));
    let all = server.json("/api/v1/explain/2026-10/alpha").await;
    assert_eq!(all["statements"][0]["lines"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_explained_is_a_problem() {
    let server = Server::start(Options { rated: true, ..Options::default() }).await;
    for (path, status, kind) in [
        ("2026-10/gamma", 404, "tenant-not-found"),
        ("2026-10/alpha?cost_center=CC-2", 404, "tenant-not-found"),
        ("2026-01/alpha", 404, "period-not-found"),
        ("october/alpha", 400, "invalid-period"),
        ("2026-10/alpha?granularity=minute", 400, "invalid-parameters"),
        ("2026-10/alpha?surprise=1", 400, "invalid-parameters"),
        ("2026-10/alpha?line=idel", 400, "invalid-parameters"),
    ] {
        let problem = server.refused(&format!("/api/v1/explain/{path}"), status).await;
        assert!(problem["type"].as_str().unwrap().contains(kind), "{path}: {problem}");
    }
    let problem = server.refused("/api/v1/explain/2026-10/alpha?line=idel", 400).await;
    let told = problem["invalid_params"][0]["reason"].as_str().unwrap();
    assert!(told.contains("`network all, c`"), "{told}");
}
