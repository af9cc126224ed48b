//! What a month will come to, and what of it is within budgets. Estimates, which say how they are made and how
//! far off they were.

use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use defray_ledger::Scope;
use defray_pricing::Overflow;
use defray_pricing::book::{Budget, BudgetOf, PriceBook};
use defray_pricing::forecast::{METHOD, ratio};
use defray_pricing::money::{Currency, Money};
use defray_pricing::time::{Hour, Period};
use defray_reports::SCHEMA_VERSION;
use serde::Serialize;

use super::access::Reader;
use super::body::{Document, Place, respond};
use super::query::Query;
use super::{Error, State};
use crate::outlook::{self, Ahead, Outlook, TestedError};

/// What every answer about a month that is not over begins with.
#[derive(Serialize)]
struct Head {
    schema_version: &'static str,
    period: String,
    currency: String,
    demo: bool,
    /// Always true: nothing here is a statement.
    estimate: bool,
    method: &'static str,
    hours_known: u32,
    hours_estimated: u32,
}

#[derive(Serialize)]
struct Forecast {
    #[serde(flatten)]
    head: Head,
    tested_on: Vec<String>,
    total: Item,
    cost_centers: Vec<Item>,
    tenants: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    #[serde(flatten)]
    of: Of,
    so_far: String,
    forecast: Option<String>,
    budget: Option<Share>,
    tested: Vec<Tested>,
}

/// Whose something is; neither for the total.
#[derive(Serialize)]
struct Of {
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_center: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
}

#[derive(Serialize)]
struct Tested {
    after_day: u32,
    months: usize,
    mean_absolute_error_percent: Option<String>,
}

#[derive(Serialize)]
struct Budgets {
    #[serde(flatten)]
    head: Head,
    items: Vec<BudgetItem>,
}

#[derive(Serialize)]
struct BudgetItem {
    #[serde(flatten)]
    of: Of,
    from: String,
    /// The first month in which it does not hold any more; null for good.
    until: Option<String>,
    so_far: String,
    remaining: String,
    forecast: Option<String>,
    #[serde(flatten)]
    share: Share,
}

#[derive(Serialize)]
struct Share {
    per_month: String,
    used_ratio: Option<String>,
    forecast_ratio: Option<String>,
}

/// What a month will come to, for each tenant and cost centre.
pub(super) async fn forecast(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    let (period, book) = (asked(&state, query)?, state.book.borrow().clone());
    let place = Place::take(&state).await?;
    let outlook = read(&state, &scope, period, &book, true).await?;
    let budget_of = |of: &BudgetOf| book.budgets_in(period).find(|budget| budget.of == *of);
    let (mut cost_centers, mut tenants) = (Vec::new(), Vec::new());
    for (of, ahead) in &outlook.of {
        let budget = budget_of(of).map(|budget| share(budget, ahead, outlook.currency)).transpose()?;
        let list = if matches!(of, BudgetOf::CostCenter(_)) { &mut cost_centers } else { &mut tenants };
        list.push(item(Of::named(of), ahead, outlook.currency, budget));
    }
    let answer = Forecast {
        head: head(&state, period, &outlook),
        tested_on: outlook.tested.iter().map(Period::to_string).collect(),
        total: item(Of { cost_center: None, tenant: None }, &outlook.total, outlook.currency, None),
        cost_centers,
        tenants,
    };
    told(&state, place, &headers, answer).await
}

/// The budgets of a month, and how much of them is used.
pub(super) async fn budgets(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    let (period, book) = (asked(&state, query)?, state.book.borrow().clone());
    let place = Place::take(&state).await?;
    let outlook = read(&state, &scope, period, &book, false).await?;
    let mut items = Vec::new();
    for budget in book.budgets_in(period) {
        let Some(ahead) = outlook.of.get(&budget.of) else { continue };
        let (currency, exponent) = (outlook.currency, outlook.currency.exponent());
        items.push(BudgetItem {
            of: Of::named(&budget.of),
            from: budget.from.to_string(),
            until: budget.until.map(|until| until.to_string()),
            so_far: ahead.so_far.format(exponent),
            remaining: budget.per_month.checked_sub(ahead.so_far)?.format(exponent),
            forecast: ahead.expected.map(|expected| expected.format(exponent)),
            share: share(budget, ahead, currency)?,
        });
    }
    told(&state, place, &headers, Budgets { head: head(&state, period, &outlook), items }).await
}

/// The month that is asked for; the current one where none is.
fn asked(state: &State, mut query: Query) -> Result<Period, Error> {
    let current = state.zone.period_of(Hour::containing(state.clock.now()));
    let period = match query.one("period").map(|text| (text.parse::<Period>(), text)) {
        None => current,
        Some((Ok(period), _)) => period,
        Some((Err(_), text)) => {
            query.refuse("period", format!("`{text}` is not a billing period such as 2026-10"));
            current
        }
    };
    query.finish()?;
    Ok(period)
}

async fn read(
    state: &State,
    scope: &Scope,
    period: Period,
    book: &PriceBook,
    test: bool,
) -> Result<Outlook, Error> {
    let budgeted = book.budgets_in(period).map(|budget| budget.of.clone()).collect();
    let outlook = outlook::of_month(&state.ledger, scope, state.zone, period, budgeted, test).await;
    let outlook = outlook.map_err(|error| match error {
        outlook::NoOutlook::Ledger(error) => Error::Ledger(error),
        outlook::NoOutlook::Overflow(overflow) => overflow.into(),
    })?;
    outlook.ok_or_else(|| Error::NotRated(period.to_string()))
}

async fn told<T: Serialize + Send + Sync + 'static>(
    state: &State,
    place: Place,
    headers: &HeaderMap,
    answer: T,
) -> Result<Response, Error> {
    let document =
        Document { content_type: "application/json", disposition: None, cache: "private, no-cache" };
    respond(state, place, headers, document, move |out| {
        serde_json::to_writer(out, &answer).map_err(|error| Error::Internal(error.to_string()))
    })
    .await
}

fn head(state: &State, period: Period, outlook: &Outlook) -> Head {
    Head {
        schema_version: SCHEMA_VERSION,
        period: period.to_string(),
        currency: outlook.currency.to_string(),
        demo: state.demo,
        estimate: true,
        method: METHOD,
        hours_known: outlook.known_hours,
        hours_estimated: outlook.estimated_hours,
    }
}

impl Of {
    fn named(of: &BudgetOf) -> Self {
        match of {
            BudgetOf::CostCenter(name) => Self { cost_center: Some(name.to_string()), tenant: None },
            BudgetOf::Tenant(name) => Self { cost_center: None, tenant: Some(name.to_string()) },
        }
    }
}

fn item(of: Of, ahead: &Ahead, currency: Currency, budget: Option<Share>) -> Item {
    let amount = |money: Money| money.format(currency.exponent());
    Item {
        of,
        so_far: amount(ahead.so_far),
        forecast: ahead.expected.map(amount),
        budget,
        tested: ahead.errors.iter().map(tested).collect(),
    }
}

fn tested(error: &TestedError) -> Tested {
    Tested { after_day: error.day, months: error.months, mean_absolute_error_percent: error.percent.clone() }
}

fn share(budget: &Budget, ahead: &Ahead, currency: Currency) -> Result<Share, Overflow> {
    let forecast = ahead.expected.map(|expected| ratio(expected, budget.per_month)).transpose()?;
    Ok(Share {
        per_month: budget.per_month.format(currency.exponent()),
        used_ratio: ratio(ahead.so_far, budget.per_month)?,
        forecast_ratio: forecast.flatten(),
    })
}
