//! A month as the ledger has it, in the words of reports: the one place where the two meet.

use defray_ledger::{MonthRecord, PeriodEntry, PeriodState};
use defray_pricing::time::{BillingZone, Period};
use defray_reports::{Coverage, Month, Status};

/// What is known about a month besides its statements.
pub fn facts(entry: &PeriodEntry, record: &MonthRecord, zone: BillingZone, demo: bool) -> Month {
    of_version(entry.period, entry.state, entry.version, record, zone, demo)
}

/// The same of one version of a month: as it is, as it was, or as it will be once it is closed.
pub fn of_version(
    period: Period,
    state: PeriodState,
    version: u32,
    record: &MonthRecord,
    zone: BillingZone,
    demo: bool,
) -> Month {
    let coverage = record.coverage.iter();
    Month {
        period,
        hours: zone.hours(period),
        status: status(state),
        version,
        currency: record.statements.currency,
        coverage: coverage.map(|(cluster, coverage)| (cluster.clone(), covered(*coverage))).collect(),
        hours_missing: u64::from(record.hours_missing),
        hours_lost: u64::from(record.hours_lost),
        book_versions: record.book_versions.clone(),
        book_digest: record.book_digest,
        demo,
    }
}

/// Minutes as reports count them.
pub const fn covered(coverage: defray_ledger::Coverage) -> Coverage {
    Coverage { minutes: coverage.minutes, of: coverage.of }
}

/// Where a period stands, in finance's words.
pub const fn status(state: PeriodState) -> Status {
    match state {
        PeriodState::Open => Status::Open,
        PeriodState::Closed => Status::Final,
        PeriodState::Restated => Status::Restated,
    }
}
