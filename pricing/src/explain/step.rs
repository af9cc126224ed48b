//! A step of an explanation: what a line got in an hour or a day, and by which rule.

use chrono::NaiveDate;

use crate::Overflow;
use crate::book::{Base, MeteredRate, MonthlyAmount, Policy};
use crate::charge::{Charge, LineKey};
use crate::money::{Money, UnitPrice};
use crate::names::{CostCenter, Namespace};
use crate::quantity::{Quantity, Unit};
use crate::rating::{How, NodeShare, Paid, RatingError, Share, add_quantities};
use crate::time::Hour;

const WHAT: Overflow = Overflow("explanation");

/// What a step is unique by within its line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepKey {
    /// The local day.
    pub day: NaiveDate,
    /// The hour, where hours were asked for.
    pub hour: Option<Hour>,
    /// The edition in force, by its place in the explanation.
    pub edition: usize,
    /// The host namespace it comes from: the tenant's, or the shared one.
    pub namespace: Option<Namespace>,
    /// The rule, as a number: a day may fall under two.
    rule: u8,
}

/// What a line got, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When, where, under which edition.
    pub key: StepKey,
    /// Of how many hours it is the sum.
    pub hours: u32,
    /// The one that came last.
    pub(super) latest: Hour,
    /// How much of what.
    pub quantity: Option<(Quantity, Unit)>,
    /// The amount, exact.
    pub amount: Money,
    /// By which rule.
    pub reason: Reason,
}

/// By which rule an amount came about. Over a day its numbers are sums of the day's hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Quantity x unit price.
    Price {
        /// As the book says it.
        rate: MeteredRate,
        /// Per unit in this month.
        price: UnitPrice,
    },
    /// A dedicated class of nodes, whole.
    Nodes {
        /// How they are paid for.
        paid: Paid,
    },
    /// A share of what a class of nodes costs.
    NodeShare(NodeShareSum),
    /// The hours' parts of a monthly fee.
    Fee {
        /// The fee.
        amount: MonthlyAmount,
    },
    /// A share of a whole.
    Share(ShareSum),
    /// All of a whole: it is kept, or nobody was there to share it.
    Kept {
        /// The cost centre that the policy names, if it does.
        on: Option<CostCenter>,
    },
    /// Paid for nodes that were not there.
    NoNodes,
    /// Nothing: it has no price.
    NoPrice,
}

/// A share of node cost: part x own quantity / the larger of what all wanted and what there was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeShareSum {
    /// How the nodes are paid for.
    pub paid: Paid,
    /// How many node-hours there were.
    pub node_hours: Quantity,
    /// What they cost, cut to 1e-9.
    pub cost: Money,
    /// The relative worth of one unit of the resource, in 1e-9.
    pub weight: u64,
    /// Weight x capacity of the resource.
    pub worth: u128,
    /// Weight x capacity of all resources.
    pub worths: u128,
    /// The resource's part of the cost.
    pub part: Money,
    /// What there was of the resource.
    pub capacity: Quantity,
    /// What everybody wanted of it.
    pub wanted: Quantity,
    /// In how many of the hours more was wanted than there was, so that all was scaled to fit.
    pub scaled_hours: u32,
}

/// A share of a whole: whole x own base / all bases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareSum {
    /// What decides on shares.
    pub by: ShareBy,
    /// The whole.
    pub whole: Money,
    /// The tenant's base.
    pub base: u128,
    /// Everybody's.
    pub bases: u128,
    /// The most recipients there were in an hour.
    pub recipients: usize,
}

/// What decides on shares, and in which unit bases are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareBy {
    /// Everyone alike: one each.
    Even,
    /// Direct cost, in 1e-18 of the currency.
    DirectCost,
    /// Billable CPU, in 1e-6 core-hours.
    Cpu,
    /// Billable memory, in 1e-6 GiB-hours.
    Memory,
    /// Weights of the book, in 1e-9.
    Weight,
}

impl ShareBy {
    /// The name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Even => "even",
            Self::DirectCost => "direct_cost",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Weight => "weight",
        }
    }

    /// How many digits of a base are after the point.
    pub const fn scale(self) -> u32 {
        match self {
            Self::Even => 0,
            Self::DirectCost => 18,
            Self::Cpu | Self::Memory => 6,
            Self::Weight => 9,
        }
    }

    const fn of(policy: &Policy) -> Self {
        match policy {
            Policy::Proportional(Base::DirectCost) => Self::DirectCost,
            Policy::Proportional(Base::Cpu) => Self::Cpu,
            Policy::Proportional(Base::Memory) => Self::Memory,
            Policy::Weighted(_) => Self::Weight,
            Policy::Even | Policy::Keep(_) => Self::Even,
        }
    }
}

