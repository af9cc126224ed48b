//! What is agreed with cost centres.

use std::collections::BTreeSet;

use super::amounts::{discount, markup, monthly, name, pattern, price};
use super::tiers::tiers;
use crate::book::{MeteredRate, Override, Pattern, Terms};
use crate::charge::Kind;
use crate::money::Currency;
use crate::names::CostCenter;
use crate::problem::Refused;
use crate::yaml::Value;

/// Kinds whose list price can be replaced.
const PRICED: [Kind; 5] =
    [Kind::Compute, Kind::DedicatedPool, Kind::Storage, Kind::Network, Kind::LoadBalancer];
/// Kinds that a percentage can name: everything that is charged hour by hour.
const CHARGED: [Kind; 8] = [
    Kind::Compute,
    Kind::DedicatedPool,
    Kind::Storage,
    Kind::Network,
    Kind::LoadBalancer,
    Kind::ServiceFee,
    Kind::SharedCost,
    Kind::Idle,
];

/// One entry of `cost_centers`.
pub(super) fn cost_center(
    value: &Value<'_>,
    currency: Option<Currency>,
) -> Result<(CostCenter, Terms), Refused> {
    let mut keys = value.mapping()?;
    let name = keys.required("cost_center", name);
    let which = keys.at_most_one(&["discount", "markup"]);
    let percentage = match which {
        Err(refused) => Err(refused),
        Ok(None) => Ok(0),
        Ok(Some("discount")) => keys.required("discount", discount).map(i64::saturating_neg),
        Ok(Some(_)) => keys.required("markup", markup),
    };
    let kinds = keys.with_default("kinds", Vec::new(), |value| {
        let kinds = value.list(charged_kind)?;
        if kinds.is_empty() {
            let mend = "name the kinds, or remove the key: without it the percentage acts on all direct cost";
            return Err(value.refuse("no kinds are no line to act on", mend));
        }
        Ok(kinds)
    });
    if keys.has("kinds") && which == Ok(None) {
        value.refuse(
            "`kinds` says what a percentage acts on, but there is none",
            "add `discount` or `markup`",
        );
    }
    let overrides = keys.with_default("overrides", Vec::new(), |value| value.list(price_override));
    let tiers = keys.with_default("tiers", Vec::new(), tiers);
    let minimum_fee = keys.optional("minimum_fee", |value| {
        let mut keys = value.mapping()?;
        let amount = monthly(&mut keys, currency);
        keys.finish();
        amount
    });
    let reporting_currency = keys.optional("reporting_currency", |value| {
        let reporting = value.parsed::<Currency>()?;
        if Some(reporting) == currency {
            let message = format!("`{reporting}` is the currency of the book itself");
            return Err(value.refuse(message, "remove the key"));
        }
        Ok(reporting)
    });
    let agreements = ["overrides", "tiers", "minimum_fee", "reporting_currency"];
    if which == Ok(None) && !agreements.iter().any(|key| keys.has(key)) {
        let mend = "add `overrides`, `tiers`, `discount`, `markup`, `minimum_fee` or `reporting_currency`, or remove \
                    the entry";
        value.refuse("nothing is agreed here", mend);
    }
    keys.finish();
    let mut overrides = overrides?;
    overrides.sort_by(|a, b| {
        (a.kind.cmp(&b.kind))
            .then_with(|| a.pool.by_specificity(&b.pool))
            .then_with(|| a.item.by_specificity(&b.item))
            .then_with(|| (&a.pool, &a.item).cmp(&(&b.pool, &b.item)))
    });
    refuse_ambiguous(value, &overrides);
    let percentage_kinds: BTreeSet<Kind> = kinds?.into_iter().collect();
    let terms = Terms {
        overrides,
        tiers: tiers?,
        percentage: percentage?,
        percentage_kinds,
        minimum_fee: minimum_fee?,
        reporting_currency: reporting_currency?,
    };
    Ok((CostCenter::new(name?), terms))
}

fn charged_kind(value: &Value<'_>) -> Result<Kind, Refused> {
    value.word(&CHARGED.map(|kind| (kind.as_str(), kind)))
}

fn price_override(value: &Value<'_>) -> Result<Override, Refused> {
    let mut keys = value.mapping()?;
    let kind = keys.required("kind", |v| v.word(&PRICED.map(|kind| (kind.as_str(), kind))));
    let pool = keys.optional("pool", pattern);
    let item = keys.with_default("item", Pattern::any(), pattern);
    let rate = match keys.exactly_one(&["price", "price_per_month"]) {
        Err(refused) => Err(refused),
        Ok("price") => keys.required("price", price).map(MeteredRate::PerUnit),
        Ok(_) => keys.required("price_per_month", price).map(MeteredRate::PerUnitMonth),
    };
    keys.finish();
    let (kind, pool, item, rate) = (kind?, pool?, item?, rate?);
    if !matches!(kind, Kind::Compute | Kind::DedicatedPool) && pool.is_some() {
        let message = format!("`pool` means nothing for the kind `{kind}`");
        return Err(value.refuse(message, "remove `pool`"));
    }
    if kind == Kind::Compute && item.is_any() {
        let message = "a price for every resource alike is never what is meant";
        return Err(value.refuse(message, "add `item: cpu`, `memory` or a GPU resource"));
    }
    if matches!(
        (kind, rate),
        (Kind::Compute | Kind::DedicatedPool | Kind::Network, MeteredRate::PerUnitMonth(_))
    ) {
        let message = format!("a price per month means nothing for the kind `{kind}`");
        return Err(value.refuse(message, "write `price`, per unit"));
    }
    Ok(Override { kind, pool: pool.unwrap_or_else(Pattern::any), item, rate })
}

/// Overrides of one cost centre that would both be the best for some line.
fn refuse_ambiguous(value: &Value<'_>, overrides: &[Override]) {
    for (index, a) in overrides.iter().enumerate() {
        for b in overrides.iter().skip(index.saturating_add(1)) {
            let equal = a.kind == b.kind
                && a.pool.by_specificity(&b.pool).is_eq()
                && a.item.by_specificity(&b.item).is_eq();
            if equal && a.pool.overlaps(&b.pool) && a.item.overlaps(&b.item) {
                let message = format!(
                    "two overrides of the kind `{}` are equally good for some lines: pool `{}`, item `{}` and pool \
                     `{}`, item `{}`",
                    a.kind, a.pool, a.item, b.pool, b.item
                );
                value.refuse(message, "remove one, or make one of them more specific");
            }
        }
    }
}
