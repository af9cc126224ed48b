//! What is agreed with a cost centre is about something that has a price.

use super::part::Part;
use crate::book::{Edition, Model, Override, Tier};
use crate::charge::{Kind, item};

/// A tier counts something that has a price, and an override replaces a list price. Said only of an edition
/// whose prices could all be read.
pub(super) fn agreements_have_prices(edition: &Edition, parts: &[Part<'_>]) {
    let complete = |part: &Part<'_>| {
        part.pools.complete && part.clusters.complete && part.storage.complete && part.network.complete
    };
    if !parts.iter().all(complete) {
        return;
    }
    for placed in parts.iter().flat_map(|part| &part.cost_centers.items) {
        let terms = &placed.value.1;
        let tiers = terms.tiers.iter().filter(|tier| !edition.prices_some_of(tier)).map(of_tier);
        let overrides = terms.overrides.iter().filter(|entry| replaces_nothing(edition, entry));
        for message in tiers.chain(overrides.map(of_override)) {
            placed.place.refuse(message, "correct the name, or give it a price");
        }
    }
}

/// Whether an override has no list price to replace, and nothing was said of its pool before.
fn replaces_nothing(edition: &Edition, entry: &Override) -> bool {
    match entry.kind {
        Kind::Compute => {
            let rates = |model: &Model| matches!(model, Model::Rate { .. });
            let known = edition.pools.iter().any(|p| p.pool.overlaps(&entry.pool) && rates(&p.model));
            known && !edition.has_list_price_of(entry)
        }
        Kind::DedicatedPool => !entry.item.matches(item::NODE),
        _ => !edition.has_list_price_of(entry),
    }
}

fn of_tier(tier: &Tier) -> String {
    match tier.kind {
        Kind::LoadBalancer => "the tier of load balancers counts what has no price".to_owned(),
        kind => format!("the tier of the kind `{kind}` for `{}` counts what has no price", tier.item),
    }
}

fn of_override(entry: &Override) -> String {
    match entry.kind {
        Kind::LoadBalancer if entry.item.matches(item::LOAD_BALANCER) => {
            "the override of load balancers has no list price to replace".to_owned()
        }
        kind => {
            format!("the override of the kind `{kind}` for `{}` has no list price to replace", entry.item)
        }
    }
}
