//! Adjustments that are dated in a closed month: they wait for a restatement, and are never lost from sight.

use defray_ledger::Scope;
use defray_pricing::book::{Adjustment, PriceBook};
use defray_pricing::time::Period;

use super::{Closer, NotClosed};

impl Closer {
    /// The adjustments of the book in force that a closed month does not hold yet; none of an open month, which takes
    /// each by itself.
    pub async fn waiting(&self, period: Period) -> Result<Vec<Adjustment>, NotClosed> {
        let ledger = &self.rerate.ledger;
        let in_force: Vec<Adjustment> = dated(&self.book.borrow(), period);
        if in_force.is_empty() {
            return Ok(in_force);
        }
        let Some(newest) = ledger.versions(&Scope::everything(), period).await?.pop() else {
            return Ok(Vec::new());
        };
        let held = dated(&self.rerate.book(period, newest.book_digest).await?, period);
        Ok(in_force.into_iter().filter(|adjustment| !held.contains(adjustment)).collect())
    }
}

fn dated(book: &PriceBook, period: Period) -> Vec<Adjustment> {
    let of_period = book.adjustments.iter().filter(|entry| Period::of_date(entry.date) == period);
    of_period.cloned().collect()
}
