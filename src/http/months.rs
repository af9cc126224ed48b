//! Months as the ledger has them, for the writers of reports.

use defray_ledger::{MonthRecord, PeriodEntry, PeriodState, Scope};
use defray_pricing::time::Period;
use defray_reports::{Coverage, Month, Status};

use super::{Error, State};

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
    Ok(Rated { month: facts(state, &entry, &record), record })
}

fn facts(state: &State, entry: &PeriodEntry, record: &MonthRecord) -> Month {
    Month {
        period: entry.period,
        hours: state.zone.hours(entry.period),
        status: status(entry.state),
        version: entry.version,
        currency: record.statements.currency,
        coverage: record
            .coverage
            .iter()
            .map(|(cluster, coverage)| (cluster.clone(), covered(*coverage)))
            .collect(),
        hours_missing: u64::from(record.hours_missing),
        book_versions: record.book_versions.clone(),
        book_digest: record.book_digest,
        demo: state.demo,
    }
}

/// Minutes as reports count them.
pub(super) const fn covered(coverage: defray_ledger::Coverage) -> Coverage {
    Coverage { minutes: coverage.minutes, of: coverage.of }
}

/// Where a period stands, in finance's words.
pub(super) const fn status(state: PeriodState) -> Status {
    match state {
        PeriodState::Open => Status::Open,
        PeriodState::Closed => Status::Final,
        PeriodState::Restated => Status::Restated,
    }
}

/// How long a reader may keep what it got of a month.
pub(super) const fn cache(status: Status) -> &'static str {
    match status {
        Status::Open => "private, max-age=60",
        // The same URL serves the next version one day, so it is kept but asked for.
        Status::Final | Status::Restated => "private, no-cache",
    }
}
