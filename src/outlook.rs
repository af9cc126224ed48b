//! What is stored of a month, looked ahead: what each tenant and cost centre was charged so far, what the
//! month will come to, and how far off the same method was in months that are over.
//!
//! The interface answers with it and a job shows it as metrics; nobody keeps it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use defray_ledger::{DailyTotal, Ledger, LedgerError, MonthRecord, Scope};
use defray_pricing::Overflow;
use defray_pricing::book::BudgetOf;
use defray_pricing::charge::Kind;
use defray_pricing::forecast::{MonthLevel, RatedDay, Standing, TEST_DAYS, mean_error};
use defray_pricing::money::{Currency, Money};
use defray_pricing::names::{CostCenter, TenantName};
use defray_pricing::time::{BillingZone, Period};

/// How many months that are over the method is tested on.
const TEST_MONTHS: usize = 3;

/// Daily amounts of something, before what acts on the month.
type Daily = BTreeMap<NaiveDate, Money>;

/// A month looked ahead.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// Of every amount.
    pub currency: Currency,
    /// Hours whose amounts are exact.
    pub known_hours: u32,
    /// Hours whose amounts are estimated.
    pub estimated_hours: u32,
    /// Each tenant and cost centre in scope.
    pub of: BTreeMap<BudgetOf, Ahead>,
    /// All that is in scope.
    pub total: Ahead,
    /// The months the method was tested on, earliest first.
    pub tested: Vec<Period>,
}

/// What something was charged so far and will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// What its statements come to so far.
    pub so_far: Money,
    /// What they will come to, in whole minor units; none while no day is known without a gap.
    pub expected: Option<Money>,
    /// How far off forecasts of it were.
    pub errors: Vec<TestedError>,
}

/// How far off forecasts as of one day of the month were, in months that are over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedError {
    /// After this day of the month.
    pub day: u32,
    /// In how many months there was a forecast and something to hold it against.
    pub months: usize,
    /// The mean absolute error, in per cent of what came.
    pub percent: Option<String>,
}

/// One statement while it is gathered.
#[derive(Debug, Default)]
struct Gathered {
    so_far: Money,
    daily: Daily,
    month_level: MonthLevel,
}

/// What the ledger has of one month.
struct Stored {
    standing: Standing,
    days: Vec<RatedDay>,
    daily: Vec<DailyTotal>,
}

/// Why a month cannot be looked ahead.
#[derive(Debug, thiserror::Error)]
pub enum NoOutlook {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An amount does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// Looks a month ahead; none if it is not rated yet. `also` are things that are told of even where nothing was
/// charged; of cost centres only whoever sees everything is told. With `test` the method is tested on months
/// that are over.
pub async fn of_month(
    ledger: &Ledger,
    scope: &Scope,
    zone: BillingZone,
    period: Period,
    also: BTreeSet<BudgetOf>,
    test: bool,
) -> Result<Option<Outlook>, NoOutlook> {
    let Some(record) = ledger.month(scope, period).await? else { return Ok(None) };
    let stored = stored(ledger, scope, zone, period).await?;
    let whole = scope.sees_everything();
    let exponent = record.statements.currency.exponent();
    let mut sums: BTreeMap<BudgetOf, Ahead> =
        also.into_iter().filter(|of| sees(scope, of)).map(|of| (of, Ahead::nothing())).collect();
    let mut total = Ahead::nothing();
    // Each statement is looked ahead by itself, and rounded as it will be: whatever is summed adds up.
    for ((tenant, cost_center), one) in gather(&record, &stored.daily)? {
        let expected = expected(&stored.standing, &one, exponent)?;
        total.add(one.so_far, expected)?;
        sums.entry(BudgetOf::Tenant(tenant)).or_insert_with(Ahead::nothing).add(one.so_far, expected)?;
        if whole {
            let sum = sums.entry(BudgetOf::CostCenter(cost_center)).or_insert_with(Ahead::nothing);
            sum.add(one.so_far, expected)?;
        }
    }
    let past = if test { past(ledger, scope, zone, period).await? } else { Vec::new() };
    if test {
        for (key, one) in &mut sums {
            one.errors = tested(&past, |past| past.of.get(key))?;
        }
        total.errors = tested(&past, |past| Some(&past.total))?;
    }
    Ok(Some(Outlook {
        currency: record.statements.currency,
        known_hours: stored.standing.known_hours(),
        estimated_hours: stored.standing.estimated_hours(),
        of: sums,
        total,
        tested: past.iter().map(|past| past.period).collect(),
    }))
}

/// Whether a reader may be told of something.
pub fn sees(scope: &Scope, of: &BudgetOf) -> bool {
    match of {
        // A cost centre's sum tells of tenants that the reader does not see.
        BudgetOf::CostCenter(_) => scope.sees_everything(),
        BudgetOf::Tenant(tenant) => scope.sees(tenant),
    }
}

async fn stored(
    ledger: &Ledger,
    scope: &Scope,
    zone: BillingZone,
    period: Period,
) -> Result<Stored, NoOutlook> {
    let (from, until) = (period.first_day(), period.next().first_day());
    let days = ledger.rated_days(scope, from, until).await?;
    let standing = Standing::of(zone.hours(period), &days, None)?;
    Ok(Stored { standing, days, daily: ledger.daily_totals(scope, from, until).await? })
}

fn gather(
    record: &MonthRecord,
    daily: &[DailyTotal],
) -> Result<BTreeMap<(TenantName, CostCenter), Gathered>, Overflow> {
    let mut of: BTreeMap<(TenantName, CostCenter), Gathered> = BTreeMap::new();
    for statement in &record.statements.statements {
        let one = of.entry((statement.tenant.clone(), statement.cost_center.clone())).or_default();
        plus(&mut one.so_far, statement.amount)?;
    }
    for charge in &record.statements.month_level {
        let one = of.entry((charge.key.tenant.clone(), charge.key.cost_center.clone())).or_default();
        match charge.key.kind {
            Kind::Adjustment => plus(&mut one.month_level.adjustments, charge.amount)?,
            _ => plus(&mut one.month_level.terms, charge.amount)?,
        }
    }
    for row in daily {
        let one = of.entry((row.tenant.clone(), row.cost_center.clone())).or_default();
        plus(one.daily.entry(row.day).or_default(), row.amount)?;
    }
    Ok(of)
}

fn plus(sum: &mut Money, amount: Money) -> Result<(), Overflow> {
    *sum = sum.checked_add(amount)?;
    Ok(())
}

/// What a statement will come to, in whole minor units: where nothing is to come, what it comes to.
fn expected(standing: &Standing, one: &Gathered, exponent: u32) -> Result<Option<Money>, Overflow> {
    if standing.is_over() {
        return Ok(Some(one.so_far));
    }
    let charged = Money::sum(one.daily.values().copied())?;
    let Some(expected) = standing.expect(&one.daily)? else { return Ok(None) };
    let expected = one.month_level.add_to(expected, charged)?;
    Money::from_minor(expected.to_minor_half_away(exponent)?, exponent).map(Some)
}

impl Ahead {
    /// Nothing was charged, and nothing is expected.
    fn nothing() -> Self {
        Self { so_far: Money::ZERO, expected: Some(Money::ZERO), errors: Vec::new() }
    }

