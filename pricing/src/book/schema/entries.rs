//! What costs what: pools, classes, services, shared costs.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::scalars::{ClusterName, Glob, GlobOrNone, Name, Price, Text, Weight};

/// What the nodes of some pools cost and how they are charged.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {
        "title": "model cost: what the nodes cost is recovered in full",
        "properties": {
            "model": {"const": "cost"},
            "cpu_core_hour": false, "memory_gib_hour": false, "gpu_hour": false,
        },
        "required": ["weights"],
        "oneOf": [{"required": ["node_hour"]}, {"required": ["per_month"]}, {"required": ["per_year"]}],
    },
    {
        "title": "model rate: billable usage x unit price, whatever the nodes cost",
        "properties": {"model": {"const": "rate"}, "weights": false, "per_month": false, "per_year": false},
        "required": ["cpu_core_hour", "memory_gib_hour"],
    },
]))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct Pools {
    /// Pools it prices.
    pool: Glob,
    /// Instance types it prices; all if left out.
    instance_type: Option<GlobOrNone>,
    /// Capacity types it prices (on-demand, spot, …); all if left out.
    capacity_type: Option<GlobOrNone>,
    /// Clusters it holds in; all if left out.
    cluster: Option<Glob>,
    /// How the pool is charged while it is shared.
    model: Model,
    /// What is billable of CPU and memory; GPUs are billed by request. `max` if left out.
    basis: Option<Basis>,
    /// Per node and hour. In the model `rate` it shows over- and under-recovery and prices dedicated pools.
    node_hour: Option<Price>,
    /// Per month, for all nodes that this entry prices.
    per_month: Option<Price>,
    /// Per year: twelve months in whole minor units.
    per_year: Option<Price>,
    /// What a core, a GiB and a GPU are worth to each other: the cost is split by weight x capacity.
    weights: Option<Weights>,
    /// Per core and hour.
    cpu_core_hour: Option<Price>,
    /// Per GiB and hour.
    memory_gib_hour: Option<Price>,
    /// Per GPU and hour, by the name of the resource (nvidia.com/gpu).
    gpu_hour: Option<ByGpu<Price>>,
}

/// How a pool is charged.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
enum Model {
    /// Full recovery: what the nodes cost is split over billable usage; the rest is idle.
    Cost,
    /// Billable usage x unit price, whatever the nodes cost.
    Rate,
}

/// What is billable.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
enum Basis {
    /// What was requested.
    Request,
    /// What was used.
    Usage,
    /// The larger of the two, per container and hour.
    Max,
    /// The namespace's quota; on one shared pool per cluster.
    Quota,
}

/// What is billable in the pools of a cluster.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
enum ClusterBasis {
    /// What was requested.
    Request,
    /// What was used.
    Usage,
    /// The larger of the two, per container and hour.
    Max,
}

/// Relative worth. Not all of them are zero.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
struct Weights {
    /// One core.
    cpu: Weight,
    /// One GiB of memory.
    memory: Weight,
    /// One GPU, by the name of the resource.
    gpu: Option<ByGpu<Weight>>,
}

/// By GPU resource, as Kubernetes names it: `nvidia.com/gpu`.
#[derive(JsonSchema)]
#[schemars(extend("propertyNames" = {"pattern": "/"}))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
struct ByGpu<T>(BTreeMap<String, T>);

/// An amount for all pools of a cluster that have no price of their own.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [{"required": ["per_month"]}, {"required": ["per_year"]}]))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct Clusters {
    /// The one cluster that costs it.
    cluster: ClusterName,
    /// Per month.
    per_month: Option<Price>,
    /// Per year: twelve months in whole minor units.
    per_year: Option<Price>,
    /// What a core, a GiB and a GPU are worth to each other.
    weights: Weights,
    /// What is billable; `max` if left out.
    basis: Option<ClusterBasis>,
}

/// The price of a storage class.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [{"required": ["gib_hour"]}, {"required": ["gib_month"]}]))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct Storage {
    /// Storage classes it prices.
    class: Glob,
    /// Per GiB and hour.
    gib_hour: Option<Price>,
    /// Per GiB and month: divided by the real hours of each month.
    gib_month: Option<Price>,
}

/// The price of a traffic class.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct Network {
    /// Traffic classes it prices.
    class: Glob,
    /// Per GiB sent.
    gib: Price,
}

/// The price of a load balancer.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [{"required": ["hour"]}, {"required": ["month"]}]))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct LoadBalancer {
    /// Per hour.
    hour: Option<Price>,
    /// Per month: divided by the real hours of each month.
    month: Option<Price>,
}

/// Fees by service.
#[derive(JsonSchema)]
#[schemars(extend("propertyNames" = {"pattern": "^(?!__)\\S(.*\\S)?$"}))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct Services(BTreeMap<String, Monthly>);

/// An amount per month or per year.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [{"required": ["per_month"]}, {"required": ["per_year"]}]))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct Monthly {
    /// Per month.
    per_month: Option<Price>,
    /// Per year: twelve months in whole minor units.
    per_year: Option<Price>,
}

/// What belongs to everyone: namespaces with all their direct cost, or an amount.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [
    {
        "title": "namespaces, by name or by labels",
        "anyOf": [{"required": ["namespaces"]}, {"required": ["namespace_labels"]}],
        "properties": {"per_month": false, "per_year": false},
    },
    {
        "title": "a fixed amount",
        "oneOf": [{"required": ["per_month"]}, {"required": ["per_year"]}],
        "properties": {"namespaces": false, "namespace_labels": false},
    },
]))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct SharedCost {
    /// Its name on statements.
    name: Name,
    /// Namespaces, by name or glob.
    #[schemars(length(min = 1))]
    namespaces: Option<Vec<Glob>>,
    /// Namespaces that have all of these labels.
    #[schemars(extend("minProperties" = 1))]
    namespace_labels: Option<BTreeMap<String, Text>>,
    /// Per month.
    per_month: Option<Price>,
    /// Per year: twelve months in whole minor units.
    per_year: Option<Price>,
    /// Who bears it.
    policy: Sharing,
}

/// Who bears something that belongs to everyone.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) enum Sharing {
    /// In one word.
    Word(Word),
    /// With what the policy needs.
    By(By),
}

/// A policy that needs nothing more.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) enum Word {
    /// Every tenant that exists in the hour, alike.
    Even,
    /// The platform cost centre.
    Keep,
}

/// A policy with what it needs: one of these.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct By {
    /// In proportion to what each tenant has of it.
    proportional: Option<Base>,
    /// The named tenants among those that exist, by weight. Not all of them are zero.
    #[schemars(extend("minProperties" = 1))]
    weighted: Option<BTreeMap<String, Weight>>,
    /// A platform cost centre of its own.
    keep: Option<Name>,
}

/// What a share is in proportion to.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) enum Base {
    /// Direct cost at list price.
    DirectCost,
    /// Billable CPU.
    Cpu,
    /// Billable memory.
    Memory,
}
