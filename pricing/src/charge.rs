//! Charges: usage x price, or a share of a cost; always money.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::money::{Money, UnitPrice, serde_as_text};
use crate::names::{ClusterName, CostCenter, Namespace, PriceClass, TenantName, VirtualNamespace};
use crate::quantity::{Quantity, Unit};

/// The kind of a line, in the order statements show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// CPU, memory or GPU on a shared pool.
    Compute,
    /// A dedicated pool, whole.
    DedicatedPool,
    /// Persistent volumes.
    Storage,
    /// Traffic.
    Network,
    /// Load balancers.
    LoadBalancer,
    /// A switched-on service.
    ServiceFee,
    /// A share of a shared cost.
    SharedCost,
    /// A share of idle capacity.
    Idle,
    /// The difference a cost-centre term makes.
    Term,
    /// A dated correction by hand.
    Adjustment,
    /// The period's rounding.
    Rounding,
    /// Usage without a price: a quantity and no amount.
    Unpriced,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::Compute,
        Self::DedicatedPool,
        Self::Storage,
        Self::Network,
        Self::LoadBalancer,
        Self::ServiceFee,
        Self::SharedCost,
        Self::Idle,
        Self::Term,
        Self::Adjustment,
        Self::Rounding,
        Self::Unpriced,
    ];

    /// Whether lines of this kind are direct cost.
    pub const fn is_direct(self) -> bool {
        matches!(
            self,
            Self::Compute | Self::DedicatedPool | Self::Storage | Self::Network | Self::LoadBalancer
        )
    }

    /// The name in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::DedicatedPool => "dedicated_pool",
            Self::Storage => "storage",
            Self::Network => "network",
            Self::LoadBalancer => "load_balancer",
            Self::ServiceFee => "service_fee",
            Self::SharedCost => "shared_cost",
            Self::Idle => "idle",
            Self::Term => "term",
            Self::Adjustment => "adjustment",
            Self::Rounding => "rounding",
            Self::Unpriced => "unpriced",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of line `{0}`")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

serde_as_text!(Kind);

/// What [`LineKey::item`] says where no class, service or book entry names it.
pub mod item {
    /// Cores.
    pub const CPU: &str = "cpu";
    /// Memory.
    pub const MEMORY: &str = "memory";
    /// Whole nodes.
    pub const NODE: &str = "node";
    /// Load balancers.
    pub const LOAD_BALANCER: &str = "load_balancer";
    /// What a cluster costs beyond the pools that were measured.
    pub const CLUSTER: &str = "(cluster)";
    /// The percentage of a cost centre.
    pub const PERCENTAGE: &str = "percentage";
    /// What a cost centre pays to reach its minimum.
    pub const MINIMUM_FEE: &str = "minimum fee";
    /// The rounding of a period.
    pub const ROUNDING: &str = "rounding";
}

/// What a line is unique by. Its order is the order of lines everywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LineKey {
    /// The cost centre it is booked on.
    pub cost_center: CostCenter,
    /// Who is charged.
    pub tenant: TenantName,
    /// The cluster; none for what spans clusters or acts on the month.
    pub cluster: Option<ClusterName>,
    /// The virtual namespace; none for what has none, shown as `(tenant)`.
    pub virtual_namespace: Option<VirtualNamespace>,
    /// The kind.
    pub kind: Kind,
    /// The node price class of compute and dedicated pools; idle is a whole pool's, which `item` names.
    pub class: Option<PriceClass>,
    /// Resource (`cpu`, `memory`, a GPU resource, `node`), storage or traffic class, service, shared cost,
    /// pool (for idle), term or adjustment. Without a price the metered ones name their kind: `storage:fast`.
    pub item: String,
    /// The list unit price, for rate and metered kinds.
    pub unit_price: Option<UnitPrice>,
}

/// Some money for some reason: the finest grain that is kept. Charges of one key and namespace add up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The line it belongs to.
    pub key: LineKey,
    /// The host namespace it comes from, where there is one.
    pub namespace: Option<Namespace>,
    /// How much of what; none for shares.
    pub quantity: Option<(Quantity, Unit)>,
    /// The amount, exact; zero for `Unpriced`, which has none.
    pub amount: Money,
}
