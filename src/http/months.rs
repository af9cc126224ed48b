//! Months as the ledger has them, for the writers of reports.

use defray_ledger::{MonthRecord, PeriodEntry, Scope};
use defray_pricing::time::Period;
use defray_reports::{Month, Status};

use super::{Error, State};
use crate::month;

/// A month that is rated: its facts and its statements.
#[derive(Debug)]
pub(super) struct Rated {
    pub(super) month: Month,
    pub(super) record: MonthRecord,
}

/// The period a path names.
pub(super) fn period(text: &str) -> Result<Period, Error> {
    text.parse().map_err(|_| Error::NotAPeriod(text.to_owned()))
}

/// What is known about a period.
pub(super) async fn entry(state: &State, scope: &Scope, period: Period) -> Result<PeriodEntry, Error> {
    let periods = state.ledger.periods(scope, state.zone).await?;
    let found = periods.into_iter().find(|entry| entry.period == period);
    found.ok_or_else(|| Error::NoSuchPeriod(period.to_string()))
}

/// A month with its statements in scope.
pub(super) async fn rated(state: &State, scope: &Scope, period: Period) -> Result<Rated, Error> {
    let entry = entry(state, scope, period).await?;
    let record = state.ledger.month(scope, period).await?;
    let record = record.ok_or_else(|| Error::NotRated(period.to_string()))?;
    let month = month::facts(&entry, &record, state.zone, state.demo);
    Ok(Rated { month, record })
}

/// How long a reader may keep what it got of a month.
pub(super) const fn cache(status: Status) -> &'static str {
    match status {
        Status::Open => "private, max-age=60",
        // The same URL serves the next version one day, so it is kept but asked for.
        Status::Final | Status::Restated => "private, no-cache",
    }
}
