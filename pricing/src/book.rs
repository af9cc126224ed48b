//! The price book: every price and every policy, dated.
//!
//! A book is a list of editions. The edition in force in an hour is the last whose `effective_from` is
//! not after it. Values here are validated: what can be built can be rated. [`PriceBook::parse`] is the
//! only way in and reports every problem of every file at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::exchange::ExchangeRate;
use crate::money::{Currency, UnitPrice};
use crate::names::{ClusterName, CostCenter, Service, StorageClass, TenantName, TrafficClass};
use crate::time::{BillingZone, Hour, HourRange, Period};

mod adjustments;
mod budgets;
mod canonical;
mod lookup;
mod pattern;
mod people;
mod places;
mod read;
mod schema;
mod seen;
mod tiers;
mod unseen;

pub use crate::problem::Problem;
pub use adjustments::{Adjustment, AdjustmentOn};
pub use budgets::{Budget, BudgetOf};
pub use pattern::{Pattern, PatternError};
pub use places::{Place, Places};
pub use read::Source;
pub use schema::schema as json_schema;
pub use seen::{Misfit, Seen};
pub use tiers::{Band, BandRate, Tier};

/// By currency and month.
pub type ExchangeRates = BTreeMap<Currency, BTreeMap<Period, ExchangeRate>>;

/// All editions, earliest first; never empty, one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceBook {
    /// The currency of every amount in the ledger.
    pub currency: Currency,
    /// The zone months are spread in and local dates are read in.
    pub zone: BillingZone,
    /// Earliest first, no two from the same hour.
    pub editions: Vec<Edition>,
    /// Corrections by hand, by date and reference. Each has a reference of its own.
    pub adjustments: Vec<Adjustment>,
    /// What a unit of the book's currency is worth in others.
    pub rates: ExchangeRates,
    /// What tenants and cost centres mean to spend, by whose and when.
    pub budgets: Vec<Budget>,
    /// Where it says so.
    pub places: Places,
    /// Of everything it says, labels included; formatting, comments and the split into files do not count.
    pub digest: Digest,
}

impl PriceBook {
    /// The edition in force in an hour; none before the first.
    pub fn at(&self, hour: Hour) -> Option<&Edition> {
        self.editions.iter().rev().find(|edition| edition.effective_from <= hour)
    }

    /// The edition whose terms act on a month: the first that is in force in any of its hours. Those that
    /// begin later in it have the same terms, for the reader of books lets terms change only where a period
    /// starts.
    pub fn terms_in(&self, hours: HourRange) -> Option<&Edition> {
        let begins_inside = || self.editions.iter().find(|edition| hours.contains(edition.effective_from));
        self.at(hours.from).or_else(begins_inside)
    }
}

/// Prices and policies from one date on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edition {
    /// The label finance gave it, for example `2026-10.1`.
    pub version: String,
    /// From this hour on.
    pub effective_from: Hour,
    /// Bears what is kept and the rounding line; without one `__unassigned__` does.
    pub platform_cost_center: Option<CostCenter>,
    /// Node pools, most specific first: the first that matches a price class prices it.
    pub pools: Vec<PoolPrice>,
    /// An amount per month for the pools of a cluster that have no price of their own.
    pub clusters: Vec<ClusterPrice>,
    /// Storage, most specific first.
    pub storage: Vec<MeteredPrice<StorageClass>>,
    /// Network, most specific first.
    pub network: Vec<MeteredPrice<TrafficClass>>,
    /// A load balancer, if it has a price.
    pub load_balancer: Option<MeteredRate>,
    /// Monthly fee of each service.
    pub services: BTreeMap<Service, MonthlyAmount>,
    /// Shared costs, in the order of the book.
    pub shared_costs: Vec<SharedCost>,
    /// How idle capacity of shared pools in the cost model is distributed.
    pub idle: Policy,
    /// Terms of cost centres.
    pub cost_centers: BTreeMap<CostCenter, Terms>,
}

/// The price of a node pool, or of some price classes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolPrice {
    /// Pools it prices.
    pub pool: Pattern,
    /// Instance types it prices.
    pub instance_type: Pattern,
    /// Capacity types it prices.
    pub capacity_type: Pattern,
    /// Clusters it holds in.
    pub cluster: Pattern,
    /// What the nodes cost. Needed by the cost model and by dedicated pools.
    pub nodes: Option<NodeCost>,
    /// How the pool is charged while it is shared.
    pub model: Model,
    /// What is billable.
    pub basis: Basis,
}

/// What nodes cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeCost {
    /// Per node and hour.
    PerNodeHour(UnitPrice),
    /// Per month for all nodes that the entry prices, split over price classes by weight x capacity.
    PerMonth(MonthlyAmount),
}

