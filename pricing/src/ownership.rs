//! Who owned what, when: facts with `[from, until)`, and what they mean for one hour.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::names::{
    CapacityType, ClusterName, CostCenter, InstanceType, Namespace, Pool, Service, TenantName, Uid,
};
use crate::time::Hour;

mod resolve;
mod rules;
mod spans;
mod within;

pub use resolve::{OwnershipIndex, resolve};
pub use rules::{Ancestor, CostCenterSource, NamePattern, NamedBy, NamespaceRule, StaticClaim, TenancyRules};

/// A fact about one object and the time it held: `[from, until)`, open while it still holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span<T> {
    /// The cluster the object lives in.
    pub cluster: ClusterName,
    /// The object's uid: a namespace created again under the same name is another one.
    pub uid: Uid,
    /// When it began to hold.
    pub from: DateTime<Utc>,
    /// When it stopped; none while it holds.
    pub until: Option<DateTime<Utc>>,
    /// How it is known.
    pub origin: Origin,
    /// The fact.
    pub fact: T,
}

/// How a fact is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Seen in the Kubernetes API while it held.
    Observed,
    /// Taken from the metrics store, or from the earliest observation, for hours before it.
    Assumed,
}

/// A `Tenant` resource at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantFact {
    /// `metadata.name`.
    pub name: String,
    /// The tenant: `spec.teamName`, or what the configured key says.
    pub team: TenantName,
    /// `spec.costCenter`.
    pub cost_center: CostCenter,
    /// `spec.ownerEmail`.
    pub owner_email: String,
    /// `spec.adGroup`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ad_group: Option<String>,
    /// Services that are switched on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<Service>,
    /// `spec.nodePool.size`, what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_pool_size: Option<u32>,
    /// `spec.nodePool.instanceType`, what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_pool_instance_type: Option<String>,
    /// Why the resource cannot be read any more. All else is then its last good version, which stays in force
    /// until the resource is mended or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malformed: Option<String>,
}

/// A host namespace at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceFact {
    /// Its name.
    pub name: Namespace,
    /// Its labels, as far as a rule or a price book may ask for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations, as far as a rule asks for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A node at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFact {
    /// Its name.
    pub name: String,
    /// Its pool.
    pub pool: Pool,
    /// Its instance type; empty where no label says.
    pub instance_type: InstanceType,
    /// Its capacity type; empty where no label says.
    pub capacity_type: CapacityType,
    /// The tenant it is dedicated to, by label or taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedicated_to: Option<String>,
}

/// Everything known about who owned what, in every cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Tenants.
    pub tenants: Vec<Span<TenantFact>>,
    /// Namespaces.
    pub namespaces: Vec<Span<NamespaceFact>>,
    /// Nodes.
    pub nodes: Vec<Span<NodeFact>>,
    /// Since when each cluster is observed; earlier hours are `assumed`.
    pub observed_since: BTreeMap<ClusterName, DateTime<Utc>>,
}

/// Who owned what in one hour: what held at its end, or at the owner's last moment in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// The hour.
    pub hour: Hour,
    /// Tenants that existed, by cluster.
    pub tenants: BTreeMap<(ClusterName, TenantName), TenantState>,
    /// Host namespaces that existed, and who they belong to. What is not listed is unassigned.
    pub namespaces: BTreeMap<(ClusterName, Namespace), NamespaceState>,
    /// Dedicated pools. What is not listed is shared.
    pub dedicated: BTreeMap<(ClusterName, Pool), TenantName>,
    /// Claims that contradict each other; what they claim is unassigned.
    pub conflicts: BTreeSet<Conflict>,
    /// Clusters whose ownership is assumed in this hour.
    pub assumed: BTreeSet<ClusterName>,
}

impl Owners {
    /// Nobody owns anything.
    pub fn nobody(hour: Hour) -> Self {
        Self {
            hour,
            tenants: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            dedicated: BTreeMap::new(),
            conflicts: BTreeSet::new(),
            assumed: BTreeSet::new(),
        }
    }
}

/// A tenant in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantState {
    /// The cost centre its charges are booked on.
    pub cost_center: CostCenter,
    /// Services that are switched on.
    pub services: BTreeSet<Service>,
}

/// A namespace in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceState {
    /// Its tenant; none where nobody owns it.
    pub tenant: Option<TenantName>,
    /// Its labels: a price book may declare namespaces shared by label.
    pub labels: BTreeMap<String, String>,
}

/// Claims that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "conflict", rename_all = "snake_case")]
pub enum Conflict {
    /// Two `Tenant` resources of one cluster name the same team.
    TwoTenantsOneTeam {
        /// The cluster.
        cluster: ClusterName,
        /// The team.
        team: TenantName,
        /// The names of the resources, in order.
        resources: Vec<String>,
    },
    /// Two rules claim one namespace for two tenants.
    TwoOwnersOneNamespace {
        /// The cluster.
        cluster: ClusterName,
        /// The namespace.
        namespace: Namespace,
        /// The tenants and the rule that names each, in order.
        claims: Vec<(TenantName, String)>,
    },
    /// The nodes of one pool are dedicated to different tenants; the pool is treated as shared.
    TwoOwnersOnePool {
        /// The cluster.
        cluster: ClusterName,
        /// The pool.
        pool: Pool,
        /// What the nodes say, in order; empty for nodes that say nothing.
        claims: Vec<String>,
    },
    /// A namespace has an owner and is declared shared by the price book.
    OwnedAndShared {
        /// The cluster.
        cluster: ClusterName,
        /// The namespace.
        namespace: Namespace,
        /// Who owns it.
        tenant: TenantName,
        /// The shared cost that names it.
        shared_cost: String,
    },
    /// More than one shared cost of the price book selects a namespace.
    TwoSharedCosts {
        /// The cluster.
        cluster: ClusterName,
        /// The namespace.
        namespace: Namespace,
        /// The shared costs, in the order of the book.
        shared_costs: Vec<String>,
    },
    /// The namespaces of a tenant that no resource describes name different cost centres.
    TwoCostCenters {
        /// The cluster.
        cluster: ClusterName,
        /// The tenant; its charges are on the cost centre `__unassigned__`.
        tenant: TenantName,
        /// The cost centres and the namespace that names each, in order.
        claims: Vec<(CostCenter, Namespace)>,
    },
    /// Nothing says on which cost centre a tenant is that no resource describes.
    NoCostCenter {
        /// The cluster.
        cluster: ClusterName,
        /// The tenant; its charges are on the cost centre `__unassigned__`.
        tenant: TenantName,
    },
    /// A tenant asks for a reserved name.
    ReservedName {
        /// The cluster.
        cluster: ClusterName,
        /// The name of the resource.
        resource: String,
        /// The reserved name.
        team: TenantName,
    },
}
