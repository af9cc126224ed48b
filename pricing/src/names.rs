//! Names as types, so that a pool is never passed where a tenant is meant. All order as UTF-8 bytes,
//! which is the order every tie is broken in.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the name as it is.
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        // One name is mostly held by many: where it is the same text in memory, nothing is read to compare.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self::new(name)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// A Kubernetes cluster, as the configuration names it.
    ClusterName,
    /// Who is charged. `__platform__` and `__unassigned__` are reserved.
    TenantName,
    /// The finance code a tenant's charges are booked on.
    CostCenter,
    /// A namespace on the shared cluster.
    Namespace,
    /// The namespace a pod has inside its vCluster.
    VirtualNamespace,
    /// Nodes that share a pool label.
    Pool,
    /// A node's instance type.
    InstanceType,
    /// How a node is bought: on-demand, spot, …
    CapacityType,
    /// A storage class.
    StorageClass,
    /// A class of network traffic: internet, cross-zone, …; `all` where the metrics do not tell.
    TrafficClass,
    /// A platform service that a tenant can switch on.
    Service,
    /// The uid of a Kubernetes object, or the name that stands in for one.
    Uid,
}

impl TenantName {
    /// Bears what the price book keeps on the platform.
    pub const PLATFORM: &'static str = "__platform__";
    /// Bears what nobody owns. Always shown, never dropped.
    pub const UNASSIGNED: &'static str = "__unassigned__";

    /// The tenant that bears what is kept.
    pub fn platform() -> Self {
        Self::new(Self::PLATFORM)
    }

    /// The tenant that bears what nobody owns.
    pub fn unassigned() -> Self {
        Self::new(Self::UNASSIGNED)
    }

    /// Whether no real tenant may have this name.
    pub fn is_reserved(&self) -> bool {
        self.as_str() == Self::PLATFORM || self.as_str() == Self::UNASSIGNED
    }
}

impl CostCenter {
    /// The cost centre of `__unassigned__`: nobody's.
    pub const UNASSIGNED: &'static str = "__unassigned__";

    /// Nobody's cost centre.
    pub fn unassigned() -> Self {
        Self::new(Self::UNASSIGNED)
    }
}

impl VirtualNamespace {
    /// Where a vCluster's own control-plane pods are shown.
    pub const CONTROL_PLANE: &'static str = "(control plane)";
}

impl TrafficClass {
    /// Where the metrics do not tell classes apart.
    pub const ALL: &'static str = "all";
}

/// The node price class: what a node's price can depend on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PriceClass {
    /// The node pool; nodes without a pool label are in the pool `(none)`.
    pub pool: Pool,
    /// The instance type; empty where nodes do not say.
    pub instance_type: InstanceType,
    /// The capacity type; empty where nodes do not say.
    pub capacity_type: CapacityType,
}

impl Pool {
    /// The pool of nodes without a pool label.
    pub const NONE: &'static str = "(none)";
}

impl fmt::Display for PriceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pool)?;
        for part in [self.instance_type.as_str(), self.capacity_type.as_str()] {
            if !part.is_empty() {
                write!(f, "/{part}")?;
            }
        }
        Ok(())
    }
}
