//! Where a book says what it says, for messages that come after reading.

use std::collections::BTreeMap;

use super::{Budget, BudgetOf, Edition, Pattern, PoolPrice, Problem};
use crate::names::{ClusterName, CostCenter, Service};
use crate::time::{Hour, Period};

/// Where a book says what it says. None of it is part of the book: books that say the same in other places
/// are equal, so all places are.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Of the first file that says the currency.
    pub(super) currency: Option<Place>,
    /// By reference.
    pub(super) adjustments: BTreeMap<String, Place>,
    /// By whose, and the first month.
    pub(super) budgets: BTreeMap<(BudgetOf, Period), Place>,
    /// By the hour from which the edition holds.
    pub(super) entries: BTreeMap<(Hour, Entry), Place>,
}

/// An entry of an edition, by what it names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entry {
    /// The price of a pool: pool, instance type, capacity type and cluster.
    Pool([Pattern; 4]),
    /// The amount of a cluster.
    Cluster(ClusterName),
    /// The fee of a service.
    Service(Service),
    /// A shared cost.
    Shared(String),
    /// What is agreed with a cost centre.
    Terms(CostCenter),
}

impl Entry {
    pub(super) fn of_pool(price: &PoolPrice) -> Self {
        let patterns = [&price.pool, &price.instance_type, &price.capacity_type, &price.cluster];
        Self::Pool(patterns.map(Pattern::clone))
    }
}

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Places {}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub(super) file: String,
    pub(super) line: Option<usize>,
    pub(super) column: Option<usize>,
    pub(super) path: String,
}

impl Places {
    /// A problem with the currency.
    pub fn of_currency(&self, message: String, mend: &str) -> Problem {
        problem(self.currency.as_ref(), "price book".to_owned(), message, mend)
    }

    /// A problem with an adjustment.
    pub fn of_adjustment(&self, reference: &str, message: String, mend: &str) -> Problem {
        problem(self.adjustments.get(reference), "price book".to_owned(), message, mend)
    }

    /// A problem with a budget.
    pub(super) fn of_budget(&self, budget: &Budget, message: String, mend: &str) -> Problem {
        let place = self.budgets.get(&(budget.of.clone(), budget.from));
        problem(place, "price book".to_owned(), message, mend)
    }

    /// A problem with an entry of an edition.
    pub(super) fn of_entry(&self, edition: &Edition, entry: Entry, message: String, mend: &str) -> Problem {
        let place = self.entries.get(&(edition.effective_from, entry));
        problem(place, format!("price book {}", edition.version), message, mend)
    }
}

/// A book that was not read from files has no places: the problem is then the whole book's.
fn problem(place: Option<&Place>, whole: String, message: String, mend: &str) -> Problem {
    let mend = mend.to_owned();
    match place.cloned() {
        Some(Place { file, line, column, path }) => Problem { file, line, column, path, message, mend },
        None => Problem { file: whole, line: None, column: None, path: String::new(), message, mend },
    }
}
