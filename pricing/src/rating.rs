//! One hour becomes charges.
//!
//! In this order: what the nodes cost (`nodes`), who wanted how much of them (`demand`), the direct
//! cost of pools (`pools`) and of what is metered (`metered`), service fees, and last what is shared
//! out (`sharing`). Everything is gathered on one `sheet`.

use std::collections::BTreeSet;

use crate::Overflow;
use crate::book::PriceBook;
use crate::charge::Charge;
use crate::names::ClusterName;
use crate::ownership::{Conflict, Owners};
use crate::time::Hour;
use crate::usage::UsageHour;

mod amounts;
mod context;
mod control;
mod demand;
mod metered;
mod nodes;
mod pools;
mod ranks;
mod sharing;
mod sheet;
mod trace;

pub use control::{Control, PoolControl};
pub use trace::{How, NodeShare, Paid, Share, Trace, Untraced};

pub(crate) use amounts::{Place, per_unit};
use context::Context;
use sheet::Sheet;
pub(crate) use sheet::add_quantities;

/// Why an hour cannot be rated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RatingError {
    /// No edition of the book is in force yet.
    #[error("no price book is in force at {0}; the first edition begins later")]
    NoBook(Hour),
    /// A usage hour of another hour was handed in.
    #[error("a usage hour of {found} was handed in to rate {wanted}")]
    WrongHour {
        /// What was asked for.
        wanted: Hour,
        /// What came.
        found: Hour,
    },
    /// A cluster's hour was handed in twice; rating it would charge it twice.
    #[error("the hour {hour} of cluster {cluster} was handed in twice")]
    HourTwice {
        /// The cluster.
        cluster: ClusterName,
        /// The hour.
        hour: Hour,
    },
    /// Charges of one line count different things.
    #[error("the line `{item}` of {tenant} was given quantities in {left} and in {right}")]
    MixedUnits {
        /// The tenant.
        tenant: crate::names::TenantName,
        /// The item.
        item: String,
        /// One unit.
        left: String,
        /// The other.
        right: String,
    },
    /// An amount does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// A rated hour, with what is needed to check it and to warn of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatedHour {
    /// The hour.
    pub hour: Hour,
    /// Sorted by key and namespace, each pair once.
    pub charges: Vec<Charge>,
    /// Namespaces that are owned and declared shared; their usage is unassigned.
    pub conflicts: BTreeSet<Conflict>,
    /// What was paid for, to be held against the charges.
    pub control: Control,
}

/// Rates one hour of every cluster: direct cost, service fees, shared cost and idle.
///
/// `usage` holds at most one entry per cluster; a cluster without one is a lost or missing hour, which
/// still carries fees and fixed amounts. Charges come sorted by key and namespace, each pair once.
pub fn rate_hour(book: &PriceBook, owners: &Owners, usage: &[UsageHour]) -> Result<Vec<Charge>, RatingError> {
    rate(book, owners, usage).map(|rated| rated.charges)
}

/// [`rate_hour`], with its conflicts and control totals.
pub fn rate(book: &PriceBook, owners: &Owners, usage: &[UsageHour]) -> Result<RatedHour, RatingError> {
    rate_traced(book, owners, usage, &mut Untraced)
}

/// [`rate`], telling how each charge comes about.
pub fn rate_traced(
    book: &PriceBook,
    owners: &Owners,
    usage: &[UsageHour],
    trace: &mut dyn Trace,
) -> Result<RatedHour, RatingError> {
    let mut clusters = BTreeSet::new();
    for hour in usage {
        if hour.hour != owners.hour {
            return Err(RatingError::WrongHour { wanted: owners.hour, found: hour.hour });
        }
        if !clusters.insert(&hour.cluster) {
            return Err(RatingError::HourTwice { cluster: hour.cluster.clone(), hour: hour.hour });
        }
    }
    let context = Context::new(book, owners)?;
    let mut sheet = Sheet::new(&context, trace);
    let mut usage: Vec<&UsageHour> = usage.iter().collect();
    usage.sort_by_key(|hour| &hour.cluster);
    pools::charge(&context, &usage, &mut sheet)?;
    for hour in usage {
        metered::charge(&context, hour, &mut sheet)?;
    }
    metered::service_fees(&context, &mut sheet)?;
    sharing::share_out(&context, &mut sheet)?;
    sheet.finish(owners.hour)
}
