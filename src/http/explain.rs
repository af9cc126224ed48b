//! Why a tenant pays what it pays.

use axum::extract::{Path, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use defray_pricing::names::TenantName;
use defray_reports::{explanation, has_words};

use super::access::Reader;
use super::body::{Document, Place, respond};
use super::error::Parameter;
use super::query::Query;
use super::{Error, State, months};
use crate::rerate::Question;

/// `{period}/{tenant}`: a tenant's reader gets its own, and of others nothing but sums.
pub(super) async fn tenant(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    Path((period, tenant)): Path<(String, String)>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response, Error> {
    let cost_center = query.one("cost_center");
    let words = query.one("line").unwrap_or_default();
    let asked = words.clone();
    let granularity = query.one("granularity");
    let by_hour = match granularity.as_deref() {
        None | Some("day") => false,
        Some("hour") => true,
        Some(_) => {
            query.refuse("granularity", "it is neither `day` nor `hour`");
            false
        }
    };
    query.finish()?;
    let period = months::period(&period)?;
    let missing = || Error::NoSuchTenant { tenant: tenant.clone(), period: period.to_string() };
    let name = TenantName::from(tenant.as_str());
    if !scope.sees(&name) {
        return Err(missing());
    }
    let place = Place::take(&state).await?;
    let question = Question { tenant: name, cost_center: cost_center.map(Into::into), by_hour };
    let explained = state.rerate(|rerate| async move {
        let month = rerate.stored(period).await?;
        let explanation = rerate.explain(&month, question, |line| has_words(line, &words)).await?;
        Ok((explanation, month.current))
    });
    let (explanation, of_stored) = explained.await?;
    if explanation.statements.is_empty() {
        return Err(missing());
    }
    if let Some(reason) = explanation::no_such_line(&explanation, &asked) {
        return Err(Error::Parameters(vec![Parameter { name: "line".to_owned(), reason }]));
    }
    let shown = explanation::Explained { explanation, of_stored, demo: state.demo };
    let document =
        Document { content_type: "application/json", disposition: None, cache: "private, no-cache" };
    respond(&state, place, &headers, document, move |out| {
        explanation::json(&shown, out).map_err(|error| Error::Internal(error.to_string()))
    })
    .await
}
