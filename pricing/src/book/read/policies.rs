//! Shared costs and who bears them.

use std::collections::BTreeMap;

use super::amounts::{check_name, monthly, name, pattern, weight};
use crate::book::{Base, Policy, SharedCost, SharedWhat};
use crate::money::Currency;
use crate::names::{CostCenter, TenantName};
use crate::problem::Refused;
use crate::yaml::Value;

/// One entry of `shared_costs`.
pub(super) fn shared_cost(value: &Value<'_>, currency: Option<Currency>) -> Result<SharedCost, Refused> {
    let mut keys = value.mapping()?;
    let name = keys.required("name", name);
    let names = keys.with_default("namespaces", Vec::new(), |value| some(value, value.list(pattern)?));
    let labels = keys.with_default("namespace_labels", BTreeMap::new(), |value| {
        let labels = value.map(|key| Ok(key.text().to_owned()), |v| v.text().map(str::to_owned))?;
        if labels.is_empty() { Err(nothing(value)) } else { Ok(labels) }
    });
    let by_namespace = keys.has("namespaces") || keys.has("namespace_labels");
    let by_amount = keys.has("per_month") || keys.has("per_year");
    let what = match (by_namespace, by_amount) {
        (true, false) => names.and_then(|names| Ok(SharedWhat::Namespaces { names, labels: labels? })),
        (false, true) => monthly(&mut keys, currency).map(SharedWhat::Fixed),
        (true, true) => Err(value.refuse(
            "a shared cost is either namespaces or an amount",
            "make two entries of it: one with namespaces, one with the amount",
        )),
        (false, false) => Err(value.refuse(
            "it does not say what is shared",
            "add `namespaces`, `namespace_labels`, `per_month` or `per_year`",
        )),
    };
    let policy = keys.required("policy", policy);
    keys.finish();
    Ok(SharedCost { name: name?, what: what?, policy: policy? })
}

fn some<T>(value: &Value<'_>, list: Vec<T>) -> Result<Vec<T>, Refused> {
    if list.is_empty() { Err(nothing(value)) } else { Ok(list) }
}

fn nothing(value: &Value<'_>) -> Refused {
    value.refuse("an empty selection selects nothing", "name something, or remove the key")
}

/// `even`, `keep`, or one of `proportional`, `weighted` and `keep` with what they need.
pub(super) fn policy(value: &Value<'_>) -> Result<Policy, Refused> {
    if !value.is_mapping() {
        return match value.text()? {
            "proportional" | "weighted" => Err(value.refuse(
                "the policy needs to know by what",
                "write {proportional: direct_cost} or {weighted: {team-a: 2, team-b: 1}}",
            )),
            _ => value.word(&[("even", Policy::Even), ("keep", Policy::Keep(None))]),
        };
    }
    let mut keys = value.mapping()?;
    let which = keys.exactly_one(&["proportional", "weighted", "keep"]);
    let policy = match which {
        Err(refused) => Err(refused),
        Ok("proportional") => keys.required("proportional", base).map(Policy::Proportional),
        Ok("weighted") => keys.required("weighted", weighted).map(Policy::Weighted),
        Ok(_) => keys.required("keep", name).map(|name| Policy::Keep(Some(CostCenter::new(name)))),
    };
    keys.finish();
    policy
}

fn base(value: &Value<'_>) -> Result<Base, Refused> {
    value.word(&[("direct_cost", Base::DirectCost), ("cpu", Base::Cpu), ("memory", Base::Memory)])
}

fn weighted(value: &Value<'_>) -> Result<BTreeMap<TenantName, u64>, Refused> {
    let tenant = |key: &crate::yaml::Key<'_>| {
        check_name(key.text()).map(TenantName::from).map_err(|message| key.refuse(message, ""))
    };
    let weights = value.map(tenant, weight)?;
    if weights.values().all(|weight| *weight == 0) {
        let mend = "give at least one tenant a weight above zero";
        return Err(value.refuse("all weights are zero, so nobody would bear it", mend));
    }
    Ok(weights)
}
