//! A month rated again from what is stored, day by day, and nothing kept of it.

use std::sync::Arc;

use chrono::NaiveDate;
use defray_ledger::{ClosedMonth, Ledger, LedgerError, MonthRecord, PeriodEntry, PeriodState, Scope};
use defray_pricing::book::{PriceBook, Problem};
use defray_pricing::charge::LineKey;
use defray_pricing::digest::Digest;
use defray_pricing::estimate::Clash;
use defray_pricing::explain::{self, ExplainError, Explanation, Recorder};
use defray_pricing::names::{CostCenter, TenantName};
use defray_pricing::ownership::Owners;
use defray_pricing::rating::RatedHour;
use defray_pricing::recompute::{self, Fold, NotRated};
use defray_pricing::statement::{MonthFacts, PeriodStatements, Statement};
use defray_pricing::time::{BillingZone, Hour, Period};
use defray_pricing::usage::UsageHour;

use super::{DayPlan, Entries, Ground, Plans, Present, Unmeasured, View, as_planned, coverage, month_digest};
use crate::clock::Clock;
use crate::supervise::{Ended, Supervisor};

/// Rates again what is stored. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rerate {
    /// What is remembered.
    pub ledger: Ledger,
    /// What time it is.
    pub clock: Clock,
    /// What counts.
    pub ground: Arc<Ground>,
    /// The zone in which months begin.
    pub zone: BillingZone,
    /// Who runs what would hold up others.
    pub supervisor: Supervisor,
}

/// A month as it is stored, and what it takes to rate it again.
#[derive(Debug, Clone)]
pub struct StoredMonth {
    /// Where the period stands.
    pub entry: PeriodEntry,
    /// Its statements as they were last computed.
    pub record: MonthRecord,
    /// What there is now, under the book that made the statements.
    pub view: View,
    /// What is recorded.
    pub entries: Arc<Entries>,
    /// What each day is rated from.
    pub plans: Arc<Plans>,
    /// Whether the statements were made from just that; if not, the daemon has not caught up with it yet, or they
    /// were closed by an earlier generation of the rules.
    pub current: bool,
    /// The version that is frozen, if the month is closed: everything above is then as it was at the close.
    pub closed: Option<ClosedMonth>,
}

