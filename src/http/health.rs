//! Whether the daemon lives, and whether it can do its work.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::access::Reader;
use super::{Error, State};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const NEVER_STORED: (axum::http::HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// What keeps the daemon from its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Reason {
    pub(super) condition: String,
    pub(super) reason: String,
}

impl Reason {
    pub(super) fn new(text: String) -> Self {
        match text.split_once(": ") {
            Some((condition, reason)) => Self { condition: condition.to_owned(), reason: reason.to_owned() },
            None => Self { condition: "daemon".to_owned(), reason: text },
        }
    }
}

#[derive(Serialize)]
struct Health {
    ready: bool,
    reasons: Vec<Reason>,
    /// What is wrong and keeps it from nothing.
    warnings: Vec<Reason>,
}

/// The process answers.
pub(super) async fn live() -> impl IntoResponse {
    ([NEVER_STORED], Json(serde_json::json!({ "live": true })))
}

/// 200 if every condition holds; else 503 with each that does not, and why. Warnings change nothing of that.
pub(super) async fn ready(Extract(state): Extract<State>) -> Response {
    let reasons = state.not_ready.reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let warnings = state.not_ready.warnings();
    (status, [NEVER_STORED], Json(Health { ready: reasons.is_empty(), reasons, warnings })).into_response()
}

/// Every metric. It names clusters and destinations, so it is protected like the rest.
pub(super) async fn metrics(_: Reader, Extract(state): Extract<State>) -> Result<Response, Error> {
    let text = state.telemetry.render().map_err(|error| Error::Internal(error.to_string()))?;
    Ok(([(CONTENT_TYPE, OPENMETRICS), NEVER_STORED], text).into_response())
}
