//! The hours that are not recorded though they are over, and why.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::access::Reader;
use super::query::Query;
use super::{Error, State};

#[derive(Serialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    cluster: String,
    hour: String,
    /// `pending`, or `lost` if no metrics store has it any more.
    state: &'static str,
    reason: String,
    /// How long ago it ended, in seconds.
    age_seconds: i64,
    tries: u32,
    first_seen: String,
    next_try: String,
    lost_since: Option<String>,
}

/// Every hour that is over and not recorded.
pub(super) async fn list(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    query: Query,
) -> Result<Response, Error> {
    query.finish()?;
    let missing = state.ledger.missing(&scope).await?;
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let now = state.clock.now();
    let items = missing.into_iter().map(|note| Item {
        cluster: note.cluster.to_string(),
        hour: note.hour.to_string(),
        state: if note.lost_since.is_some() { "lost" } else { "pending" },
        reason: note.reason,
        age_seconds: (now - note.hour.end()).num_seconds().max(0),
        tries: note.tries,
        first_seen: text(note.first_seen),
        next_try: text(note.next_try),
        lost_since: note.lost_since.map(text),
    });
    Ok(([(CACHE_CONTROL, "private, no-cache")], Json(List { items: items.collect() })).into_response())
}
