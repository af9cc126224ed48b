//! The engine says how each charge came about, to whoever listens: what explains a bill is told by what made it.

use std::fmt;

use crate::Overflow;
use crate::book::{MeteredRate, MonthlyAmount, Policy};
use crate::charge::Charge;
use crate::money::UnitPrice;
use crate::quantity::Quantity;
use crate::time::Hour;

/// Listens while an hour is rated.
pub trait Trace: fmt::Debug {
    /// A charge, before those of one key and namespace are added up.
    fn charge(&mut self, hour: Hour, charge: &Charge, how: &How<'_>) -> Result<(), Overflow>;
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Untraced;

impl Trace for Untraced {
    fn charge(&mut self, _hour: Hour, _charge: &Charge, _how: &How<'_>) -> Result<(), Overflow> {
        Ok(())
    }
}

/// How a charge came about.
#[derive(Debug, Clone, Copy)]
pub enum How<'h> {
    /// Quantity x unit price.
    Price {
        /// As the book says it.
        rate: MeteredRate,
        /// Per unit in this month.
        price: UnitPrice,
    },
    /// A dedicated class of nodes, whole.
    Nodes(Paid),
    /// A part of what a class of nodes costs.
    NodeShare(&'h NodeShare<'h>),
    /// The hour's part of a service fee.
    Fee(MonthlyAmount),
    /// A part of a whole.
    Share(&'h Share<'h>),
    /// All of a whole, because it is kept or there is nobody to share it.
    Kept {
        /// By which policy.
        policy: &'h Policy,
    },
    /// An amount that is paid for nodes that were not there.
    NoNodes,
    /// Nothing: there is no price.
    NoPrice,
}

/// How nodes are paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paid {
    /// By the node-hour.
    NodeHours(UnitPrice),
    /// By a part of an amount, split by weight x capacity.
    PartOf(MonthlyAmount),
}

/// A resource of a class of nodes, shared out over who wanted it.
#[derive(Debug, Clone, Copy)]
pub struct NodeShare<'h> {
    /// How the nodes are paid for.
    pub paid: Paid,
    /// How long there were nodes.
    pub node_hours: Quantity,
    /// What they cost, in 1e-9.
    pub whole: i128,
    /// The relative worth of one unit of the resource, in 1e-9.
    pub weight: u64,
    /// Weight x capacity of each resource.
    pub worths: &'h [u128],
    /// Which of them is the resource.
    pub place: usize,
    /// The resource's part of the cost, in 1e-9.
    pub part: i128,
    /// Its capacity, in 1e-6.
    pub capacity: u128,
    /// What everybody wanted of it, in 1e-6.
    pub wanted: u128,
}

/// A share of a whole.
#[derive(Debug, Clone, Copy)]
pub struct Share<'h> {
    /// The whole, in 1e-9.
    pub whole: i128,
    /// By which policy.
    pub policy: &'h Policy,
    /// Everybody's base.
    pub weights: &'h [u128],
    /// Which of them is this one's.
    pub place: usize,
}