impl Step {
    /// One charge of one hour, which is shown unless only days were asked for.
    pub(super) fn of(
        hour: Hour,
        (day, shown, edition): (NaiveDate, Option<Hour>, usize),
        charge: &Charge,
        how: &How<'_>,
    ) -> Result<Self, Overflow> {
        let reason = Reason::of(how)?;
        let rule = reason.number();
        let key = StepKey { day, hour: shown, edition, namespace: charge.namespace.clone(), rule };
        Ok(Self { key, hours: 1, latest: hour, quantity: charge.quantity, amount: charge.amount, reason })
    }

    /// Adds another charge of this hour, or what is known of other hours.
    pub(super) fn add(&mut self, other: &Self, line: &LineKey) -> Result<(), Overflow> {
        if self.latest != other.latest {
            self.hours = self.hours.checked_add(other.hours).ok_or(WHAT)?;
            self.latest = other.latest;
        }
        self.quantity = add_quantities(self.quantity, other.quantity, line).map_err(|error| match error {
            RatingError::Overflow(overflow) => overflow,
            _ => Overflow("quantities of two units"),
        })?;
        self.amount = self.amount.checked_add(other.amount)?;
        match (&mut self.reason, &other.reason) {
            (Reason::NodeShare(sum), Reason::NodeShare(more)) => sum.add(more),
            (Reason::Share(sum), Reason::Share(more)) => sum.add(more),
            _ => Ok(()),
        }
    }
}

impl Reason {
    fn of(how: &How<'_>) -> Result<Self, Overflow> {
        Ok(match how {
            How::Price { rate, price } => Self::Price { rate: *rate, price: *price },
            How::Nodes(paid) => Self::Nodes { paid: *paid },
            How::NodeShare(share) => Self::NodeShare(NodeShareSum::of(share)?),
            How::Fee(amount) => Self::Fee { amount: *amount },
            How::Share(share) => Self::Share(ShareSum::of(share)?),
            How::Kept { policy } => {
                let on = if let Policy::Keep(named) = policy { named.clone() } else { None };
                Self::Kept { on }
            }
            How::NoNodes => Self::NoNodes,
            How::NoPrice => Self::NoPrice,
        })
    }

    const fn number(&self) -> u8 {
        match self {
            Self::Price { .. } => 0,
            Self::Nodes { .. } => 1,
            Self::NodeShare(_) => 2,
            Self::Fee { .. } => 3,
            Self::Share(_) => 4,
            Self::Kept { .. } => 5,
            Self::NoNodes => 6,
            Self::NoPrice => 7,
        }
    }
}

impl NodeShareSum {
    fn of(share: &NodeShare<'_>) -> Result<Self, Overflow> {
        Ok(Self {
            paid: share.paid,
            node_hours: share.node_hours,
            cost: Money::from_nanos(share.whole)?,
            weight: share.weight,
            worth: share.worths.get(share.place).copied().unwrap_or(0),
            worths: total(share.worths)?,
            part: Money::from_nanos(share.part)?,
            capacity: quantity(share.capacity)?,
            wanted: quantity(share.wanted)?,
            scaled_hours: u32::from(share.wanted > share.capacity),
        })
    }

    fn add(&mut self, other: &Self) -> Result<(), Overflow> {
        self.node_hours = self.node_hours.checked_add(other.node_hours)?;
        self.cost = self.cost.checked_add(other.cost)?;
        self.worth = self.worth.checked_add(other.worth).ok_or(WHAT)?;
        self.worths = self.worths.checked_add(other.worths).ok_or(WHAT)?;
        self.part = self.part.checked_add(other.part)?;
        self.capacity = self.capacity.checked_add(other.capacity)?;
        self.wanted = self.wanted.checked_add(other.wanted)?;
        self.scaled_hours = self.scaled_hours.checked_add(other.scaled_hours).ok_or(WHAT)?;
        Ok(())
    }
}

impl ShareSum {
    fn of(share: &Share<'_>) -> Result<Self, Overflow> {
        Ok(Self {
            by: ShareBy::of(share.policy),
            whole: Money::from_nanos(share.whole)?,
            base: share.weights.get(share.place).copied().unwrap_or(0),
            bases: total(share.weights)?,
            recipients: share.weights.iter().filter(|weight| **weight > 0).count(),
        })
    }

    fn add(&mut self, other: &Self) -> Result<(), Overflow> {
        self.whole = self.whole.checked_add(other.whole)?;
        self.base = self.base.checked_add(other.base).ok_or(WHAT)?;
        self.bases = self.bases.checked_add(other.bases).ok_or(WHAT)?;
        self.recipients = self.recipients.max(other.recipients);
        Ok(())
    }
}

fn total(weights: &[u128]) -> Result<u128, Overflow> {
    weights.iter().try_fold(0_u128, |sum, weight| sum.checked_add(*weight)).ok_or(WHAT)
}

fn quantity(micros: u128) -> Result<Quantity, Overflow> {
    i64::try_from(micros).map(Quantity::from_micros).map_err(|_| WHAT)
}
