//! What was charged against what was paid for.

use serde_json::json;

use crate::http::fixture::{Options, Server};

/// 1450.584333334 at unit prices on nodes that cost 1000, and a discount of 20.033333333.
#[tokio::test]
async fn a_month_tells_what_was_charged_beyond_what_was_paid_for() {
    let server = Server::start(Options { demo: true, ..Options::default() }).await;
    let told = server.json("/api/v1/periods/2026-10/recovery").await;
    assert_eq!(
        told,
        json!({
            "schema_version": "1",
            "period": "2026-10",
            "status": "open",
            "version": 1,
            "currency": "EUR",
            "demo": true,
            "hours_missing": 1,
            "hours_lost": 0,
            "coverage": "0.9996",
            "paid": "1000",
            "charged": "1430.551000001",
            "difference": "430.551000001",
            "parts": {
                "pools": "450.584333334",
                "service_fees": "0",
                "terms": "-20.033333333",
                "adjustments": "0",
                "cut": "0",
            },
            "rounding": "-0.001000001",
            "billed": "1430.55",
            "metered": "0",
            "fixed": "0",
            "pools": [{
                "cluster": "prod-1",
                "pool": "general",
                "paid": "1000",
                "charged": "1450.584333334",
                "difference": "450.584333334",
                "used": "0",
                "idle": "0",
                "at_unit_prices": "1450.584333334",
                "node_hours_without_cost": "0.000000",
            }],
        })
    );
    server.refused("/api/v1/periods/2026-10/recovery?tenant=payments", 400).await;
    server.refused("/api/v1/periods/2026-12/recovery", 404).await;
    server.refused("/api/v1/periods/october/recovery", 400).await;
}
