//! What is agreed with cost centres, and what is corrected by hand.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::entries::Monthly;
use super::scalars::{
    Budgeted, Currency, Date, Discount, Glob, Markup, Month, Name, Price, Rate, Signed, Threshold,
};

/// What is agreed with one cost centre. Each acts on the result of those before: overrides, tiers, discount
/// or markup, minimum fee.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend(
    "not" = {"required": ["discount", "markup"]},
    "anyOf" = [
        {"required": ["discount"]},
        {"required": ["markup"]},
        {"required": ["overrides"]},
        {"required": ["tiers"]},
        {"required": ["minimum_fee"]},
        {"required": ["reporting_currency"]},
    ],
    "dependentSchemas" = {"kinds": {"anyOf": [{"required": ["discount"]}, {"required": ["markup"]}]}},
))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct CostCenter {
    /// The cost centre.
    #[schemars(rename = "cost_center")]
    name: Name,
    /// Off what it acts on.
    discount: Option<Discount>,
    /// On top of what it acts on.
    markup: Option<Markup>,
    /// The kinds of lines the discount or markup acts on; all direct cost if left out.
    #[schemars(length(min = 1))]
    kinds: Option<Vec<Charged>>,
    /// Prices in place of the list's; not for shared pools in the cost model.
    overrides: Option<Vec<Override>>,
    /// Bands of what all its tenants use in a month.
    tiers: Option<Vec<Tier>>,
    /// The least that a month costs it, by the hours in which it had a tenant.
    minimum_fee: Option<Monthly>,
    /// Its statements show every amount in this currency too, at the month's rate in `currencies`.
    reporting_currency: Option<Currency>,
}

/// Kinds of lines that are charged hour by hour.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
enum Charged {
    Compute,
    DedicatedPool,
    Storage,
    Network,
    LoadBalancer,
    ServiceFee,
    SharedCost,
    Idle,
}

/// Kinds of lines that have a list price.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
enum Priced {
    Compute,
    DedicatedPool,
    Storage,
    Network,
    LoadBalancer,
}

/// Kinds of lines that are counted in units.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
enum Counted {
    Compute,
    Storage,
    Network,
    LoadBalancer,
}

/// A unit price for one cost centre.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [{"required": ["price"]}, {"required": ["price_per_month"]}]))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
struct Override {
    /// The kind of line it acts on.
    kind: Priced,
    /// Pools, for `compute` and `dedicated_pool`; all if left out.
    pool: Option<Glob>,
    /// `cpu`, `memory` or a GPU resource for `compute`; a storage or traffic class. All if left out.
    item: Option<Glob>,
    /// Per unit.
    price: Option<Price>,
    /// Per unit and month, for storage and load balancers.
    price_per_month: Option<Price>,
}

/// Bands of a quantity, each at its own price.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    {"required": ["item"]},
    {"required": ["kind"], "properties": {"kind": {"enum": ["storage", "network", "load_balancer"]}}},
]))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
struct Tier {
    /// What is counted; `compute` if left out.
    kind: Option<Counted>,
    /// `cpu`, `memory` or a GPU resource for `compute`; a storage or traffic class, all of them if left out.
    item: Option<Glob>,
    /// In ascending order; each acts on its own units, up to where the next begins.
    #[schemars(length(min = 1))]
    bands: Vec<Band>,
}

/// What the units above a threshold cost.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["discount"]},
    {"required": ["markup"]},
    {"required": ["price"]},
    {"required": ["price_per_month"]},
]))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
struct Band {
    /// Where it begins: core-hours, GiB-hours, GPU-hours, GiB or hours of a month.
    above: Threshold,
    /// Off the month's average price.
    discount: Option<Discount>,
    /// On top of the month's average price.
    markup: Option<Markup>,
    /// Per unit, in place of the month's average price.
    price: Option<Price>,
    /// Per unit and month, for storage and load balancers.
    price_per_month: Option<Price>,
}

/// A correction by hand.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [{"required": ["tenant"]}, {"required": ["cost_center"]}]))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct Adjustment {
    /// The day of the billing zone it belongs to.
    date: Date,
    /// A number of your own; no two adjustments have the same.
    reference: Name,
    /// Why.
    reason: Name,
    /// Booked on the cost centre the tenant had that day.
    tenant: Option<Name>,
    /// Split over the statements of the cost centre.
    cost_center: Option<Name>,
    /// In whole minor units; a credit is negative.
    amount: Signed,
}

/// Exchange rates by currency: an ISO 4217 code.
#[derive(JsonSchema)]
#[schemars(extend("propertyNames" = {"pattern": "^[A-Z]{3}$"}))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct Currencies(BTreeMap<String, Months>);

/// Rates by month: 2026-10.
#[derive(JsonSchema)]
#[schemars(extend("propertyNames" = {"pattern": "^\\d{4}-(0[1-9]|1[0-2])$"}))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
struct Months(BTreeMap<String, Rate>);

/// What a cost centre or a tenant means to spend a month.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [{"required": ["tenant"]}, {"required": ["cost_center"]}]))]
#[expect(dead_code, reason = "described, never built: the reader makes the book")]
pub(super) struct Budget {
    /// Of one tenant.
    tenant: Option<Name>,
    /// Of one cost centre.
    cost_center: Option<Name>,
    /// The first month.
    from: Month,
    /// The first month in which it does not hold any more; for good if left out.
    until: Option<Month>,
    /// In the currency of the book: whole minor units, above zero.
    per_month: Budgeted,
}
