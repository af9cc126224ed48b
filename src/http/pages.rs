//! Pages for people: the months and their downloads, and the statements of one month.

use askama::Template;
use axum::extract::{Path, State as Extract};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use defray_ledger::{PeriodEntry, PeriodState, Scope};
use defray_pricing::money::{Currency, Money};
use defray_pricing::names::TenantName;
use defray_pricing::statement::{Reporting, Statement};
use defray_pricing::time::Period;

use super::access::Reader;
use super::body::{Document, Place, respond};
use super::health::Reason;
use super::query::Query;
use super::{Error, State, files, months, periods};

/// Revalidated each time: a page shows what is there now.
const CACHE: &str = "private, no-cache";

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    demo: bool,
    version: &'static str,
    zone: &'static str,
    reasons: Vec<Reason>,
    warnings: Vec<Reason>,
    months: Vec<MonthRow>,
    newest: Option<Statements>,
}

#[derive(Template)]
#[template(path = "period.html")]
struct OnePeriod {
    demo: bool,
    version: &'static str,
    zone: &'static str,
    month: MonthRow,
    statements: Statements,
}

struct MonthRow {
    period: String,
    name: String,
    state: &'static str,
    state_help: &'static str,
    amount: Option<String>,
    currency: String,
    coverage: Option<String>,
    incomplete: bool,
    missing: u32,
    lost: u32,
    statements: u32,
    rated: bool,
}

struct Statements {
    name: String,
    currency: String,
    rows: Vec<StatementRow>,
    total: String,
    unpriced: bool,
}

struct StatementRow {
    cost_center: String,
    tenant: String,
    reserved: Option<&'static str>,
    unpriced: bool,
    amount: String,
    /// The same in the reporting currency, or that there is no rate for it.
    reporting: Option<String>,
    csv: String,
    json: String,
}

/// The months, and who is charged what in the newest one that is rated.
pub(super) async fn index(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    query.finish()?;
    let place = Place::take(&state).await?;
    let periods = state.ledger.periods(&scope, state.zone).await?;
    let mut months = Vec::new();
    for entry in periods.iter().rev() {
        months.push(month_row(entry)?);
    }
    let newest = periods.iter().rev().find(|entry| entry.amount.is_some());
    let newest = match newest {
        Some(entry) => statements(&state, &scope, entry.period).await?,
        None => None,
    };
    let page = Index {
        demo: state.demo,
        version: env!("CARGO_PKG_VERSION"),
        zone: state.zone.name(),
        reasons: state.not_ready.reasons(),
        warnings: state.not_ready.warnings(),
        months,
        newest,
    };
    html(&state, place, &headers, &page).await
}

/// One month: every statement.
pub(super) async fn period(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    Path(period): Path<String>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    query.finish()?;
    let period = months::period(&period)?;
    let place = Place::take(&state).await?;
    let entry = months::entry(&state, &scope, period).await?;
    let statements = statements(&state, &scope, period).await?;
    let page = OnePeriod {
        demo: state.demo,
        version: env!("CARGO_PKG_VERSION"),
        zone: state.zone.name(),
        month: month_row(&entry)?,
        statements: statements.ok_or_else(|| Error::NotRated(period.to_string()))?,
    };
    html(&state, place, &headers, &page).await
}

/// The one style sheet.
pub(super) async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, CACHE)], include_str!("pages/style.css"))
}

async fn html(
    state: &State,
    place: Place,
    headers: &HeaderMap,
    page: &impl Template,
) -> Result<Response, Error> {
    let text = page.render().map_err(|error| Error::Internal(error.to_string()))?;
    let document = Document { content_type: "text/html; charset=utf-8", disposition: None, cache: CACHE };
    respond(state, place, headers, document, move |out| {
        out.write_all(text.as_bytes()).map_err(|error| Error::Internal(error.to_string()))
    })
    .await
}

