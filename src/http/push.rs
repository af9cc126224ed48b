//! A push by hand.
//!
//! The one route that makes the daemon do something. A page from elsewhere can make a browser send such a
//! request too, with the password the browser remembers or to loopback: but not as JSON, unless the daemon
//! agreed to that first, which it never does. So nothing but JSON is taken.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State as Extract;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use defray_pricing::time::Period;
use serde::{Deserialize, Serialize};

use super::access::Reader;
use super::query::Query;
use super::{Error, State, months};

/// More than any such request needs.
const MOST_BYTES: usize = 4096;

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
    if !says_json(&headers) {
        return Err(Error::NotJson);
    }
    let bytes = to_bytes(body, MOST_BYTES).await.map_err(|_| {
        Error::Sent(format!("it is longer than {MOST_BYTES} bytes, or ended before its time"))
    })?;
    let push = state.push_now.as_ref().ok_or(Error::NoDestination)?;
    let period = wish(&bytes)?.period.as_deref().map(months::period).transpose()?;
    if let Some(period) = period {
        months::entry(&state, &scope, period).await?;
    }
    push.ask(period);
    let told = Json(Told { accepted: true, period, survives_restart: false });
    Ok((StatusCode::ACCEPTED, [(CACHE_CONTROL, "no-store")], told).into_response())
}

fn says_json(headers: &HeaderMap) -> bool {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn wish(bytes: &[u8]) -> Result<Wish, Error> {
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() {
        return Ok(Wish::default());
    }
    // A list would be taken for the keys in their order.
    if !bytes.starts_with(b"{") {
        return Err(Error::Sent("send an object such as {\"period\": \"2026-10\"}, or {}".to_owned()));
    }
    serde_json::from_slice(bytes).map_err(|error| Error::Sent(error.to_string()))
}
