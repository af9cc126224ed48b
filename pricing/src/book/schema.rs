//! The JSON Schema of a price book, for editors and pipelines: what a file may say, key by key.
//!
//! The reader decides; the schema describes what it reads, as types that mirror the file. Tests hold them
//! together: each knows exactly the other's keys, and the schema refuses nothing that the reader takes. What
//! no single file shows (gaps, overlaps, doubles between files) only the reader finds.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

mod entries;
mod scalars;
mod terms;

use entries::{Clusters, Network, Pools, Services, Sharing, Storage};
use scalars::{Currency, Moment, Name};
use terms::{Adjustment, Budget, CostCenter, Currencies};

/// The schema of one file of a price book.
pub fn schema() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Book>()
}

/// One file of a defray price book. Files with the same `effective_from` are one edition; an edition is
/// whole and inherits nothing.
#[derive(JsonSchema)]
#[schemars(title = "defray price book", deny_unknown_fields)]
#[schemars(extend(
    // What belongs to an edition needs its date.
    "dependentRequired" = {
        "version": ["effective_from"],
        "platform_cost_center": ["effective_from"],
        "pools": ["effective_from"],
        "clusters": ["effective_from"],
        "storage": ["effective_from"],
        "network": ["effective_from"],
        "load_balancer": ["effective_from"],
        "services": ["effective_from"],
        "shared_costs": ["effective_from"],
        "idle": ["effective_from"],
        "cost_centers": ["effective_from"],
    },
    "anyOf" = [
        {"required": ["effective_from"]},
        {"required": ["adjustments"]},
        {"required": ["currencies"]},
        {"required": ["budgets"]},
    ],
))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
struct Book {
    /// The currency of every amount: the same in every file.
    currency: Currency,
    /// From when on the edition is in force: a local date or time of the billing zone, or a time with an
    /// offset; on a full UTC hour.
    effective_from: Option<Moment>,
    /// The label of the edition, shown on statements. Each edition has its own.
    version: Option<Name>,
    /// Bears what is kept, and the rounding of the period. Without one `__unassigned__` does.
    platform_cost_center: Option<Name>,
    /// What nodes cost and how their pools are charged. The most specific entry that matches holds.
    pools: Option<Vec<Pools>>,
    /// Amounts for all pools of a cluster that have no entry in `pools`.
    clusters: Option<Vec<Clusters>>,
    /// Storage by class.
    storage: Option<Vec<Storage>>,
    /// Network by traffic class.
    network: Option<Vec<Network>>,
    /// A load balancer.
    load_balancer: Option<entries::LoadBalancer>,
    /// Fees of services that a tenant has switched on, by the hours they were on.
    services: Option<Services>,
    /// What belongs to everyone, and who bears it.
    shared_costs: Option<Vec<entries::SharedCost>>,
    /// Who bears the capacity of shared pools in the cost model that nobody used.
    idle: Option<Sharing>,
    /// What is agreed with cost centres. It changes only at the start of a billing period.
    cost_centers: Option<Vec<CostCenter>>,
    /// Corrections by hand, each once, in the month of its date. They belong to the book, not to an edition.
    adjustments: Option<Vec<Adjustment>>,
    /// Exchange rates of reporting currencies, one a month: units for one unit of the book's currency.
    currencies: Option<Currencies>,
    /// What cost centres and tenants mean to spend a month. No two of one at the same time.
    budgets: Option<Vec<Budget>>,
}

#[cfg(test)]
mod tests;
