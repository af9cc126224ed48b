//! What a proposed tenant would cost: a month that happened, rated again as if the tenant had been there.
//!
//! So an estimate follows every rule of a bill (models, shares, terms, rounding), and no second set of rules
//! can drift away from the first. What has to be assumed is listed, and what cannot be estimated is named.

use std::collections::{BTreeMap, BTreeSet};

use crate::Overflow;
use crate::book::{Edition, NodeCost};
use crate::charge::Kind;
use crate::money::{Currency, Money};
use crate::names::{ClusterName, CostCenter, Namespace, PriceClass, Service, StorageClass, TenantName};
use crate::ownership::{NamespaceState, Owners, TenantState};
use crate::quantity::{Quantity, Unit};
use crate::statement::{Line, PeriodStatements};
use crate::time::Period;
use crate::usage::{ComputeRow, NodeRow, QuotaRow, StorageRow, UsageHour};

mod read;

/// A tenant as somebody would ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The team.
    pub tenant: TenantName,
    /// Where it would be booked.
    pub cost_center: CostCenter,
    /// Services it would switch on.
    pub services: BTreeSet<Service>,
    /// How many cores it may use.
    pub cpu: Option<Quantity>,
    /// How many GiB of memory.
    pub memory: Option<Quantity>,
    /// How many GiB of volumes.
    pub storage: Option<Quantity>,
    /// Nodes of its own.
    pub nodes: Option<OwnNodes>,
}

/// Nodes of a tenant's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnNodes {
    /// How many.
    pub size: u32,
    /// Of which type.
    pub instance_type: String,
}

/// Where the proposed tenant would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The cluster.
    pub cluster: ClusterName,
    /// Its host namespace.
    pub namespace: Namespace,
    /// The price class of its own nodes, if it asks for some.
    pub own: Option<PriceClass>,
    /// The price class of the shared nodes it would run on otherwise, if there are any.
    pub shared: Option<PriceClass>,
    /// The storage class of its volumes, if there is any.
    pub storage: Option<StorageClass>,
}

/// Puts the proposed tenant into hours that happened.
#[derive(Debug, Clone)]
pub struct Joining {
    /// The tenant.
    pub proposal: Proposal,
    /// Where it would be.
    pub place: Place,
}

impl Joining {
    /// The owners of an hour, had the tenant been there.
    #[must_use]
    pub fn owners(&self, owners: &Owners) -> Owners {
        let (proposal, place) = (&self.proposal, &self.place);
        let mut owners = owners.clone();
        let state =
            TenantState { cost_center: proposal.cost_center.clone(), services: proposal.services.clone() };
        owners.tenants.insert((place.cluster.clone(), proposal.tenant.clone()), state);
        let namespace = NamespaceState { tenant: Some(proposal.tenant.clone()), labels: BTreeMap::new() };
        owners.namespaces.insert((place.cluster.clone(), place.namespace.clone()), namespace);
        if let Some(own) = &place.own {
            owners.dedicated.insert((place.cluster.clone(), own.pool.clone()), proposal.tenant.clone());
        }
        owners
    }

    /// The usage of an hour, had the tenant been there and used all it may, all the time.
    pub fn usage(&self, owners: &Owners, usage: &[UsageHour]) -> Result<Vec<UsageHour>, Overflow> {
        let place = &self.place;
        let mut usage = usage.to_vec();
        if !usage.iter().any(|hour| hour.cluster == place.cluster) {
            usage.push(UsageHour::empty(place.cluster.clone(), owners.hour));
        }
        for hour in usage.iter_mut().filter(|hour| hour.cluster == place.cluster) {
            self.add(hour)?;
            hour.canonicalise();
        }
        Ok(usage)
    }

    fn add(&self, hour: &mut UsageHour) -> Result<(), Overflow> {
        let Self { proposal, place } = self;
        if let (Some(class), Some(nodes)) = (&place.own, &proposal.nodes) {
            let micros = i64::from(nodes.size).checked_mul(1_000_000).ok_or(Overflow("node-hours"))?;
            hour.nodes.push(NodeRow {
                class: class.clone(),
                node_hours: Quantity::from_micros(micros),
                cpu_capacity: Quantity::ZERO,
                memory_capacity: Quantity::ZERO,
                gpu_capacity: BTreeMap::new(),
            });
        }
        let (cpu, memory) = (proposal.cpu.unwrap_or_default(), proposal.memory.unwrap_or_default());
        if let Some(class) = place.own.as_ref().or(place.shared.as_ref()) {
            hour.compute.push(ComputeRow {
                cpu_request: cpu,
                cpu_usage: cpu,
                cpu_max: cpu,
                memory_request: memory,
                memory_usage: memory,
                memory_max: memory,
                ..ComputeRow::zero(place.namespace.clone(), None, class.clone())
            });
        }
        if place.own.is_none() {
            let (cpu, memory) = (proposal.cpu, proposal.memory);
            hour.quotas.push(QuotaRow { namespace: place.namespace.clone(), cpu, memory });
        }
        if let (Some(capacity), Some(class)) = (proposal.storage, &place.storage) {
            let (namespace, class) = (place.namespace.clone(), class.clone());
            hour.storage.push(StorageRow { namespace, virtual_namespace: None, class, capacity });
        }
        Ok(())
    }
}

