//! What was measured in one hour of one cluster: units, no money.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::money::serde_as_text;
use crate::names::{ClusterName, Namespace, PriceClass, StorageClass, TrafficClass, VirtualNamespace};
use crate::quantity::Quantity;
use crate::time::Hour;

/// One measured hour: the unit of recording. Rows are sorted by their keys, each key once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageHour {
    /// The cluster.
    pub cluster: ClusterName,
    /// The hour.
    pub hour: Hour,
    /// CPU, memory and GPUs of running containers.
    pub compute: Vec<ComputeRow>,
    /// Nodes that existed.
    pub nodes: Vec<NodeRow>,
    /// Bound persistent volumes.
    pub storage: Vec<StorageRow>,
    /// Bytes sent.
    pub network: Vec<NetworkRow>,
    /// Services of type `LoadBalancer`.
    pub load_balancers: Vec<LoadBalancerRow>,
    /// Hard quotas.
    pub quotas: Vec<QuotaRow>,
    /// For each source, in how many of the 60 minutes it had data.
    pub coverage: BTreeMap<Source, Minutes>,
}

impl UsageHour {
    /// An hour in which nothing was measured and no source had data.
    pub fn empty(cluster: ClusterName, hour: Hour) -> Self {
        Self {
            cluster,
            hour,
            compute: Vec::new(),
            nodes: Vec::new(),
            storage: Vec::new(),
            network: Vec::new(),
            load_balancers: Vec::new(),
            quotas: Vec::new(),
            coverage: BTreeMap::new(),
        }
    }

    /// Brings rows into the one order that everything downstream relies on.
    pub fn canonicalise(&mut self) {
        self.compute.sort_by(|a, b| a.key().cmp(&b.key()));
        self.nodes.sort_by(|a, b| a.class.cmp(&b.class));
        self.storage.sort_by(|a, b| a.key().cmp(&b.key()));
        self.network.sort_by(|a, b| a.key().cmp(&b.key()));
        self.load_balancers.sort_by(|a, b| a.key().cmp(&b.key()));
        self.quotas.sort_by(|a, b| a.namespace.cmp(&b.namespace));
    }

    /// The least covered source, in minutes of 60; none where nothing was asked for.
    pub fn least_coverage(&self) -> Option<Minutes> {
        self.coverage.values().copied().min()
    }
}

/// Usage of one namespace, virtual namespace and node price class.
///
/// Request, usage and the sum of the larger of the two per container are all kept, so that any book can
/// rate any past month, whatever its basis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputeRow {
    /// The host namespace.
    pub namespace: Namespace,
    /// The virtual namespace, for pods that a vCluster synced.
    pub virtual_namespace: Option<VirtualNamespace>,
    /// The price class of the nodes the containers ran on.
    pub class: PriceClass,
    /// Core-hours requested.
    pub cpu_request: Quantity,
    /// Core-hours used.
    pub cpu_usage: Quantity,
    /// The larger of the two per container, summed.
    pub cpu_max: Quantity,
    /// GiB-hours requested.
    pub memory_request: Quantity,
    /// GiB-hours of working set.
    pub memory_usage: Quantity,
    /// The larger of the two per container, summed.
    pub memory_max: Quantity,
    /// GPU-hours requested, by resource name (`nvidia.com/gpu`).
    pub gpu_request: BTreeMap<String, Quantity>,
}

impl ComputeRow {
    /// A row of zeros.
    pub fn zero(
        namespace: Namespace,
        virtual_namespace: Option<VirtualNamespace>,
        class: PriceClass,
    ) -> Self {
        Self {
            namespace,
            virtual_namespace,
            class,
            cpu_request: Quantity::ZERO,
            cpu_usage: Quantity::ZERO,
            cpu_max: Quantity::ZERO,
            memory_request: Quantity::ZERO,
            memory_usage: Quantity::ZERO,
            memory_max: Quantity::ZERO,
            gpu_request: BTreeMap::new(),
        }
    }

