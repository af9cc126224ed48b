//! A tenant's reader gets what is the tenant's, and of others neither a name nor an amount: statements, what
//! explains them, and forecasts.

use super::fixture::{Options, Server, problem};
use crate::rated::BOOK;

/// What would give `beta` away: its name, its cost centre, its total, the total of both.
const FOREIGN: [&str; 6] = ["beta", "CC-2", "3725", "3,725", "7475", "7,475"];

async fn as_alpha() -> Server {
    Server::start(Options { rated: true, tenant: Some("alpha"), ..Options::default() }).await
}

#[tokio::test]
async fn what_a_tenants_reader_gets_tells_nothing_of_others() {
    let server = as_alpha().await;
    for path in [
        "/api/v1/explain/2026-10/alpha",
        "/api/v1/explain/2026-10/alpha?granularity=hour",
        "/api/v1/forecast?period=2026-10",
        "/api/v1/budgets?period=2026-10",
        "/api/v1/reports/2026-10.csv",
        "/api/v1/reports/2026-10.json",
        "/api/v1/reports/2026-10/summary.csv",
        "/api/v1/reports/2026-10/alpha.json",
    ] {
        let told = server.text(path).await;
        let own = told.contains("alpha") || told.contains("3750");
        assert!(own || path.contains("budgets"), "{path}: {told}");
        for foreign in FOREIGN {
            assert!(!told.contains(foreign), "{path} tells {foreign}: {told}");
        }
    }
}

#[tokio::test]
async fn what_is_another_tenants_or_everybodys_is_refused_and_says_no_more_than_was_asked() {
    let server = as_alpha().await;
    for (path, status) in [
        ("/api/v1/explain/2026-10/beta", 404),
        ("/api/v1/reports/2026-10/beta.json", 404),
        ("/api/v1/periods/2026-10/recovery", 403),
    ] {
        let told = server.refused(path, status).await.to_string();
        assert!(!told.contains("3725") && !told.contains("CC-2"), "{path}: {told}");
    }
    // Another tenant is refused as one that was never there.
    let mut refusals = Vec::new();
    for name in ["beta", "gamma"] {
        let told = server.refused(&format!("/api/v1/explain/2026-10/{name}"), 404).await;
        refusals.push(told["detail"].to_string().replace(name, "it"));
    }
    assert_eq!(refusals[0], refusals[1]);
    let tenant = "kind: Tenant\nspec: {teamName: gamma, costCenter: CC-3}\n";
    for (path, body) in [("/api/v1/price/diff?period=2026-10", BOOK), ("/api/v1/estimate", tenant)] {
        let asked = server.client.post(server.url(path)).header("content-type", "application/yaml");
        let told = problem(asked.body(body).send().await.unwrap(), 403).await.to_string();
        for foreign in FOREIGN {
            assert!(!told.contains(foreign), "{path} tells {foreign}: {told}");
        }
    }
}
