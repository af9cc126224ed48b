//! The proposed tenant among those who were there: hours that happened, as if it had been in them.

use std::collections::BTreeMap;

use super::{Place, Proposal};
use crate::Overflow;
use crate::names::{ClusterName, Namespace, Pool, TenantName};
use crate::ownership::{NamespaceState, Owners, TenantState};
use crate::quantity::Quantity;
use crate::usage::{ComputeRow, NodeRow, QuotaRow, StorageRow, UsageHour};

/// Puts the proposed tenant into hours that happened.
#[derive(Debug, Clone)]
pub struct Joining {
    /// The tenant.
    pub proposal: Proposal,
    /// Where it would be.
    pub place: Place,
}

/// What of a proposed tenant is there already: an estimate would charge it for what others have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Clash {
    /// Somebody is called so.
    #[error("the tenant `{0}` exists already; what it costs is on its statement")]
    Tenant(TenantName),
    /// The namespace is there.
    #[error(
        "the cluster {0} has a namespace `{1}` already, and the new tenant would be charged for what is in it; \
         give the team another name, or name a month in which it was not there"
    )]
    Namespace(ClusterName, Namespace),
    /// The pool is somebody's.
    #[error(
        "the pool `{pool}` of the cluster {cluster} is dedicated to `{tenant}`, and the new tenant would be charged \
         for its nodes; name a pool that is not there yet"
    )]
    Dedicated {
        /// The cluster.
        cluster: ClusterName,
        /// The pool.
        pool: Pool,
        /// Whose it is.
        tenant: TenantName,
    },
    /// The pool is there.
    #[error(
        "the pool `{1}` of the cluster {0} is there already, and the new tenant would be charged for all its nodes; \
         name a pool that is not there yet, or leave out the nodes and name it as the shared pool"
    )]
    Pool(ClusterName, Pool),
}

/// How what the tenant wants fitted into an hour's shared nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fit {
    /// Nodes that were added, because there were too few.
    pub added: Quantity,
    /// Whether it did not fit and none were added: everybody's usage is scaled to fit.
    pub crowded: bool,
}

impl Joining {
    /// What of the tenant an hour has already.
    #[must_use]
    pub fn clash(&self, owners: &Owners, usage: &[UsageHour]) -> Option<Clash> {
        let (proposal, Place { cluster, namespace, .. }) = (&self.proposal, &self.place);
        let named = owners.tenants.keys().map(|(_, tenant)| tenant);
        let owning = owners.namespaces.values().filter_map(|state| state.tenant.as_ref());
        let own = self.place.own.as_ref().map(|own| &own.pool);
        let dedicated = || own.and_then(|own| owners.dedicated.get(&(cluster.clone(), own.clone())));
        let here = || usage.iter().filter(|hour| hour.cluster == *cluster);
        if named.chain(owning).chain(owners.dedicated.values()).any(|tenant| *tenant == proposal.tenant) {
            return Some(Clash::Tenant(proposal.tenant.clone()));
        }
        if owners.namespaces.contains_key(&(cluster.clone(), namespace.clone()))
            || here().any(|hour| is_used(hour, namespace))
        {
            return Some(Clash::Namespace(cluster.clone(), namespace.clone()));
        }
        if let (Some(pool), Some(tenant)) = (own, dedicated()) {
            let (cluster, pool, tenant) = (cluster.clone(), pool.clone(), tenant.clone());
            return Some(Clash::Dedicated { cluster, pool, tenant });
        }
        let taken = own.filter(|own| here().any(|hour| hour.nodes.iter().any(|row| row.class.pool == **own)));
        taken.map(|pool| Clash::Pool(cluster.clone(), pool.clone()))
    }

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
    pub fn usage(&self, owners: &Owners, usage: &[UsageHour]) -> Result<(Vec<UsageHour>, Fit), Overflow> {
        let place = &self.place;
        let (mut usage, mut fit) = (usage.to_vec(), Fit::default());
        if !usage.iter().any(|hour| hour.cluster == place.cluster) {
            usage.push(UsageHour::empty(place.cluster.clone(), owners.hour));
        }
        for hour in usage.iter_mut().filter(|hour| hour.cluster == place.cluster) {
            self.add(hour)?;
            if let (Some(room), None) = (&place.room, &place.own) {
                let [cpu, memory] = [self.proposal.cpu, self.proposal.memory].map(Option::unwrap_or_default);
                fit = room.make(hour, [cpu, memory])?;
            }
            hour.canonicalise();
        }
        Ok((usage, fit))
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
        // A pool that bills quotas bills them to who runs on other nodes, too.
        let (cpu, memory) = (proposal.cpu, proposal.memory);
        if cpu.is_some() || memory.is_some() {
            hour.quotas.push(QuotaRow { namespace: place.namespace.clone(), cpu, memory });
        }
        if let (Some(capacity), Some(class)) = (proposal.storage, &place.storage) {
            let (namespace, class) = (place.namespace.clone(), class.clone());
            hour.storage.push(StorageRow { namespace, virtual_namespace: None, class, capacity });
        }
        Ok(())
    }
}

/// Whether anything was measured in a namespace.
fn is_used(hour: &UsageHour, namespace: &Namespace) -> bool {
    let compute = hour.compute.iter().map(|row| &row.namespace);
    let storage = hour.storage.iter().map(|row| &row.namespace);
    let network = hour.network.iter().map(|row| &row.namespace);
    let balancers = hour.load_balancers.iter().map(|row| &row.namespace);
    let quotas = hour.quotas.iter().map(|row| &row.namespace);
    compute.chain(storage).chain(network).chain(balancers).chain(quotas).any(|name| name == namespace)
}
