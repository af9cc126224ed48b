//! The monthly statement: whole, summed up, and of one tenant.

use std::convert::Infallible;

use axum::extract::{Path, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use defray_ledger::Scope;
use defray_pricing::names::TenantName;
use defray_pricing::statement::Statement;
use defray_reports::{Month, csv, json};

use super::access::Reader;
use super::body::{Document, Place, respond};
use super::months::{self, Rated};
use super::query::Query;
use super::{Error, State, files};

const CSV: &str = "text/csv; charset=utf-8; header=present";
const JSON: &str = "application/json";

/// `{period}.csv` and `{period}.json`.
pub(super) async fn month(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    Path(file): Path<String>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response, Error> {
    let selection = Selection { tenants: query.each("tenant"), cost_centers: query.each("cost_center") };
    query.finish()?;
    let unknown = || Error::NoSuchFile { name: file.clone(), known: "{period}.csv and {period}.json" };
    let (period, format) = file.rsplit_once('.').ok_or_else(unknown)?;
    let is_csv = match format {
        "csv" => true,
        "json" => false,
        _ => return Err(unknown()),
    };
    let period = months::period(period)?;
    let place = Place::take(&state).await?;
    let rated = months::rated(&state, &scope, period).await?;
    let name = selection.file_name(&rated, format)?;
    let document = Document {
        content_type: if is_csv { CSV } else { JSON },
        disposition: Some(if is_csv { files::saved(&name) } else { files::shown(&name) }),
        cache: months::cache(rated.month.status),
    };
    let definition = state.0.definitions.statement.clone();
    respond(&state, place, &headers, document, move |out| {
        let statements = selected(&rated, &selection);
        if is_csv {
            Ok(csv::write(&definition, &rated.month, statements, out)?)
        } else {
            Ok(json::write(&rated.month, statements, out)?)
        }
    })
    .await
}

/// Which statements were asked for; an empty list lets all pass.
struct Selection {
    tenants: Vec<String>,
    cost_centers: Vec<String>,
}

impl Selection {
    fn passes(&self, statement: &Statement) -> bool {
        let one_of = |names: &[String], name: &str| names.is_empty() || names.iter().any(|n| n == name);
        one_of(&self.tenants, statement.tenant.as_str())
            && one_of(&self.cost_centers, statement.cost_center.as_str())
    }

    /// The name of the download, if there is anything to download.
    fn file_name(&self, rated: &Rated, format: &str) -> Result<String, Error> {
        let names = [self.tenants.as_slice(), self.cost_centers.as_slice()].concat();
        if names.is_empty() {
            return Ok(file_name(&rated.month, "chargeback", None, format));
        }
        if selected(rated, self).next().is_none() {
            let period = rated.month.period.to_string();
            return Err(Error::NoSuchTenant { tenant: names.join(" / "), period });
        }
        Ok(file_name(&rated.month, "statement", Some(&names.join("_")), format))
    }
}

fn selected<'a>(
    rated: &'a Rated,
    selection: &'a Selection,
) -> impl Iterator<Item = Result<&'a Statement, Infallible>> {
    let all = rated.record.statements.statements.iter();
    all.filter(|statement| selection.passes(statement)).map(Ok)
}

/// `{period}/summary.csv` and `{period}/{tenant}.json`.
pub(super) async fn part(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    Path((period, file)): Path<(String, String)>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    query.finish()?;
    if file == "summary.csv" {
        return summary(&state, &scope, &period, &headers).await;
    }
    let known = "summary.csv and {tenant}.json";
    let tenant = file.strip_suffix(".json").ok_or(Error::NoSuchFile { name: file.clone(), known })?;
    let tenant = TenantName::from(tenant);
    let period = months::period(&period)?;
    let missing = || Error::NoSuchTenant { tenant: tenant.to_string(), period: period.to_string() };
    if !scope.sees(&tenant) {
        return Err(missing());
    }
    let place = Place::take(&state).await?;
    let only = Scope::tenants([tenant.clone()].into());
    let rated = months::rated(&state, &only, period).await?;
    let selection = Selection { tenants: vec![tenant.to_string()], cost_centers: Vec::new() };
    let name = selection.file_name(&rated, "json")?;
    let document = Document {
        content_type: JSON,
        disposition: Some(files::shown(&name)),
        cache: months::cache(rated.month.status),
    };
    respond(&state, place, &headers, document, move |out| {
        Ok(json::write(&rated.month, selected(&rated, &selection), out)?)
    })
    .await
}

async fn summary(state: &State, scope: &Scope, period: &str, headers: &HeaderMap) -> Result<Response, Error> {
    let period = months::period(period)?;
    let place = Place::take(state).await?;
    let rated = months::rated(state, scope, period).await?;
    let name = file_name(&rated.month, "chargeback_summary", None, "csv");
    let document = Document {
        content_type: CSV,
        disposition: Some(files::saved(&name)),
        cache: months::cache(rated.month.status),
    };
    let definition = state.0.definitions.summary.clone();
    respond(state, place, headers, document, move |out| {
        Ok(csv::write(
            &definition,
            &rated.month,
            rated.record.statements.statements.iter().map(Ok::<_, Infallible>),
            out,
        )?)
    })
    .await
}

/// `chargeback_2026-10_open_r1.csv`: what it is, of when, and whether it still moves.
fn file_name(month: &Month, what: &str, of: Option<&str>, format: &str) -> String {
    let demo = if month.demo { "demo_" } else { "" };
    let of = of.map(|of| format!("_{of}")).unwrap_or_default();
    format!("{demo}{what}_{}{of}_{}_r{}.{format}", month.period, month.status, month.version)
}