/// An amount per month, or per year as twelve months in minor units by largest remainder, January first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonthlyAmount {
    /// The same each month, in 1e-9 of the currency.
    Month {
        /// 1e-9 of the currency.
        nanos: i128,
    },
    /// Per year, in minor units.
    Year {
        /// Minor units.
        minor: i128,
    },
}

/// How a shared pool is charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// Full recovery: the node cost is split over resources by weight x capacity, then over billable
    /// usage; the rest is idle.
    Cost {
        /// Relative worth of one core, one GiB, one GPU. Not all zero.
        weights: Weights,
    },
    /// Billable usage x unit price, whatever the nodes cost.
    Rate {
        /// Per core-hour.
        cpu: Option<UnitPrice>,
        /// Per GiB-hour.
        memory: Option<UnitPrice>,
        /// Per GPU-hour, by resource name.
        gpu: BTreeMap<String, UnitPrice>,
    },
}

/// Relative worth of resources, in 1e-9.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Weights {
    /// One core.
    pub cpu: u64,
    /// One GiB.
    pub memory: u64,
    /// One GPU, by resource name.
    pub gpu: BTreeMap<String, u64>,
}

/// What is billable of CPU and memory. GPUs are billed by request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// What was requested.
    Request,
    /// What was used.
    Usage,
    /// The larger of the two per container and hour.
    Max,
    /// The namespace's quota; `Max` where it has none.
    Quota,
}

/// The monthly amount of all pools of a cluster without a price of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPrice {
    /// The one cluster that costs it.
    pub cluster: ClusterName,
    /// The amount.
    pub amount: MonthlyAmount,
    /// How it is charged while a pool is shared; always [`Model::Cost`].
    pub weights: Weights,
    /// What is billable.
    pub basis: Basis,
}

/// The price of what is metered by class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeteredPrice<Class> {
    /// Classes it prices.
    pub class: Pattern,
    /// The price.
    pub rate: MeteredRate,
    /// Ties the pattern to what it selects.
    pub of: std::marker::PhantomData<Class>,
}

/// Per unit, or per unit-month: then divided by the period's real hours, half-even to 12 decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeteredRate {
    /// Per unit of the quantity.
    PerUnit(UnitPrice),
    /// Per unit-month of a quantity that is measured in unit-hours.
    PerUnitMonth(UnitPrice),
}

/// A cost that belongs to everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedCost {
    /// Its name on statements.
    pub name: String,
    /// What it is.
    pub what: SharedWhat,
    /// Who bears it.
    pub policy: Policy,
}

/// What is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedWhat {
    /// All direct cost of namespaces, by name or by labels (all must match).
    Namespaces {
        /// By name or glob.
        names: Vec<Pattern>,
        /// By label; empty selects none.
        labels: BTreeMap<String, String>,
    },
    /// A fixed amount.
    Fixed(MonthlyAmount),
}

/// Who bears a shared cost or idle capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// Every tenant that exists in the hour, alike.
    Even,
    /// In proportion to a base.
    Proportional(Base),
    /// The named tenants among those that exist, by weight (1e-9).
    Weighted(BTreeMap<TenantName, u64>),
    /// The platform cost centre of the edition, or the one named here.
    Keep(Option<CostCenter>),
}

/// What a proportional share is in proportion to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Direct cost.
    DirectCost,
    /// Billable CPU.
    Cpu,
    /// Billable memory.
    Memory,
}

/// What is agreed with one cost centre.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Unit prices that replace the list's: rate pools, dedicated nodes, storage, network, load balancers.
    pub overrides: Vec<Override>,
    /// Other prices above a threshold, by kind and item. No two count the same units.
    pub tiers: Vec<Tier>,
    /// In 1e-9: a discount of 10 % is -100 000 000, a markup of 5 % is 50 000 000.
    pub percentage: i64,
    /// The kinds the percentage acts on; all direct-cost kinds where empty.
    pub percentage_kinds: BTreeSet<crate::charge::Kind>,
    /// The least that a month costs before adjustments, by the hours in which it had a tenant.
    pub minimum_fee: Option<MonthlyAmount>,
    /// The currency its statements are shown in beside the book's.
    pub reporting_currency: Option<Currency>,
}

/// A unit price for one cost centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The kind of line.
    pub kind: crate::charge::Kind,
    /// Pools, for compute kinds.
    pub pool: Pattern,
    /// Resource, storage class or traffic class.
    pub item: Pattern,
    /// The price in place of the list's.
    pub rate: MeteredRate,
}
