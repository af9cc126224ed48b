//! Room on shared nodes in the cost model.
//!
//! What is wanted above capacity is scaled to fit, so a tenant that is larger than what is free would look
//! cheaper the more it asks for. Where nodes have a price of their own, as many as are missing are added: that is
//! what a cluster does. Where an amount pays for them it stays as it is, and that it was too much is told.

use std::collections::BTreeMap;

use super::joining::Fit;
use crate::Overflow;
use crate::book::{Basis, Edition, Model, NodeCost};
use crate::decimal::div_half_even;
use crate::names::{ClusterName, Namespace, PriceClass};
use crate::quantity::Quantity;
use crate::usage::{ComputeRow, NodeRow, UsageHour};

/// A node-hour in 1e-6.
const NODE: i128 = 1_000_000;

/// What shared nodes in the cost model have room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    basis: Basis,
    /// Nodes of the class as they were, the pattern of those that are added.
    nodes: NodeRow,
    /// Whether more of them can be added, each at its price.
    grows: bool,
}

impl Room {
    /// Of nodes by their price; none where they are not shared out.
    pub fn of(edition: &Edition, cluster: &ClusterName, nodes: NodeRow) -> Option<Self> {
        match edition.pool_price(cluster, &nodes.class) {
            Some(price) => matches!(price.model, Model::Cost { .. }).then(|| Self {
                basis: price.basis,
                grows: matches!(price.nodes, Some(NodeCost::PerNodeHour(_))),
                nodes,
            }),
            None => {
                edition.cluster_price(cluster).map(|price| Self { basis: price.basis, nodes, grows: false })
            }
        }
    }

    /// The class of the nodes.
    pub const fn class(&self) -> &PriceClass {
        &self.nodes.class
    }

    /// Adds nodes to an hour until what a tenant wants of it (cores, GiB) fits beside what others want.
    pub(super) fn make(&self, hour: &mut UsageHour, own: [Quantity; 2]) -> Result<Fit, Overflow> {
        let mut missing = 0_i128;
        let mut short = false;
        for (resource, own) in [Resource::Cpu, Resource::Memory].into_iter().zip(own) {
            let free = resource.capacity(self.of_pool(hour))?.checked_sub(self.wanted(hour, resource)?);
            let lacking = free.and_then(i128::checked_neg).ok_or(WHAT)?.min(i128::from(own.micros()));
            if lacking <= 0 {
                continue;
            }
            short = true;
            let each = resource.capacity(std::iter::once(&self.nodes))?;
            let hours = i128::from(self.nodes.node_hours.micros());
            // Whole nodes, the last one not always used up. None where nodes have nothing of what is missing.
            let node = each.checked_mul(NODE).ok_or(WHAT)?;
            let wanted = lacking.checked_mul(hours).ok_or(WHAT)?;
            let up = wanted.checked_add(node).and_then(|sum| sum.checked_sub(1)).ok_or(WHAT)?;
            missing = missing.max(up.checked_div(node).unwrap_or(0));
        }
        let crowded = Fit { crowded: short, ..Fit::default() };
        if !self.grows || missing == 0 {
            return Ok(crowded);
        }
        let added = missing.checked_mul(NODE).ok_or(WHAT)?;
        self.add(hour, added)?;
        Ok(Fit { added: quantity(added)?, crowded: false })
    }

    fn add(&self, hour: &mut UsageHour, added: i128) -> Result<(), Overflow> {
        let part = |whole: Quantity| {
            let product = i128::from(whole.micros()).checked_mul(added).ok_or(WHAT)?;
            quantity(div_half_even(product, i128::from(self.nodes.node_hours.micros()))?)
        };
        let gpus = self.nodes.gpu_capacity.iter();
        let more = NodeRow {
            class: self.nodes.class.clone(),
            node_hours: quantity(added)?,
            cpu_capacity: part(self.nodes.cpu_capacity)?,
            memory_capacity: part(self.nodes.memory_capacity)?,
            gpu_capacity: gpus
                .map(|(name, whole)| Ok((name.clone(), part(*whole)?)))
                .collect::<Result<_, _>>()?,
        };
        if let Some(row) = hour.nodes.iter_mut().find(|row| row.class == more.class) {
            return row.absorb(&more);
        }
        hour.nodes.push(more);
        Ok(())
    }

    /// Nodes that share what is wanted: a quota is spread over the whole pool.
    fn of_pool<'h>(&self, hour: &'h UsageHour) -> impl Iterator<Item = &'h NodeRow> {
        hour.nodes.iter().filter(|row| self.shares(&row.class))
    }

    fn shares(&self, class: &PriceClass) -> bool {
        let own = &self.nodes.class;
        if self.basis == Basis::Quota { class.pool == own.pool } else { class == own }
    }

    /// What everybody wants, in 1e-6.
    fn wanted(&self, hour: &UsageHour, resource: Resource) -> Result<i128, Overflow> {
        let quotas = hour.quotas.iter().filter(|_| self.basis == Basis::Quota);
        let quotas = quotas.filter_map(|row| {
            let limit = if resource == Resource::Cpu { row.cpu } else { row.memory };
            limit.map(|limit| (&row.namespace, limit))
        });
        let quotas: BTreeMap<&Namespace, Quantity> = quotas.collect();
        let rows = hour.compute.iter();
        let rows = rows.filter(|row| self.shares(&row.class) && !quotas.contains_key(&row.namespace));
        let used = rows.map(|row| resource.billable(row, self.basis));
        sum(used.chain(quotas.values().copied()))
    }
}

const WHAT: Overflow = Overflow("room");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    Cpu,
    Memory,
}

impl Resource {
    fn capacity<'n>(self, nodes: impl Iterator<Item = &'n NodeRow>) -> Result<i128, Overflow> {
        sum(nodes.map(|row| match self {
            Self::Cpu => row.cpu_capacity,
            Self::Memory => row.memory_capacity,
        }))
    }

    const fn billable(self, row: &ComputeRow, basis: Basis) -> Quantity {
        match (self, basis) {
            (Self::Cpu, Basis::Request) => row.cpu_request,
            (Self::Cpu, Basis::Usage) => row.cpu_usage,
            (Self::Cpu, Basis::Max | Basis::Quota) => row.cpu_max,
            (Self::Memory, Basis::Request) => row.memory_request,
            (Self::Memory, Basis::Usage) => row.memory_usage,
            (Self::Memory, Basis::Max | Basis::Quota) => row.memory_max,
        }
    }
}

fn sum(quantities: impl Iterator<Item = Quantity>) -> Result<i128, Overflow> {
    quantities.map(|quantity| i128::from(quantity.micros())).try_fold(0_i128, i128::checked_add).ok_or(WHAT)
}

fn quantity(micros: i128) -> Result<Quantity, Overflow> {
    i64::try_from(micros).map(Quantity::from_micros).map_err(|_| WHAT)
}

impl NodeRow {
    /// Takes in nodes of the same class.
    pub fn absorb(&mut self, more: &Self) -> Result<(), Overflow> {
        self.node_hours = self.node_hours.checked_add(more.node_hours)?;
        self.cpu_capacity = self.cpu_capacity.checked_add(more.cpu_capacity)?;
        self.memory_capacity = self.memory_capacity.checked_add(more.memory_capacity)?;
        for (name, capacity) in &more.gpu_capacity {
            let sum = self.gpu_capacity.entry(name.clone()).or_default();
            *sum = sum.checked_add(*capacity)?;
        }
        Ok(())
    }
}
