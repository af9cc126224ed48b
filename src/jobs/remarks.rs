//! What is to be said of a price book that is right by itself: adjustments that reach nobody, terms and
//! budgets of nobody. Each is logged once, and shown as a metric as long as it is so.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use defray_pricing::astray::Why;
use defray_pricing::book::{Problem, Seen};
use defray_pricing::statement::MonthFacts;
use defray_pricing::time::Period;

use super::Shared;
use crate::rerate::View;
use crate::telemetry::ReasonLabel;

/// What was already said, so that it is said once.
#[derive(Debug, Clone, Default)]
pub struct Remarks(Arc<Mutex<BTreeSet<String>>>);

impl Remarks {
    /// Shows what there is to say of the book in force, and of whom it names in the current month.
    pub(super) async fn show(
        &self,
        shared: &Shared,
        view: &View,
        doubts: Vec<Problem>,
    ) -> anyhow::Result<()> {
        let strays = view.strays(&shared.ledger).await?;
        for why in Why::ALL {
            let count = strays.iter().filter(|stray| stray.why == why).count();
            let shown =
                shared.metrics.adjustments_astray.get_or_create(&ReasonLabel { reason: why.as_str() });
            shown.set(i64::try_from(count)?);
        }
        shared.metrics.price_book_doubts.set(i64::try_from(doubts.len())?);
        let wrong = strays.into_iter().filter(|stray| stray.why.is_wrong()).map(|stray| stray.problem);
        self.say(wrong.chain(doubts).map(|problem| problem.to_string()).collect());
        Ok(())
    }

    fn say(&self, now: BTreeSet<String>) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for remark in now.difference(&said) {
            tracing::warn!("price book: {remark}");
        }
        *said = now;
    }
}

/// What the book in force says of tenants and cost centres that a month does not know.
pub(super) fn doubts(view: &View, period: Period, facts: &MonthFacts) -> Vec<Problem> {
    view.book.doubts(&Seen::people(facts), view.book.zone.hours(period))
}
