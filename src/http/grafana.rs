//! Costs as rows for Grafana, by day and by month.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::NaiveDate;
use defray_ledger::{LedgerError, PeriodEntry, PeriodState, Scope};
use defray_pricing::names::{ClusterName, TenantName};
use defray_pricing::time::{Hour, HourRange, Period};
use defray_pricing::usage::Minutes;
use defray_reports::Coverage;
use defray_reports::grafana::{Bucket, Costs, Dimension, Filter, Meta};

use super::access::Reader;
use super::body::{Document, Place, respond};
use super::query::Query;
use super::window::Window;
use super::{Error, State};
use crate::month;

/// More days than a year and a bit make no picture.
const MAX_DAYS: i64 = 400;
/// Ten years.
const MAX_MONTHS: usize = 120;
/// Days that are read from the ledger at once.
const DAYS_AT_ONCE: u64 = 7;
/// A minute's old series is good enough for a dashboard.
const CACHE: &str = "private, max-age=60";

/// What was asked for.
struct Asked {
    window: Window,
    costs: Costs,
    /// The part of the reader's scope that was asked for.
    narrow: Scope,
}

/// One row for every local day and group, exact; what acts on the month beside them.
pub(super) async fn daily(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    let Asked { window, mut costs, narrow } = asked(&state, query, &scope)?;
    let (first, after) = window.days(&state);
    if after.signed_duration_since(first).num_days() > MAX_DAYS {
        return Err(Error::TooLarge(format!("more than {MAX_DAYS} days; ask for fewer, or for months")));
    }
    let place = Place::take(&state).await?;
    let periods = entries(&state, &scope).await?;
    let coverage = day_coverage(&state, &scope, first, after).await?;
    let mut day = first;
    while day < after {
        let until = day.checked_add_days(chrono::Days::new(DAYS_AT_ONCE)).unwrap_or(after).min(after);
        for amount in state.ledger.daily(&narrow, day, until).await? {
            let bucket = Bucket {
                start: state.zone.midnight(amount.day),
                settled: settled(&periods, Period::of_date(amount.day)),
                coverage: coverage.get(&amount.day).copied(),
            };
            costs.add_charge(bucket, &amount.charge)?;
        }
        day = until;
    }
    for period in window.periods(&state).filter(|period| whole(&state, window, *period)) {
        add_month_level(&state, &narrow, period, &mut costs).await?;
    }
    answer(&state, place, &headers, window, costs, &periods).await
}

/// One row for every month and group: the statements, as they are rounded.
pub(super) async fn monthly(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    let Asked { window, mut costs, narrow } = asked(&state, query, &scope)?;
    let asked: Vec<Period> = window.periods(&state).take(MAX_MONTHS.saturating_add(1)).collect();
    if asked.len() > MAX_MONTHS {
        return Err(Error::TooLarge(format!("more than {MAX_MONTHS} months; ask for fewer")));
    }
    let place = Place::take(&state).await?;
    let periods = entries(&state, &scope).await?;
    for period in asked.into_iter().filter(|period| periods.contains_key(period)) {
        let Some(record) = state.ledger.month(&narrow, period).await? else { continue };
        let all = record.coverage.values().map(|coverage| month::covered(*coverage));
        let bucket = Bucket {
            start: state.zone.midnight(period.first_day()),
            settled: settled(&periods, period),
            coverage: Some(all.into_iter().try_fold(Coverage::default(), Coverage::checked_add)?),
        };
        for statement in &record.statements.statements {
            costs.add_statement(bucket, statement)?;
        }
    }
    answer(&state, place, &headers, window, costs, &periods).await
}

fn asked(state: &State, mut query: Query, scope: &Scope) -> Result<Asked, Error> {
    let window = Window::read(&mut query, state);
    let mut dimensions = Vec::new();
    for name in query.many("group_by") {
        let dimension = Dimension::ALL.into_iter().find(|dimension| dimension.as_str() == name);
        if dimension.is_none() {
            let known = Dimension::ALL.map(Dimension::as_str).join(", ");
            query.refuse("group_by", format!("`{name}` is none of {known}"));
        }
        dimensions.extend(dimension);
    }
    if dimensions.is_empty() {
        dimensions = vec![Dimension::Tenant, Dimension::CostCenter];
    }
    let tenants: BTreeSet<String> = query.many("tenant").into_iter().collect();
    let cost_centers = query.many("cost_center").into_iter().collect();
    query.finish()?;
    // The query refuses to finish when the window was wrong.
    let window = window.ok_or_else(|| Error::Internal("a window without a problem".to_owned()))?;
    let narrow = if tenants.is_empty() { scope.clone() } else { narrowed(scope, &tenants) };
    Ok(Asked { window, costs: Costs::new(dimensions, Filter { tenants, cost_centers }), narrow })
}

/// The part of a scope that was asked for, so that the ledger reads no more than that.
fn narrowed(scope: &Scope, tenants: &BTreeSet<String>) -> Scope {
    let seen = tenants.iter().map(|name| TenantName::from(name.as_str())).filter(|name| scope.sees(name));
    Scope::tenants(seen.collect())
}

