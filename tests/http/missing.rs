//! Which hours are missing, and why.

use chrono::{DateTime, Utc};
use defray_pricing::time::Hour;
use serde_json::json;

use super::fixture::{Options, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_hour_is_listed_with_its_reason_and_next_try() {
    let server = Server::start(Options { empty: true, ..Options::default() }).await;
    assert_eq!(server.json("/api/v1/hours/missing").await, json!({ "items": [] }));
    let guard = server.ledger.acquire().await.unwrap();
    let hour: Hour = "2026-10-01T03:00:00Z".parse().unwrap();
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let (first, next) = (at("2026-10-01T04:05:00Z"), at("2026-10-01T04:07:00Z"));
    server.ledger.note_missing(&guard, &"c".into(), hour, "a partial answer", first, next).await.unwrap();
    let item = json!({
        "cluster": "c",
        "hour": "2026-10-01T03:00:00Z",
        "state": "pending",
        "reason": "a partial answer",
        "age_seconds": 19 * 86_400 + 8 * 3600,
        "tries": 1,
        "first_seen": "2026-10-01T04:05:00Z",
        "next_try": "2026-10-01T04:07:00Z",
        "lost_since": null,
    });
    assert_eq!(server.json("/api/v1/hours/missing").await, json!({ "items": [item] }));
    let (lost, look) = (at("2026-10-18T04:00:00Z"), at("2026-10-19T04:00:00Z"));
    server.ledger.note_lost(&guard, &"c".into(), &[hour], "forgotten", lost, look).await.unwrap();
    let told = server.json("/api/v1/hours/missing").await;
    let of = |key: &str| told["items"][0][key].as_str().map(str::to_owned);
    assert_eq!(
        ["state", "reason", "lost_since", "next_try"].map(of),
        [
            Some("lost".to_owned()),
            Some("forgotten".to_owned()),
            Some("2026-10-18T04:00:00Z".to_owned()),
            Some("2026-10-19T04:00:00Z".to_owned()),
        ]
    );
    server.refused("/api/v1/hours/missing?cluster=c", 400).await;
}