    /// What the row is unique by.
    pub fn key(&self) -> (&PriceClass, &Namespace, Option<&VirtualNamespace>) {
        (&self.class, &self.namespace, self.virtual_namespace.as_ref())
    }
}

/// The nodes of one price class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRow {
    /// The price class.
    pub class: PriceClass,
    /// Minutes the nodes existed / 60, summed.
    pub node_hours: Quantity,
    /// Core-hours of capacity.
    pub cpu_capacity: Quantity,
    /// GiB-hours of capacity.
    pub memory_capacity: Quantity,
    /// GPU-hours of capacity, by resource name.
    pub gpu_capacity: BTreeMap<String, Quantity>,
}

/// Bound persistent volumes of one namespace and storage class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageRow {
    /// The namespace of the claim.
    pub namespace: Namespace,
    /// The virtual namespace, for claims that a vCluster synced.
    pub virtual_namespace: Option<VirtualNamespace>,
    /// The storage class.
    pub class: StorageClass,
    /// GiB-hours of capacity, mounted or not.
    pub capacity: Quantity,
}

impl StorageRow {
    /// What the row is unique by.
    pub fn key(&self) -> (&Namespace, Option<&VirtualNamespace>, &StorageClass) {
        (&self.namespace, self.virtual_namespace.as_ref(), &self.class)
    }
}

/// Traffic one namespace sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRow {
    /// The host namespace.
    pub namespace: Namespace,
    /// The virtual namespace, for pods that a vCluster synced.
    pub virtual_namespace: Option<VirtualNamespace>,
    /// The class of traffic.
    pub class: TrafficClass,
    /// GiB sent.
    pub egress: Quantity,
}

impl NetworkRow {
    /// What the row is unique by.
    pub fn key(&self) -> (&Namespace, Option<&VirtualNamespace>, &TrafficClass) {
        (&self.namespace, self.virtual_namespace.as_ref(), &self.class)
    }
}

/// Load balancers of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancerRow {
    /// The host namespace.
    pub namespace: Namespace,
    /// The virtual namespace, for Services that a vCluster synced.
    pub virtual_namespace: Option<VirtualNamespace>,
    /// Hours the Services existed, summed.
    pub hours: Quantity,
}

impl LoadBalancerRow {
    /// What the row is unique by.
    pub fn key(&self) -> (&Namespace, Option<&VirtualNamespace>) {
        (&self.namespace, self.virtual_namespace.as_ref())
    }
}

/// The hard quota of one namespace: the least of its `ResourceQuota`s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaRow {
    /// The host namespace.
    pub namespace: Namespace,
    /// Core-hours of quota; none where no quota names CPU.
    pub cpu: Option<Quantity>,
    /// GiB-hours of quota; none where no quota names memory.
    pub memory: Option<Quantity>,
}

/// Where a quantity was read from: each has its own coverage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// cAdvisor: CPU, memory and network usage.
    Cadvisor,
    /// kube-state-metrics: requests, capacity, volumes, quotas, Services.
    KubeStateMetrics,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Cadvisor, Self::KubeStateMetrics];

    /// The name in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cadvisor => "cadvisor",
            Self::KubeStateMetrics => "kube-state-metrics",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown source `{0}`")]
pub struct UnknownSource(pub String);

impl FromStr for Source {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|source| source.as_str() == text)
            .ok_or_else(|| UnknownSource(text.to_owned()))
    }
}

serde_as_text!(Source);

/// Minutes of an hour in which a source had data: 0 to 60.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Minutes(u8);

impl Minutes {
    /// The whole hour.
    pub const FULL: Self = Self(60);
    /// No data at all.
    pub const NONE: Self = Self(0);

    /// The number, if it is at most 60.
    pub fn new(minutes: u8) -> Option<Self> {
        (minutes <= 60).then_some(Self(minutes))
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Minutes {
    type Error = String;

    fn try_from(minutes: u8) -> Result<Self, Self::Error> {
        Self::new(minutes).ok_or_else(|| format!("{minutes} minutes do not fit into an hour"))
    }
}

impl From<Minutes> for u8 {
    fn from(minutes: Minutes) -> Self {
        minutes.0
    }
}