/// Why a month was not rated again.
#[derive(Debug, thiserror::Error)]
pub enum NotAgain {
    /// Nothing is known of the period.
    #[error("the ledger holds nothing of {0}; let the daemon measure it, or name another period")]
    NoSuchPeriod(Period),
    /// There are no statements.
    #[error("{0} is measured but not rated yet; let the daemon run, or look at its log for the reason")]
    NotYet(Period),
    /// The book that made the statements cannot be had.
    #[error("the price book {digest} that {period} was rated by cannot be read any more: {reason}")]
    BookLost {
        /// The period.
        period: Period,
        /// Of the book.
        digest: Digest,
        /// Why.
        reason: String,
    },
    /// A book does not reach all hours.
    #[error(
        "the book begins at {begins}, but {hours} hours of {period} come before; give an edition that is in \
         force then, or name one to rate the whole month by"
    )]
    TooLate {
        /// The period.
        period: Period,
        /// When its first edition comes into force.
        begins: Hour,
        /// How many hours it does not reach.
        hours: usize,
    },
    /// A proposed tenant is there already.
    #[error(transparent)]
    Clash(#[from] Clash),
    /// Where a proposed tenant would be is not clear.
    #[error("{0}")]
    Unclear(String),
    /// An hour was measured anew meanwhile.
    #[error("an hour of {0} was measured anew while it was rated; ask again")]
    Revised(NaiveDate),
    /// It cannot be explained.
    #[error(transparent)]
    NotExplained(#[from] ExplainError),
    /// The engine refused.
    #[error(transparent)]
    NotRated(#[from] NotRated),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A task ended.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// Anything else.
    #[error("{0:#}")]
    Other(anyhow::Error),
}

/// Looks at the hours of a month as they are rated: one after the other within a day, days in any order.
pub trait Watch: Sized + Send + 'static {
    /// Another that looks for the same, at other days.
    #[must_use]
    fn beside(&self) -> Self;

    /// Takes over what another saw.
    fn join(&mut self, other: Self) -> Result<(), NotRated>;

    /// An hour: who owned what, what was used.
    fn hour(
        &mut self,
        book: &PriceBook,
        owners: &Owners,
        usage: &[UsageHour],
    ) -> Result<RatedHour, NotRated> {
        recompute::hour(book, owners, usage)
    }

    /// The whole month, when all its hours are in.
    fn month(
        &mut self,
        book: &PriceBook,
        facts: &MonthFacts,
        fold: Fold,
    ) -> Result<PeriodStatements, NotRated> {
        fold.finish(book, facts)
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn beside(&self) -> Self {
        *self
    }

    fn join(&mut self, Self: Self) -> Result<(), NotRated> {
        Ok(())
    }
}

impl Watch for Recorder {
    fn beside(&self) -> Self {
        Self::beside(self)
    }

    fn join(&mut self, other: Self) -> Result<(), NotRated> {
        Ok(Self::join(self, other)?)
    }

    fn hour(
        &mut self,
        book: &PriceBook,
        owners: &Owners,
        usage: &[UsageHour],
    ) -> Result<RatedHour, NotRated> {
        recompute::hour_traced(book, owners, usage, self)
    }

    fn month(
        &mut self,
        book: &PriceBook,
        facts: &MonthFacts,
        fold: Fold,
    ) -> Result<PeriodStatements, NotRated> {
        fold.finish_traced(book, facts, self)
    }
}

/// How many days are rated at the same time: one is read while the other is rated, and no more than these are
/// in memory, however long the month is.
const LANES: usize = 2;

/// What is to be explained.
#[derive(Debug, Clone)]
pub struct Question {
    /// Whose charges.
    pub tenant: TenantName,
    /// Only on this cost centre.
    pub cost_center: Option<CostCenter>,
    /// Hour by hour, not day by day.
    pub by_hour: bool,
}

impl Rerate {
    /// Why a tenant pays what it pays; `wanted` says which lines are to be explained.
    pub async fn explain(
        &self,
        month: &StoredMonth,
        question: Question,
        wanted: impl Fn(&LineKey) -> bool,
    ) -> Result<Explanation, NotAgain> {
        let Question { tenant, cost_center, by_hour } = question;
        let recorder = Recorder::new(&month.view.book, tenant.clone(), by_hour);
        let (statements, recorder) = self.as_it_was(month, recorder).await?;
        let of_tenant = |all: &PeriodStatements| -> Vec<Statement> {
            all.statements.iter().filter(|statement| statement.tenant == tenant).cloned().collect()
        };
        if month.current && of_tenant(&statements) != of_tenant(&month.record.statements) {
            return Err(NotAgain::Other(anyhow::anyhow!(
                "rated again, {tenant} has other statements than those stored from the same inputs; please report this"
            )));
        }
        let mut explanation = explain::explain(recorder, &statements, wanted)?;
        if let Some(only) = cost_center {
            explanation.statements.retain(|statement| statement.cost_center == only);
        }
        Ok(explanation)
    }

    /// What is stored of a month.
    pub async fn stored(&self, period: Period) -> Result<StoredMonth, NotAgain> {
        let everything = Scope::everything();
        let periods = self.ledger.periods(&everything, self.zone).await?;
        let entry = periods.into_iter().find(|entry| entry.period == period);
        let entry = entry.ok_or(NotAgain::NoSuchPeriod(period))?;
        let record = self.ledger.month(&everything, period).await?.ok_or(NotAgain::NotYet(period))?;
        let book = Arc::new(self.book(period, record.book_digest).await?);
        let closed = match entry.state {
            PeriodState::Open => None,
            PeriodState::Closed | PeriodState::Restated => {
                self.ledger.close_of(&everything, period, entry.version).await?
            }
        };
        let (view, entries) = if let Some(closed) = &closed {
            self.frozen(closed, book).await?
        } else {
            let present = Present::of(&self.ledger, &self.clock).await.map_err(NotAgain::Other)?;
            let view = self.ground.view(&self.ledger, present, book).await?;
            let entries = view.entries(&self.ledger, self.zone.hours(period)).await?;
            (view, entries)
        };
        let entries = Arc::new(entries);
        let plans = Arc::new(self.plan(&view, period, &entries).await?);
        let (coverage, unmeasured) = match &closed {
            // How complete it was is kept with it.
            Some(_) => {
                let (missing, lost) = (record.hours_missing, record.hours_lost);
                (record.coverage.clone(), Unmeasured { missing, lost })
            }
            None => coverage(&view, period, &entries).map_err(NotAgain::Other)?,
        };
        let inputs = month_digest(&view.book, period, &plans.days, &coverage, unmeasured);
        let current = record.inputs == inputs;
        Ok(StoredMonth { entry, record, view, entries, plans, current, closed })
    }

    /// The book under a digest, as it was remembered.
    pub(crate) async fn book(&self, period: Period, digest: Digest) -> Result<PriceBook, NotAgain> {
        let lost = |reason: String| NotAgain::BookLost { period, digest, reason };
        let sources = self.ledger.book(&Scope::everything(), digest).await?;
        let sources = sources.ok_or_else(|| lost("its files are not in the ledger".to_owned()))?;
        let book = PriceBook::parse(&sources, self.zone).map_err(|problems| {
            let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
            lost(told.join("; "))
        })?;
        if book.digest == digest {
            Ok(book)
        } else {
            Err(lost("this release reads something else in its files".to_owned()))
        }
    }

    pub(super) async fn plan(
        &self,
        view: &View,
        period: Period,
        entries: &Arc<Entries>,
    ) -> Result<Plans, NotAgain> {
        let (view, entries) = (view.clone(), Arc::clone(entries));
        let work = move || view.plan(period, &entries);
        let plans = self.supervisor.blocking("plan rating", work).await?;
        plans.map_err(|error| NotAgain::Other(error.into()))
    }

    /// The month as its own book makes it, from what is recorded now.
    pub async fn as_it_was<W: Watch>(
        &self,
        month: &StoredMonth,
        watch: W,
    ) -> Result<(PeriodStatements, W), NotAgain> {
        self.rate(month, &month.view, &month.plans, watch).await
    }

    /// The month as another book would have made it.
    pub async fn under<W: Watch>(
        &self,
        month: &StoredMonth,
        book: PriceBook,
        watch: W,
    ) -> Result<(PeriodStatements, W), NotAgain> {
        let period = month.record.statements.period;
        let view = month.view.under(Arc::new(book));
        let plans = self.plan(&view, period, &month.entries).await?;
        if let Some(first) = view.book.editions.first()
            && plans.without_book > month.plans.without_book
        {
            return Err(NotAgain::TooLate {
                period,
                begins: first.effective_from,
                hours: plans.without_book,
            });
        }
        self.rate(month, &view, &plans, watch).await
    }

    pub(super) async fn rate<W: Watch>(
        &self,
        month: &StoredMonth,
        view: &View,
        plans: &Plans,
        watch: W,
    ) -> Result<(PeriodStatements, W), NotAgain> {
        let empty = || (Fold::new(month.record.statements.period), watch.beside());
        let lanes = (0..LANES).map(|first| self.lane(month, view, plans, first, empty()));
        let lanes = futures::future::try_join_all(lanes).await?;
        let (book, facts) = (Arc::clone(&view.book), plans.facts.clone());
        let mut all = (Fold::new(month.record.statements.period), watch);
        let work = move || {
            for (fold, seen) in lanes {
                all.0.join(fold)?;
                all.1.join(seen)?;
            }
            let (fold, mut watch) = all;
            watch.month(&book, &facts, fold).map(|statements| (statements, watch))
        };
        Ok(self.supervisor.blocking("fold month again", work).await??)
    }

    /// Its share of the days, one after the other.
    async fn lane<W: Watch>(
        &self,
        month: &StoredMonth,
        view: &View,
        plans: &Plans,
        first: usize,
        mut state: (Fold, W),
    ) -> Result<(Fold, W), NotAgain> {
        for plan in plans.days.iter().skip(first).step_by(LANES) {
            let range = self.zone.hours_of_day(plan.day);
            let everything = Scope::everything();
            let usage = match &month.closed {
                Some(closed) => self.ledger.pinned_usage(&everything, closed, range).await?,
                None => self.ledger.usage_with_digests(&everything, range).await?,
            };
            let usage = as_planned(&month.entries, usage).ok_or(NotAgain::Revised(plan.day))?;
            let (view, plan) = (view.clone(), plan.clone());
            let work = move || day(&view, &plan, usage, state);
            state = self.supervisor.blocking("rate day again", work).await??;
        }
        Ok(state)
    }
}

fn day<W: Watch>(
    view: &View,
    plan: &DayPlan,
    usage: Vec<UsageHour>,
    (mut fold, mut watch): (Fold, W),
) -> Result<(Fold, W), NotRated> {
    plan.rate_with(
        view,
        usage,
        |owners, usage| watch.hour(&view.book, owners, usage),
        |_, rated| rated.charges.into_iter().try_for_each(|charge| fold.charge(charge)),
    )?;
    Ok((fold, watch))
}
