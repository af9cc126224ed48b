//! Restating a closed month: what the next version would say, and writing just that.

use std::sync::Arc;

use defray_ledger::{Closed, ClosedMonth, Closing, MonthRecord, PeriodState, Restating, Scope};
use defray_pricing::ENGINE_VERSION;
use defray_pricing::book::Adjustment;
use defray_pricing::closing::{self, Gaps};
use defray_pricing::diff::{Diff, diff};
use defray_pricing::digest::Digest;
use defray_pricing::time::Period;
use defray_reports::price_diff::{Book, PriceDiff};

use super::{Closer, NotClosed, Obstacle, Order, reason};
use crate::month;
use crate::rerate::{Anew, NotAgain, pins};

/// The next version of a closed month as it would be written now.
#[derive(Debug)]
pub struct Restatement {
    /// The version it is planned against.
    pub base: ClosedMonth,
    /// What that said.
    pub before: MonthRecord,
    /// What changes: who, which lines, how much.
    pub diff: Diff,
    /// Adjustments that waited for it.
    pub waited: Vec<Adjustment>,
    /// Of the version it is planned against and all that it would write: what is written is what was shown.
    pub plan: Digest,
    /// Everything that would be written.
    anew: Anew,
}

impl Restatement {
    /// What changes, in the words of reports: books on both sides, every line that moved.
    pub fn shown(&self, demo: bool) -> PriceDiff {
        let book =
            |month: &MonthRecord| Book { digest: month.book_digest, versions: month.book_versions.clone() };
        PriceDiff {
            diff: self.diff.clone(),
            old: book(&self.before),
            new: book(&self.anew.month),
            old_is_stored: true,
            threshold: None,
            demo,
        }
    }

    /// The month as it would be.
    pub fn after(&self) -> &MonthRecord {
        &self.anew.month
    }
}

impl Closer {
    /// What a restatement would write, from what is recorded, owned and priced now. Changes nothing.
    pub async fn plan(&self, period: Period) -> Result<Restatement, NotClosed> {
        let ledger = &self.rerate.ledger;
        let versions = ledger.versions(&Scope::everything(), period).await?;
        let Some(base) = versions.into_iter().next_back() else {
            let known = ledger.month(&Scope::everything(), period).await?;
            return Err(known.map_or(NotAgain::NoSuchPeriod(period).into(), |_| NotClosed::StillOpen(period)));
        };
        let before = ledger.month_version(&Scope::everything(), period, base.version).await?;
        let before = before.ok_or(NotAgain::NotYet(period))?;
        let book = Arc::clone(&self.book.borrow());
        let waited = self.waiting(period).await?;
        let anew = self.rerate.anew(period, book).await?;
        let gaps = Gaps {
            // It was closed with hours missing: only more of them would make it worse.
            hours_missing: anew.month.hours_missing.saturating_sub(before.hours_missing),
            hours_without_book: u32::try_from(anew.plans.without_book).unwrap_or(u32::MAX),
        };
        let worse = closing::obstacles(&anew.month.statements, gaps);
        let obstacles: Vec<Obstacle> = worse
            .map_err(|overflow| NotClosed::Other(overflow.into()))?
            .into_iter()
            .map(Obstacle::Statements)
            .collect();
        if !obstacles.is_empty() {
            return Err(NotClosed::Worse { period, obstacles });
        }
        let diff = diff(&before.statements, &anew.month.statements);
        let diff = diff.map_err(|error| NotClosed::Other(error.into()))?;
        let plan = Digest::of_fields([base.digest.as_bytes().as_slice(), anew.month.inputs.as_bytes()]);
        Ok(Restatement { base, before, diff, waited, plan, anew })
    }

    /// Writes the next version, if it is still what was shown.
    pub async fn restate(
        &self,
        period: Period,
        shown: Digest,
        why: &str,
        order: Order,
    ) -> Result<ClosedMonth, NotClosed> {
        let why = reason(why)?;
        let _turn = self.turn.lock().await;
        let guard = self.guard.as_ref().ok_or(NotClosed::OnlyLooking)?;
        let planned = self.plan(period).await?;
        if planned.plan != shown {
            return Err(NotClosed::AnotherPlan(period));
        }
        let Restatement { base, anew, .. } = planned;
        let Anew { view, entries, month, days, .. } = anew;
        let (zone, version) = (self.rerate.zone, base.version.saturating_add(1));
        let facts = month::of_version(period, PeriodState::Restated, version, &month, zone, self.demo);
        let (files, month) = self.rendered(facts, month).await?;
        let closing = Closing {
            at: self.rerate.clock.now(),
            by: order.by,
            how: order.how,
            forced: None,
            zone,
            engine_version: ENGINE_VERSION,
            hours: pins(&entries),
            ownership: view.frozen(zone.hours(period)),
            files,
        };
        let restating = Restating { reason: why, month, days, closing };
        let restated = self.rerate.ledger.restate_month(guard, &base, restating).await?;
        let restated = match restated {
            Closed::Now(restated) | Closed::Already(restated) => restated,
        };
        tracing::info!(
            period = %period,
            close.version = restated.version,
            close.by = restated.by,
            close.reason = restated.reason,
            close.digest = %restated.digest,
            "a month is restated"
        );
        Ok(restated)
    }
}
