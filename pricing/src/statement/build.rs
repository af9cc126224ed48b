//! Terms and rounding.

use super::PeriodStatements;
use crate::book::PriceBook;
use crate::charge::Charge;
use crate::rating::RatingError;
use crate::time::Period;

/// Folds a period's charges into lines, adds cost-centre terms, rounds once.
pub fn build(
    book: &PriceBook,
    period: Period,
    charges: Vec<Charge>,
) -> Result<PeriodStatements, RatingError> {
    let _ = (book, period, charges);
    Err(RatingError::Overflow(crate::Overflow("not yet built")))
}