fn month_row(entry: &PeriodEntry) -> Result<MonthRow, Error> {
    let exponent = entry.currency.map_or(0, |currency| currency.exponent());
    let coverage = periods::coverage(entry)?;
    Ok(MonthRow {
        period: entry.period.to_string(),
        name: month_name(entry.period),
        state: entry.state.as_str(),
        state_help: match entry.state {
            PeriodState::Open => "amounts still change with every measured hour",
            PeriodState::Closed => "amounts are final",
            PeriodState::Restated => "closed again with corrections",
        },
        amount: entry.amount.map(|amount| grouped(&amount.format(exponent))),
        currency: entry.currency.map(|currency| currency.to_string()).unwrap_or_default(),
        incomplete: coverage.as_deref().is_some_and(|coverage| coverage != "1.0000"),
        coverage: coverage.as_deref().map(percent),
        missing: entry.hours_missing,
        lost: entry.hours_lost,
        statements: entry.statements,
        rated: entry.amount.is_some(),
    })
}

async fn statements(state: &State, scope: &Scope, period: Period) -> Result<Option<Statements>, Error> {
    let Some(record) = state.ledger.month(scope, period).await? else { return Ok(None) };
    let month = record.statements;
    let currency = month.currency;
    let rows: Vec<StatementRow> =
        month.statements.iter().map(|statement| row(period, currency, statement)).collect();
    Ok(Some(Statements {
        name: month_name(period),
        currency: currency.to_string(),
        unpriced: rows.iter().any(|row| row.unpriced),
        rows,
        total: money(month.amount, currency),
    }))
}

fn row(period: Period, currency: Currency, statement: &Statement) -> StatementRow {
    let tenant = statement.tenant.as_str();
    StatementRow {
        cost_center: statement.cost_center.to_string(),
        tenant: tenant.to_owned(),
        reserved: match tenant {
            TenantName::PLATFORM => Some("kept by the platform"),
            TenantName::UNASSIGNED => Some("owned by nobody"),
            _ => None,
        },
        unpriced: statement.lines.iter().any(|line| line.key.kind == defray_pricing::charge::Kind::Unpriced),
        amount: money(statement.amount, currency),
        reporting: statement.reporting.map(|Reporting { currency, converted }| match converted {
            Some(converted) => format!("{} {currency}", money(converted.amount, currency)),
            None => format!("no rate for {currency}"),
        }),
        csv: format!(
            "/api/v1/reports/{period}.csv?tenant={}&cost_center={}",
            files::percent_encoded(tenant),
            files::percent_encoded(statement.cost_center.as_str())
        ),
        json: format!("/api/v1/reports/{period}/{}.json", files::percent_encoded(tenant)),
    }
}

fn money(amount: Money, currency: Currency) -> String {
    grouped(&amount.format(currency.exponent()))
}

/// Thousands apart by a narrow space, which no language takes for a decimal sign.
fn grouped(decimal: &str) -> String {
    let (sign, digits) = decimal.strip_prefix('-').map_or(("", decimal), |digits| ("\u{2212}", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut out = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        let rest = whole.len().saturating_sub(index);
        if index > 0 && rest.is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// `0.9986` as `99.86 %`, digit by digit.
fn percent(ratio: &str) -> String {
    let (whole, fraction) = ratio.split_once('.').unwrap_or((ratio, "0000"));
    let digits = format!("{whole}{fraction}");
    let (percent, rest) = digits.split_at_checked(digits.len().saturating_sub(2)).unwrap_or((&digits, ""));
    let percent = percent.trim_start_matches('0');
    format!("{}.{rest}\u{202f}%", if percent.is_empty() { "0" } else { percent })
}

fn month_name(period: Period) -> String {
    period.first_day().format("%B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_for_the_eye_and_keep_every_digit() {
        for (decimal, shown) in [
            ("0.00", "0.00"),
            ("999.10", "999.10"),
            ("1234.57", "1\u{202f}234.57"),
            ("-1234567.00", "\u{2212}1\u{202f}234\u{202f}567.00"),
            ("123456", "123\u{202f}456"),
        ] {
            assert_eq!(grouped(decimal), shown);
        }
    }

    #[test]
    fn shares_are_percent() {
        for (ratio, shown) in
            [("1.0000", "100.00"), ("0.9986", "99.86"), ("0.0500", "5.00"), ("0.0001", "0.01")]
        {
            assert_eq!(percent(ratio), format!("{shown}\u{202f}%"));
        }
    }
}
