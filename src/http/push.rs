//! A push by hand.
//!
//! What makes the daemon do something is sent as JSON, and nothing else is taken.

use axum::Json;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use defray_pricing::time::Period;
use serde::{Deserialize, Serialize};

use super::access::Reader;
use super::query::Query;
use super::{Error, State, months, sent};

/// What can be asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// Only this period.
    period: Option<String>,
}

#[derive(Debug, Serialize)]
struct Told {
    accepted: bool,
    /// None for all.
    period: Option<Period>,
    /// Always false: a daemon that is restarted before it came to it must be asked again.
    survives_restart: bool,
}

/// Asks for a push; 202, because it goes on after the answer.
pub(super) async fn now(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    query.finish()?;
    let bytes = sent::json(&headers, body).await?;
    let push = state.push_now.as_ref().ok_or(Error::NoDestination)?;
    let period = wish(&bytes)?.period.as_deref().map(months::period).transpose()?;
    if let Some(period) = period {
        months::entry(&state, &scope, period).await?;
    }
    push.ask(period);
    let told = Json(Told { accepted: true, period, survives_restart: false });
    Ok((StatusCode::ACCEPTED, [(CACHE_CONTROL, "no-store")], told).into_response())
}

fn wish(bytes: &[u8]) -> Result<Wish, Error> {
    sent::object(bytes, "{\"period\": \"2026-10\"}")
}
