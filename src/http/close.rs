//! Closing a month, and restating one: what finance asks for, of the whole ledger.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Response};
use defray_ledger::{ClosedHow, LedgerError};
use defray_pricing::digest::Digest;
use defray_reports::price_diff;
use serde::{Deserialize, Serialize};

use super::access::{Principal, Reader};
use super::query::Query;
use super::{Error, State, months, sent, versions};
use crate::closing::{NotClosed, Obstacle, Order};

/// How a month is to be closed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Close {
    /// Only say what is in the way.
    #[serde(default)]
    dry_run: bool,
    /// Even though hours are missing or were not measured again; with a reason.
    #[serde(default)]
    force: bool,
    /// Why it is forced.
    reason: Option<String>,
    /// Who wants it, as they say.
    by: Option<String>,
}

/// How a month is to be restated.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restate {
    /// The plan to be written, as it was shown; without it the plan is shown and nothing is written.
    plan: Option<String>,
    /// Why.
    reason: Option<String>,
    /// Who wants it, as they say.
    by: Option<String>,
}

#[derive(Serialize)]
struct InTheWay {
    period: String,
    closable: bool,
    obstacles: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    kind: &'static str,
    detail: String,
    /// Whether a reason is enough to close all the same.
    can_be_forced: bool,
    /// Whether it goes away by itself, in minutes.
    passes: bool,
}

/// `POST {period}/close`: closes it, or says everything that is in the way.
pub(super) async fn close(
    Reader(scope): Reader,
    principal: Principal,
    Extract(state): Extract<State>,
    Path(period): Path<String>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    query.finish()?;
    whole(&scope)?;
    let sent: Close = sent::object(&sent::json(&headers, body).await?, "{\"by\": \"ann\"}")?;
    if sent.force != sent.reason.is_some() {
        let mend = "`force` needs a `reason`, and a `reason` is for `force`";
        return Err(Error::Sent(mend.to_owned()));
    }
    let period = months::period(&period)?;
    let _turn = state.turn().await?;
    let closer = &state.closer;
    if sent.dry_run {
        let obstacles = closer.look(period).await?.obstacles;
        let stops = |obstacle: &Obstacle| !sent.force || !obstacle.can_be_forced();
        let closable = !obstacles.iter().any(stops);
        let told = InTheWay { period: period.to_string(), closable, obstacles: told(&obstacles) };
        return Ok(([(CACHE_CONTROL, "no-store")], Json(told)).into_response());
    }
    let order = Order { by: by(sent.by, principal), how: ClosedHow::Hand, forced: sent.reason };
    let version = match closer.close(period, order).await {
        Err(NotClosed::InTheWay { period, obstacles }) => {
            // Whoever asks again in a minute finds it done.
            if obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::NotMeasuredAgain { .. })) {
                closer.again.ask(period);
            }
            return Err(NotClosed::InTheWay { period, obstacles }.into());
        }
        done => done?,
    };
    let version = versions::version(&state, &scope, &version).await?;
    state.ask_for_push(period);
    Ok(([(CACHE_CONTROL, "no-store")], Json(version)).into_response())
}

/// `POST {period}/restate`: what a restatement would write, or writing what was shown.
pub(super) async fn restate(
    Reader(scope): Reader,
    principal: Principal,
    Extract(state): Extract<State>,
    Path(period): Path<String>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    query.finish()?;
    whole(&scope)?;
    let sent: Restate =
        sent::object(&sent::json(&headers, body).await?, "{\"plan\": \"…\", \"reason\": \"…\"}")?;
    let period = months::period(&period)?;
    let _turn = state.turn().await?;
    let Some(plan) = sent.plan else {
        let planned = state.closer.plan(period).await?;
        let shown = planned.shown(state.demo);
        let mut text = Vec::new();
        price_diff::json(&shown, &mut text).map_err(|error| Error::Internal(error.to_string()))?;
        let diff: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| Error::Internal(error.to_string()))?;
        let plan = serde_json::json!({
            "plan": planned.plan,
            "period": period,
            "version": planned.base.version,
            "next_version": planned.base.version.saturating_add(1),
            "waited": planned.waited.iter().map(versions::Waiting::of).collect::<Vec<_>>(),
            "diff": diff,
        });
        return Ok(([(CACHE_CONTROL, "no-store")], Json(plan)).into_response());
    };
    let plan: Digest = plan.parse().map_err(|_| Error::Sent("`plan` is not that of a plan".to_owned()))?;
    let order = Order { by: by(sent.by, principal), how: ClosedHow::Hand, forced: None };
    let restated =
        state.closer.restate(period, plan, sent.reason.as_deref().unwrap_or_default(), order).await?;
    let version = versions::version(&state, &scope, &restated).await?;
    state.ask_for_push(period);
    Ok(([(CACHE_CONTROL, "no-store")], Json(version)).into_response())
}

/// It concerns all tenants, so only who sees all of them may.
fn whole(scope: &defray_ledger::Scope) -> Result<(), Error> {
    if scope.sees_everything() {
        return Ok(());
    }
    Err(LedgerError::OutOfScope("closing and restating months").into())
}

/// A name is told by who asks; what was proven is beside it.
fn by(told: Option<String>, Principal(proven): Principal) -> String {
    let told = told.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    told.map_or_else(|| proven.to_owned(), |name| format!("{name} ({proven})"))
}

fn told(obstacles: &[Obstacle]) -> Vec<Told> {
    let one = |obstacle: &Obstacle| Told {
        kind: obstacle.kind(),
        detail: obstacle.to_string(),
        can_be_forced: obstacle.can_be_forced(),
        passes: obstacle.passes(),
    };
    obstacles.iter().map(one).collect()
}
