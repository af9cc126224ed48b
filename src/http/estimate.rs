//! What a proposed tenant would cost: the number a portal shows before somebody asks for it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use defray_ledger::LedgerError;
use defray_pricing::estimate::Proposal;
use defray_reports::estimation;

use super::access::Reader;
use super::body::{Document, Place, respond};
use super::query::Query;
use super::{Error, State, months, yaml};
use crate::rerate::Wishes;

/// A Tenant resource as YAML.
pub(super) async fn tenant(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    mut query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    // It is made on everybody's month.
    if !scope.sees_everything() {
        return Err(LedgerError::OutOfScope("what a tenant would cost").into());
    }
    let period = query.one("period");
    let wishes = Wishes {
        period: None,
        cluster: query.one("cluster"),
        pool: query.one("pool"),
        instance_type: query.one("instance_type"),
        shared_pool: query.one("shared_pool"),
        storage_class: query.one("storage_class"),
    };
    query.finish()?;
    let period = period.as_deref().map(months::period).transpose()?;
    let wishes = Wishes { period, ..wishes };
    let text = yaml::text(&headers, body, Proposal::MOST_BYTES).await?;
    let form = state.ground.form(wishes.cluster.as_deref())?;
    let proposal =
        Proposal::parse("tenant", &text, &form).map_err(|problems| Error::Tenant(yaml::told(&problems)))?;
    let place = Place::take(&state).await?;
    let in_force = Arc::clone(&state.book.borrow());
    let estimated =
        state.rerate(|rerate| async move { Ok(rerate.estimate(proposal, &wishes, Some(&in_force)).await?) });
    let estimate = estimated.await?;
    let demo = state.demo;
    let document = Document { content_type: "application/json", disposition: None, cache: "no-store" };
    respond(&state, place, &headers, document, move |out| {
        estimation::json(&estimate, demo, out).map_err(|error| Error::Internal(error.to_string()))
    })
    .await
}
