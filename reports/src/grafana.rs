//! Rows that Grafana draws: flat, ascending by time, one for each time and set of labels.
//!
//! Grafana's JSON sources turn rows into series only if times ascend, keep one of two rows with the same
//! time and labels (the other's cost is lost), and fail where a key changes its type. So rows live in a
//! sorted map under (time, labels), and every key has one type in every row; only `coverage` may be null.
//!
//! Daily rows are exact. What acts on a month (terms, rounding) has no day: it stands in `month_level`,
//! beside the rows, and both together equal the statements. Monthly rows are the statements.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use chrono::{DateTime, NaiveDate, Utc};
use defray_pricing::Overflow;
use defray_pricing::charge::{Charge, LineKey};
use defray_pricing::money::{Currency, Money};
use defray_pricing::names::{ClusterName, VirtualNamespace};
use defray_pricing::quantity::{Quantity, Unit};
use defray_pricing::statement::{Line, Statement};
use serde::Serialize;
use serde::ser::SerializeMap as _;

use crate::month::{Coverage, instant};
use crate::number::Number;
use crate::usage::Usage;

/// The most rows an answer may have: what memory is bounded by.
pub const MAX_ROWS: usize = 200_000;

/// Shown where a line has no such thing, for example no cluster. Never empty: an empty label is no label.
const NONE: &str = "(none)";
const WHOLE_TENANT: &str = "(tenant)";

/// What rows can be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Who is charged.
    Tenant,
    /// The cost centre.
    CostCenter,
    /// The cluster.
    Cluster,
    /// The virtual namespace.
    VirtualNamespace,
    /// The kind of line.
    Kind,
    /// The node pool.
    Pool,
    /// Resource, storage or traffic class, service, …
    Item,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Tenant,
        Self::CostCenter,
        Self::Cluster,
        Self::VirtualNamespace,
        Self::Kind,
        Self::Pool,
        Self::Item,
    ];

    /// The name in queries and the key in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::CostCenter => "cost_center",
            Self::Cluster => "cluster",
            Self::VirtualNamespace => "virtual_namespace",
            Self::Kind => "kind",
            Self::Pool => "pool",
            Self::Item => "item",
        }
    }

    fn of(self, key: &LineKey) -> String {
        let text = match self {
            Self::Tenant => Some(key.tenant.as_str()),
            Self::CostCenter => Some(key.cost_center.as_str()),
            Self::Cluster => key.cluster.as_ref().map(ClusterName::as_str),
            Self::VirtualNamespace => {
                Some(key.virtual_namespace.as_ref().map_or(WHOLE_TENANT, VirtualNamespace::as_str))
            }
            Self::Kind => Some(key.kind.as_str()),
            Self::Pool => key.class.as_ref().map(|class| class.pool.as_str()),
            Self::Item => Some(key.item.as_str()),
        };
        text.filter(|text| !text.is_empty()).unwrap_or(NONE).to_owned()
    }
}

/// Why rows could not be made.
#[derive(Debug, thiserror::Error)]
pub enum GrafanaError {
    /// A sum does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// More rows than memory is kept for.
    #[error("the answer would have more than {MAX_ROWS} rows; ask for fewer days or group by less")]
    TooManyRows,
    /// The receiver of the bytes did not take them.
    #[error("the rows could not be written")]
    Write(#[from] std::io::Error),
    /// Not JSON.
    #[error("the rows could not be written")]
    Json(#[from] serde_json::Error),
}

/// Which lines count; an empty set lets all pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Tenants.
    pub tenants: BTreeSet<String>,
    /// Cost centres.
    pub cost_centers: BTreeSet<String>,
}

impl Filter {
    fn passes(&self, key: &LineKey) -> bool {
        let one_of = |set: &BTreeSet<String>, name: &str| set.is_empty() || set.contains(name);
        one_of(&self.tenants, key.tenant.as_str()) && one_of(&self.cost_centers, key.cost_center.as_str())
    }
}

/// What the answer says about itself.
#[derive(Debug, Clone)]
pub struct Meta {
    /// The currency of every cost; none while nothing was rated.
    pub currency: Option<Currency>,
    /// The first instant asked for.
    pub from: DateTime<Utc>,
    /// The first instant after.
    pub to: DateTime<Utc>,
    /// The last local day whose amounts can no longer move, where there is one.
    pub final_until: Option<NaiveDate>,
    /// Whether the numbers are made up for a demonstration.
    pub demo: bool,
}

/// Where in time a row stands, and what holds for the whole bucket.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// Whether its amounts can no longer move.
    pub settled: bool,
    /// Data against time gone by, over all clusters, where it is known.
    pub coverage: Option<Coverage>,
}

type Key = (DateTime<Utc>, Vec<String>);

#[derive(Debug, Default)]
struct Sums {
    cost: Money,
    usage: Usage,
    settled: bool,
    coverage: Option<Coverage>,
}

/// Rows under way.
#[derive(Debug)]
pub struct Costs {
    dimensions: Vec<Dimension>,
    filter: Filter,
    rows: BTreeMap<Key, Sums>,
    month_level: BTreeMap<Key, Money>,
}

impl Costs {
    /// No rows yet. A dimension named twice counts once.
    pub fn new(dimensions: impl IntoIterator<Item = Dimension>, filter: Filter) -> Self {
        let mut seen = BTreeSet::new();
        let dimensions = dimensions.into_iter().filter(|dimension| seen.insert(*dimension)).collect();
        Self { dimensions, filter, rows: BTreeMap::new(), month_level: BTreeMap::new() }
    }