    fn add(&mut self, so_far: Money, expected: Option<Money>) -> Result<(), Overflow> {
        plus(&mut self.so_far, so_far)?;
        self.expected = match (self.expected, expected) {
            (Some(sum), Some(expected)) => Some(sum.checked_add(expected)?),
            _ => None,
        };
        Ok(())
    }
}

/// A month that is over, and how it stood after each test day.
struct Past {
    period: Period,
    stood: Vec<(u32, NaiveDate, Standing)>,
    of: BTreeMap<BudgetOf, Daily>,
    total: Daily,
}

/// The last months before this one that are over, earliest first.
async fn past(
    ledger: &Ledger,
    scope: &Scope,
    zone: BillingZone,
    period: Period,
) -> Result<Vec<Past>, NoOutlook> {
    let known = ledger.periods(scope, zone).await?;
    let before = known.iter().rev().filter(|entry| entry.period < period && entry.inputs.is_some());
    let mut months = Vec::new();
    for entry in before {
        let stored = stored(ledger, scope, zone, entry.period).await?;
        if stored.standing.is_over() {
            months.push(past_month(zone, entry.period, &stored, scope.sees_everything())?);
        }
        if months.len() == TEST_MONTHS {
            break;
        }
    }
    months.reverse();
    Ok(months)
}

fn past_month(zone: BillingZone, period: Period, stored: &Stored, whole: bool) -> Result<Past, Overflow> {
    let mut stood = Vec::new();
    for day in TEST_DAYS {
        let after = period.first_day().checked_add_days(Days::new(u64::from(day)));
        let after = after.ok_or(Overflow("day of a month"))?;
        stood.push((day, after, Standing::of(zone.hours(period), &stored.days, Some(after))?));
    }
    let (mut of, mut total) = (BTreeMap::<BudgetOf, Daily>::new(), Daily::new());
    for row in &stored.daily {
        plus(total.entry(row.day).or_default(), row.amount)?;
        let tenant = of.entry(BudgetOf::Tenant(row.tenant.clone())).or_default();
        plus(tenant.entry(row.day).or_default(), row.amount)?;
        if whole {
            let cost_center = of.entry(BudgetOf::CostCenter(row.cost_center.clone())).or_default();
            plus(cost_center.entry(row.day).or_default(), row.amount)?;
        }
    }
    Ok(Past { period, stood, of, total })
}

/// Holds what would have been forecast against what came, before what acts on the month.
fn tested<'p>(
    past: &'p [Past],
    of: impl Fn(&'p Past) -> Option<&'p Daily>,
) -> Result<Vec<TestedError>, Overflow> {
    let mut errors = Vec::new();
    for (at, day) in TEST_DAYS.into_iter().enumerate() {
        let mut forecasts = Vec::new();
        for month in past {
            let (Some(daily), Some((_, after, stood))) = (of(month), month.stood.get(at)) else { continue };
            let came = Money::sum(daily.values().copied())?;
            // Of what nobody had heard of by then, there was no forecast.
            let heard = daily.keys().next().is_some_and(|first| first < after);
            if let (true, false, Some(expected)) = (heard, came.is_zero(), stood.expect(daily)?) {
                forecasts.push((expected, came));
            }
        }
        let months = forecasts.len();
        errors.push(TestedError { day, months, percent: mean_error(forecasts)? });
    }
    Ok(errors)
}