/// What a proposed tenant would cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// The month it is made on.
    pub period: Period,
    /// Of every amount.
    pub currency: Currency,
    /// The tenant.
    pub tenant: TenantName,
    /// Where it would be booked.
    pub cost_center: CostCenter,
    /// The lines of its statement, but for usage without a price.
    pub lines: Vec<Line>,
    /// The total.
    pub amount: Money,
    /// What was assumed.
    pub assumptions: Vec<String>,
    /// What is not in the total, and why.
    pub not_estimated: Vec<String>,
}

/// Reads the estimate off the month in which the tenant had been there.
pub fn estimate(joining: &Joining, edition: &Edition, statements: &PeriodStatements) -> Estimate {
    let proposal = &joining.proposal;
    let own = statements.statements.iter().filter(|statement| {
        statement.tenant == proposal.tenant && statement.cost_center == proposal.cost_center
    });
    let own: Vec<_> = own.collect();
    let all = || own.iter().flat_map(|statement| &statement.lines);
    // Nodes that bear a part by their capacity have none here: that part is not zero, it is not known. Where
    // they are the only ones the amount pays for, they bear all of it.
    let by_amount = paid_by_amount(edition, &joining.place);
    let estimated = |line: &&Line| match line.key.kind {
        Kind::Unpriced => false,
        Kind::DedicatedPool => by_amount.is_none() || !line.amount.is_zero(),
        _ => true,
    };
    let lines = all().filter(estimated).cloned().collect();
    let mut not_estimated: Vec<String> = all()
        .filter(|line| line.key.kind == Kind::Unpriced)
        .map(|line| {
            let quantity = line.quantity.map(|(quantity, unit)| of(quantity, unit)).unwrap_or_default();
            format!("`{}`{quantity}: the price book has no price for it", line.key.item)
        })
        .collect();
    not_estimated.extend(unknown(joining, by_amount));
    Estimate {
        period: statements.period,
        currency: statements.currency,
        tenant: proposal.tenant.clone(),
        cost_center: proposal.cost_center.clone(),
        lines,
        amount: own.first().map_or(Money::ZERO, |statement| statement.amount),
        assumptions: assumptions(joining, edition, statements.period),
        not_estimated,
    }
}

fn of(quantity: Quantity, unit: Unit) -> String {
    format!(", {quantity} {unit}")
}

fn assumptions(joining: &Joining, edition: &Edition, period: Period) -> Vec<String> {
    let Joining { proposal, place } = joining;
    let mut told = vec![
        format!(
            "the month is {period} as it happened, with this tenant from its first hour to its last: whoever else \
             was there, what they used and the nodes there were stay as they were"
        ),
        format!("edition {} of the price book holds all month", edition.version),
        format!("it lives in the cluster {}, in the namespace {}", place.cluster, place.namespace),
        "adjustments by hand are left out".to_owned(),
    ];
    if edition.cost_centers.get(&proposal.cost_center).is_some_and(|terms| terms.minimum_fee.is_some()) {
        told.push(format!("of what misses to the minimum fee of {} it bears its part", proposal.cost_center));
    }
    match (&place.own, &place.shared) {
        (Some(own), _) => {
            told.push(format!("its own nodes are {own}, run all month, and everything it runs is on them"));
        }
        (None, Some(shared)) => told.push(format!(
            "it uses all of its quota all the time, on shared nodes {shared}; no nodes are added for it"
        )),
        (None, None) => {}
    }
    if let (Some(_), Some(class)) = (proposal.storage, &place.storage) {
        told.push(format!("its volumes are as large as its quota, all month, of the storage class {class}"));
    }
    told
}

/// Nodes of its own that an amount per month pays: what they bear depends on their capacity.
fn paid_by_amount<'p>(edition: &Edition, place: &'p Place) -> Option<&'p PriceClass> {
    place.own.as_ref().filter(|own| match edition.pool_price(&place.cluster, own) {
        Some(price) => matches!(price.nodes, Some(NodeCost::PerMonth(_))),
        None => edition.cluster_price(&place.cluster).is_some(),
    })
}

/// What a proposal cannot tell.
fn unknown(joining: &Joining, by_amount: Option<&PriceClass>) -> Vec<String> {
    let Joining { proposal, place } = joining;
    let mut told =
        vec!["traffic and load balancers: a Tenant does not say how much of them it needs".to_owned()];
    if place.own.is_none() {
        if proposal.cpu.is_none() && proposal.memory.is_none() {
            told.push("compute: the Tenant asks for neither a quota nor nodes of its own".to_owned());
        } else if place.shared.is_none() {
            told.push("compute: there were no shared nodes in the cluster".to_owned());
        }
    }
    match (proposal.storage, &place.storage) {
        (None, _) => told.push("storage: the Tenant asks for no quota of it".to_owned()),
        (Some(_), None) => {
            told.push("storage: no storage class was used in the cluster; name one".to_owned());
        }
        (Some(_), Some(_)) => {}
    }
    if let Some(own) = by_amount {
        told.push(format!(
            "the nodes {own}: they are paid by an amount per month, and their part of it depends on their \
             capacity, which a Tenant does not say"
        ));
    }
    told
}