async fn answer(
    state: &State,
    place: Place,
    headers: &HeaderMap,
    window: Window,
    costs: Costs,
    periods: &BTreeMap<Period, PeriodEntry>,
) -> Result<Response, Error> {
    let meta = Meta {
        currency: periods.values().find_map(|entry| entry.currency),
        from: window.from,
        to: window.to,
        final_until: final_until(periods.values().map(|entry| (entry.period, entry.state))),
        demo: state.demo,
    };
    let document = Document { content_type: "application/json", disposition: None, cache: CACHE };
    respond(state, place, headers, document, move |out| Ok(costs.write(&meta, out)?)).await
}

/// The last day up to which every month is closed: what lies behind an open month is not all final.
fn final_until(periods: impl Iterator<Item = (Period, PeriodState)>) -> Option<NaiveDate> {
    let closed = periods.take_while(|(_, state)| *state != PeriodState::Open).last();
    closed.and_then(|(period, _)| period.next().first_day().pred_opt())
}

async fn entries(state: &State, scope: &Scope) -> Result<BTreeMap<Period, PeriodEntry>, Error> {
    let periods = state.ledger.periods(scope, state.zone).await?;
    Ok(periods.into_iter().map(|entry| (entry.period, entry)).collect())
}

fn settled(periods: &BTreeMap<Period, PeriodEntry>, period: Period) -> bool {
    periods.get(&period).is_some_and(|entry| entry.state != PeriodState::Open)
}

/// Whether every day of a period that has begun lies in the window: only then do its days and what acts on
/// the month make the statements together.
fn whole(state: &State, window: Window, period: Period) -> bool {
    let (first, after) = window.days(state);
    let tomorrow = state.zone.day_of(Hour::containing(state.clock.now())).succ_opt();
    let end = period.next().first_day();
    first <= period.first_day() && after >= tomorrow.map_or(end, |tomorrow| end.min(tomorrow))
}

async fn add_month_level(
    state: &State,
    scope: &Scope,
    period: Period,
    costs: &mut Costs,
) -> Result<(), Error> {
    let Some(record) = state.ledger.month(scope, period).await? else { return Ok(()) };
    let start = state.zone.midnight(period.first_day());
    for charge in &record.statements.month_level {
        costs.add_month_level(start, charge)?;
    }
    for line in record.statements.statements.iter().flat_map(|statement| &statement.lines) {
        costs.add_rounding(start, line)?;
    }
    Ok(())
}

/// How much of each day was measured, over all clusters: an hour counts as its least covered source. From the
/// first to the last hour of which anything is known every hour is due, and one that is not recorded counts as
/// nothing, whether anybody noted it as missing or not.
async fn day_coverage(
    state: &State,
    scope: &Scope,
    first: NaiveDate,
    after: NaiveDate,
) -> Result<BTreeMap<NaiveDate, Coverage>, Error> {
    let range =
        HourRange { from: state.zone.hours_of_day(first).from, until: state.zone.hours_of_day(after).from };
    let mut days: BTreeMap<NaiveDate, Coverage> = BTreeMap::new();
    let mut add = |hour, minutes: u64| {
        let day = days.entry(state.zone.day_of(hour)).or_default();
        let both = day.checked_add(Coverage { minutes, of: 60 });
        both.map(|sum| *day = sum)
    };
    let (known, noted) = match (state.ledger.clusters(scope).await, state.ledger.missing(scope).await) {
        // A tenant's reader does not see clusters, and is told no coverage.
        (Err(LedgerError::OutOfScope(_)), _) | (_, Err(LedgerError::OutOfScope(_))) => {
            return Ok(BTreeMap::new());
        }
        (clusters, missing) => (clusters?, missing?),
    };
    let clusters: BTreeSet<ClusterName> =
        known.into_iter().chain(noted.iter().map(|note| note.cluster.clone())).collect();
    for cluster in clusters {
        let recorded = state.ledger.recorded_range(scope, &cluster).await?;
        let noted = noted.iter().filter(|note| note.cluster == cluster);
        let noted = noted.map(|note| HourRange { from: note.hour, until: note.hour.next() });
        let due = recorded
            .into_iter()
            .chain(noted)
            .reduce(|a, b| HourRange { from: a.from.min(b.from), until: a.until.max(b.until) });
        let Some(due) = due else { continue };
        let due = HourRange { from: due.from.max(range.from), until: due.until.min(range.until) };
        let hours = state.ledger.hours(scope, &cluster, range).await?;
        let least: BTreeMap<Hour, u64> = hours
            .iter()
            .map(|entry| (entry.hour, entry.coverage.values().copied().min().map_or(0, Minutes::get).into()))
            .collect();
        for hour in due.iter() {
            add(hour, least.get(&hour).copied().unwrap_or(0))?;
        }
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use PeriodState::{Closed, Open, Restated};

    use super::*;

    #[test]
    fn final_ends_before_the_first_open_month() {
        let until = |states: &[(&str, PeriodState)]| {
            let periods = states.iter().map(|(period, state)| (period.parse().unwrap(), *state));
            final_until(periods).map(|day| day.to_string()).unwrap_or_default()
        };
        for (states, expected) in [
            (&[][..], ""),
            (&[("2026-08", Open), ("2026-09", Closed)], ""),
            (&[("2026-08", Closed), ("2026-09", Open), ("2026-10", Closed)], "2026-08-31"),
            (&[("2026-08", Closed), ("2026-09", Restated), ("2026-10", Open)], "2026-09-30"),
        ] {
            assert_eq!(until(states), expected, "{states:?}");
        }
    }
}
