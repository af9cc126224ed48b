//! What stands in the way of closing a month: everything at once, each with the way to mend it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::Overflow;
use crate::charge::{Kind, item};
use crate::money::Currency;
use crate::names::{ClusterName, CostCenter, PriceClass, TenantName};
use crate::quantity::{Quantity, Unit};
use crate::statement::PeriodStatements;
use crate::time::Period;

/// How many names a message lists.
const NAMED: usize = 3;

/// What the statements of a month cannot tell of its hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Hours that count and are not measured, summed over clusters.
    pub hours_missing: u32,
    /// Hours that count and lie before the first edition of the price book: nothing in them is charged.
    pub hours_without_book: u32,
}

/// A reason not to close a month.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// Hours are not measured.
    HoursMissing {
        /// The month.
        period: Period,
        /// How many, summed over clusters.
        hours: u32,
    },
    /// No price was in force.
    WithoutBook {
        /// The month.
        period: Period,
        /// In how many hours that count.
        hours: u32,
    },
    /// Something was used and has no price.
    Unpriced(Unpriced),
    /// Statements cannot be shown in the currency that was agreed on.
    NoRate {
        /// The month.
        period: Period,
        /// The reporting currency.
        currency: Currency,
        /// The cost centres that have a statement in it.
        cost_centers: BTreeSet<CostCenter>,
    },
}

/// What was used in a month and has no price, one class of it in one cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unpriced {
    /// The month.
    pub period: Period,
    /// Where.
    pub cluster: Option<ClusterName>,
    /// The node price class, of what runs on nodes and of nodes themselves.
    pub class: Option<PriceClass>,
    /// What: as [`LineKey::item`](crate::charge::LineKey::item) has it.
    pub item: String,
    /// How much, over all statements.
    pub quantity: Quantity,
    /// Of what.
    pub unit: Unit,
    /// On whose statements it is shown.
    pub tenants: BTreeSet<TenantName>,
}

/// What keeps a month from being closed, in a fixed order; empty if nothing does. The statements have to be
/// all of the month's.
pub fn obstacles(month: &PeriodStatements, gaps: Gaps) -> Result<Vec<Obstacle>, Overflow> {
    let period = month.period;
    let mut obstacles = Vec::new();
    if gaps.hours_missing > 0 {
        obstacles.push(Obstacle::HoursMissing { period, hours: gaps.hours_missing });
    }
    if gaps.hours_without_book > 0 {
        obstacles.push(Obstacle::WithoutBook { period, hours: gaps.hours_without_book });
    }
    obstacles.extend(unpriced(month)?.into_iter().map(Obstacle::Unpriced));
    let without_rate = rates_missing(month).into_iter();
    obstacles.extend(without_rate.map(|(currency, cost_centers)| Obstacle::NoRate {
        period,
        currency,
        cost_centers,
    }));
    Ok(obstacles)
}

/// What was used and has no price, over all statements.
pub fn unpriced(month: &PeriodStatements) -> Result<Vec<Unpriced>, Overflow> {
    let mut found: BTreeMap<_, (Quantity, BTreeSet<TenantName>)> = BTreeMap::new();
    for line in month.statements.iter().flat_map(|statement| &statement.lines) {
        let (Kind::Unpriced, Some((quantity, unit))) = (line.key.kind, line.quantity) else { continue };
        let (sum, tenants) =
            found.entry((&line.key.cluster, &line.key.class, line.key.item.as_str(), unit)).or_default();
        *sum = sum.checked_add(quantity)?;
        tenants.insert(line.key.tenant.clone());
    }
    let found = found.into_iter().map(|((cluster, class, item, unit), (quantity, tenants))| Unpriced {
        period: month.period,
        cluster: cluster.clone(),
        class: class.clone(),
        item: item.to_owned(),
        quantity,
        unit,
        tenants,
    });
    Ok(found.collect())
}

/// The reporting currencies without a rate, and the cost centres whose statements wait for it.
pub fn rates_missing(month: &PeriodStatements) -> BTreeMap<Currency, BTreeSet<CostCenter>> {
    let mut missing: BTreeMap<Currency, BTreeSet<CostCenter>> = BTreeMap::new();
    for statement in &month.statements {
        if let Some(reporting) = statement.reporting
            && reporting.converted.is_none()
        {
            missing.entry(reporting.currency).or_default().insert(statement.cost_center.clone());
        }
    }
    missing
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HoursMissing { period, hours } => write!(
                f,
                "{} not measured (wait until they are measured, or until they are known to be lost)",
                counted(*hours, *period)
            ),
            Self::WithoutBook { period, hours } => write!(
                f,
                "{} before the first edition of the price book, so that nothing in them is charged (add an \
                 edition that begins earlier, or let the clusters count from where the book begins)",
                counted(*hours, *period)
            ),
            Self::Unpriced(unpriced) => write!(f, "{unpriced}"),
            Self::NoRate { period, currency, cost_centers } => {
                let names = listed(cost_centers.iter().map(CostCenter::as_str));
                write!(
                    f,
                    "{currency} has no exchange rate for {period}, in which it is the reporting currency of {names} \
                     (add it: currencies: {{{currency}: {{{period}: …}}}})"
                )
            }
        }
    }
}

impl fmt::Display for Unpriced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, mend) = self.in_words();
        write!(f, "{} {} of {what}", self.quantity, self.unit)?;
        match &self.class {
            Some(class) if self.item == item::NODE => write!(f, " `{class}`")?,
            Some(class) => write!(f, " on the nodes `{class}`")?,
            None => {}
        }
        if let Some(cluster) = &self.cluster {
            write!(f, " in the cluster `{cluster}`")?;
        }
        let tenants = listed(self.tenants.iter().map(TenantName::as_str));
        write!(f, " have no price in {}, on the statements of {tenants} ({mend})", self.period)
    }
}

impl Unpriced {
    /// What it is, and what to add to the price book.
    fn in_words(&self) -> (String, &'static str) {
        match (&self.class, self.item.split_once(':')) {
            (Some(_), _) if self.item == item::NODE => {
                ("the nodes".to_owned(), "price them in `pools`, or their cluster in `clusters`")
            }
            (Some(_), _) => (format!("`{}`", self.item), "add its price to the entry in `pools`"),
            (None, Some(("storage", class))) => {
                (format!("the storage class `{class}`"), "add it to `storage`")
            }
            (None, Some(("network", class))) => {
                (format!("the traffic class `{class}`"), "add it to `network`")
            }
            (None, Some(("service_fee", service))) => {
                (format!("the service `{service}`"), "add it to `services`; a price of zero is a price")
            }
            (None, None) if self.item == item::LOAD_BALANCER => {
                ("load balancers".to_owned(), "add `load_balancer`")
            }
            (None, _) => (format!("`{}`", self.item), "add its price"),
        }
    }
}

fn counted(hours: u32, period: Period) -> String {
    if hours == 1 { format!("1 hour of {period} is") } else { format!("{hours} hours of {period} are") }
}

/// Some names, and how many more there are.
fn listed<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let first: Vec<String> = names.take(NAMED).map(|name| format!("`{name}`")).collect();
    let first = first.join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}
