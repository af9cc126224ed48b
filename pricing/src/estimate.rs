//! What a proposed tenant would cost: a month that happened, rated again as if the tenant had been there.
//!
//! So an estimate follows every rule of a bill (models, shares, terms, rounding), and no second set of rules
//! can drift away from the first. What has to be assumed is listed, and what cannot be estimated is named.

use std::collections::BTreeSet;

use crate::book::{Edition, NodeCost};
use crate::charge::Kind;
use crate::money::{Currency, Money};
use crate::names::{ClusterName, CostCenter, Namespace, PriceClass, Service, StorageClass, TenantName};
use crate::quantity::{Quantity, Unit};
use crate::statement::{Line, PeriodStatements};
use crate::time::Period;

mod form;
mod joining;
mod kubernetes;
mod read;
mod room;
mod seen;
mod told;

pub use form::{Form, Path};
pub use joining::{Clash, Fit, Joining};
pub use kubernetes::{GIB, kubernetes_quantity};
pub use room::Room;
pub use seen::{Seen, StandIns};

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
    /// Fields of the resource that nothing is made of.
    pub ignored: Vec<String>,
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
    /// What room there is on them, in the cost model.
    pub room: Option<Room>,
    /// The price class of the shared pool that bills quotas, if there is one.
    pub quota: Option<PriceClass>,
    /// The storage class of its volumes, if there is any.
    pub storage: Option<StorageClass>,
}

/// What a proposed tenant would cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// The month it is made on.
    pub period: Period,
    /// How many hours the month has.
    pub hours: u32,
    /// How many of them were measured; the others are assumed to have been like those.
    pub hours_known: u32,
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
pub fn estimate(
    joining: &Joining,
    edition: &Edition,
    seen: &Seen,
    statements: &PeriodStatements,
) -> Estimate {
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
    not_estimated.extend(told::unknown(joining, by_amount));
    Estimate {
        period: statements.period,
        hours: seen.hours,
        hours_known: seen.hours_known,
        currency: statements.currency,
        tenant: proposal.tenant.clone(),
        cost_center: proposal.cost_center.clone(),
        lines,
        amount: own.first().map_or(Money::ZERO, |statement| statement.amount),
        assumptions: told::assumptions(joining, edition, seen, statements.period),
        not_estimated,
    }
}

fn of(quantity: Quantity, unit: Unit) -> String {
    format!(", {quantity} {unit}")
}

/// Nodes of its own that an amount per month pays: what they bear depends on their capacity.
fn paid_by_amount<'p>(edition: &Edition, place: &'p Place) -> Option<&'p PriceClass> {
    place.own.as_ref().filter(|own| match edition.pool_price(&place.cluster, own) {
        Some(price) => matches!(price.nodes, Some(NodeCost::PerMonth(_))),
        None => edition.cluster_price(&place.cluster).is_some(),
    })
}