    /// Adds a charge to the row of its day.
    pub fn add_charge(&mut self, bucket: Bucket, charge: &Charge) -> Result<(), GrafanaError> {
        self.add(bucket, &charge.key, charge.quantity, charge.amount)
    }

    /// Adds a statement to the rows of its month, rounded as it is.
    pub fn add_statement(&mut self, bucket: Bucket, statement: &Statement) -> Result<(), GrafanaError> {
        statement.lines.iter().try_for_each(|line| self.add(bucket, &line.key, line.quantity, line.amount))
    }

    /// Adds charges that act on the month whole. Together with [`Costs::add_rounding`] and the days' charges
    /// they equal the month's statements.
    pub fn add_month_level(&mut self, start: DateTime<Utc>, charge: &Charge) -> Result<(), GrafanaError> {
        self.add_to_month(start, &charge.key, charge.amount)
    }

    /// Adds what rounding did to a line.
    pub fn add_rounding(&mut self, start: DateTime<Utc>, line: &Line) -> Result<(), GrafanaError> {
        if line.rounding.is_zero() { Ok(()) } else { self.add_to_month(start, &line.key, line.rounding) }
    }

    /// Writes the answer.
    pub fn write(&self, meta: &Meta, mut out: impl Write) -> Result<(), GrafanaError> {
        out.write_all(b"{\"meta\":")?;
        serde_json::to_writer(&mut out, &MetaView::new(meta))?;
        out.write_all(b",\n\"rows\":[")?;
        let mut separator: &[u8] = b"\n";
        for ((time, labels), sums) in &self.rows {
            out.write_all(separator)?;
            let row =
                Row { time: *time, dimensions: &self.dimensions, labels, cost: sums.cost, sums: Some(sums) };
            serde_json::to_writer(&mut out, &row)?;
            separator = b",\n";
        }
        out.write_all(b"\n],\n\"month_level\":[")?;
        separator = b"\n";
        for ((time, labels), cost) in &self.month_level {
            out.write_all(separator)?;
            let row = Row { time: *time, dimensions: &self.dimensions, labels, cost: *cost, sums: None };
            serde_json::to_writer(&mut out, &row)?;
            separator = b",\n";
        }
        out.write_all(b"\n]}\n")?;
        out.flush()?;
        Ok(())
    }

    fn add(
        &mut self,
        bucket: Bucket,
        key: &LineKey,
        quantity: Option<(Quantity, Unit)>,
        amount: Money,
    ) -> Result<(), GrafanaError> {
        if !self.filter.passes(key) {
            return Ok(());
        }
        let at = (bucket.start, self.labels(key));
        let sums = self.rows.entry(at).or_default();
        sums.cost = sums.cost.checked_add(amount)?;
        sums.usage.add(key.kind, &key.item, quantity)?;
        sums.settled = bucket.settled;
        sums.coverage = bucket.coverage;
        self.check_size()
    }

    fn add_to_month(
        &mut self,
        start: DateTime<Utc>,
        key: &LineKey,
        amount: Money,
    ) -> Result<(), GrafanaError> {
        if !self.filter.passes(key) {
            return Ok(());
        }
        let at = (start, self.labels(key));
        let sum = self.month_level.entry(at).or_default();
        *sum = sum.checked_add(amount)?;
        self.check_size()
    }

    fn labels(&self, key: &LineKey) -> Vec<String> {
        self.dimensions.iter().map(|dimension| dimension.of(key)).collect()
    }

    fn check_size(&self) -> Result<(), GrafanaError> {
        let rows = self.rows.len().saturating_add(self.month_level.len());
        if rows > MAX_ROWS { Err(GrafanaError::TooManyRows) } else { Ok(()) }
    }
}

#[derive(Serialize)]
struct MetaView<'a> {
    currency: Option<&'a str>,
    from: String,
    to: String,
    final_until: Option<String>,
    demo: bool,
}

impl<'a> MetaView<'a> {
    fn new(meta: &'a Meta) -> Self {
        Self {
            currency: meta.currency.as_ref().map(Currency::code),
            from: instant(meta.from),
            to: instant(meta.to),
            final_until: meta.final_until.map(|day| day.to_string()),
            demo: meta.demo,
        }
    }
}

struct Row<'a> {
    time: DateTime<Utc>,
    dimensions: &'a [Dimension],
    labels: &'a [String],
    cost: Money,
    sums: Option<&'a Sums>,
}

impl Serialize for Row<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(None)?;
        row.serialize_entry("time", &instant(self.time))?;
        for (dimension, label) in self.dimensions.iter().zip(self.labels) {
            row.serialize_entry(dimension.as_str(), label)?;
        }
        row.serialize_entry("cost", &Number::new(self.cost))?;
        if let Some(sums) = self.sums {
            let usage = &sums.usage;
            row.serialize_entry("cpu_core_hours", &Number::new(usage.cpu))?;
            row.serialize_entry("memory_gib_hours", &Number::new(usage.memory))?;
            row.serialize_entry("gpu_hours", &Number::new(usage.gpu))?;
            row.serialize_entry("storage_gib_hours", &Number::new(usage.storage))?;
            row.serialize_entry("network_gib", &Number::new(usage.network))?;
            row.serialize_entry("load_balancer_hours", &Number::new(usage.load_balancers))?;
            row.serialize_entry("node_hours", &Number::new(usage.nodes))?;
            row.serialize_entry("coverage", &sums.coverage.and_then(Coverage::ratio).map(Number::new))?;
            row.serialize_entry("final", &sums.settled)?;
        }
        row.end()
    }
}
