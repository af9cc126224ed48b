//! What nodes cost and how pools are charged.

use std::collections::BTreeMap;

use super::amounts::{by_gpu, monthly, name, pattern, pattern_or_empty, per_month, per_year, price, weights};
use crate::book::{Basis, ClusterPrice, Model, NodeCost, Pattern, PoolPrice};
use crate::money::Currency;
use crate::names::ClusterName;
use crate::problem::Refused;
use crate::yaml::{Mapping, Value};

#[derive(Clone, Copy, PartialEq)]
enum Word {
    Cost,
    Rate,
}

const NODE_PRICES: [&str; 3] = ["node_hour", "per_month", "per_year"];
const COST_KEYS: [&str; 1] = ["weights"];
const RATE_KEYS: [&str; 3] = ["cpu_core_hour", "memory_gib_hour", "gpu_hour"];

/// One entry of `pools`.
pub(super) fn pool(value: &Value<'_>, currency: Option<Currency>) -> Result<PoolPrice, Refused> {
    let mut keys = value.mapping()?;
    let pool = keys.required("pool", pattern);
    let instance_type = keys.with_default("instance_type", Pattern::any(), pattern_or_empty);
    let capacity_type = keys.with_default("capacity_type", Pattern::any(), pattern_or_empty);
    let cluster = keys.with_default("cluster", Pattern::any(), pattern);
    let basis = keys.with_default("basis", Basis::Max, basis);
    let word = keys.required("model", |v| v.word(&[("cost", Word::Cost), ("rate", Word::Rate)]));
    let model = match word {
        Ok(Word::Cost) => cost(&mut keys),
        Ok(Word::Rate) => rate(&mut keys),
        Err(refused) => {
            // The keys of either model are known, so that only what is unknown in both is told.
            for key in COST_KEYS.into_iter().chain(RATE_KEYS) {
                keys.has(key);
            }
            Err(refused)
        }
    };
    let nodes = nodes(&mut keys, word.ok(), currency);
    keys.finish();
    Ok(PoolPrice {
        pool: pool?,
        instance_type: instance_type?,
        capacity_type: capacity_type?,
        cluster: cluster?,
        nodes: nodes?,
        model: model?,
        basis: basis?,
    })
}

fn cost(keys: &mut Mapping<'_>) -> Result<Model, Refused> {
    let foreign = refuse_keys(keys, &RATE_KEYS, "belongs to the model `rate`");
    let weights = keys.required("weights", weights);
    foreign?;
    Ok(Model::Cost { weights: weights? })
}

fn rate(keys: &mut Mapping<'_>) -> Result<Model, Refused> {
    let foreign = refuse_keys(keys, &COST_KEYS, "belongs to the model `cost`");
    let cpu = keys.required("cpu_core_hour", price);
    let memory = keys.required("memory_gib_hour", price);
    let gpu = keys.with_default("gpu_hour", BTreeMap::new(), |value| by_gpu(value, price));
    foreign?;
    Ok(Model::Rate { cpu: Some(cpu?), memory: Some(memory?), gpu: gpu? })
}

fn refuse_keys(keys: &mut Mapping<'_>, foreign: &[&'static str], why: &str) -> Result<(), Refused> {
    let mut result = Ok(());
    for key in foreign {
        if let Some(value) = keys.get(key) {
            result = Err(value.refuse(format!("`{key}` {why}"), "remove it, or change the model"));
        }
    }
    result
}

/// What the nodes cost: needed by the cost model, optional for a rate.
fn nodes(
    keys: &mut Mapping<'_>,
    word: Option<Word>,
    currency: Option<Currency>,
) -> Result<Option<NodeCost>, Refused> {
    let given = match word {
        Some(Word::Cost) => Some(keys.exactly_one(&NODE_PRICES)?),
        Some(Word::Rate) | None => keys.at_most_one(&NODE_PRICES)?,
    };
    let cost = match given {
        None => return Ok(None),
        Some("node_hour") => keys.required("node_hour", price).map(NodeCost::PerNodeHour),
        Some("per_month") => keys.required("per_month", per_month).map(NodeCost::PerMonth),
        Some(_) => keys.required("per_year", |v| per_year(v, currency)).map(NodeCost::PerMonth),
    }?;
    if let (Some(Word::Rate), NodeCost::PerMonth(_)) = (word, &cost) {
        let message = "an amount per month needs weights to be split, which the model `rate` has not";
        return Err(keys.value().refuse(message, "give the nodes of this pool a price per `node_hour`"));
    }
    Ok(Some(cost))
}

/// One entry of `clusters`.
pub(super) fn cluster(value: &Value<'_>, currency: Option<Currency>) -> Result<ClusterPrice, Refused> {
    let mut keys = value.mapping()?;
    let cluster = keys.required("cluster", one_cluster);
    let amount = monthly(&mut keys, currency);
    let weights = keys.required("weights", weights);
    let basis = keys.with_default("basis", Basis::Max, |value| match basis(value)? {
        Basis::Quota => {
            let mend = "give that pool an entry of its own under `pools`";
            Err(value.refuse("basis `quota` is for one pool, not for a cluster", mend))
        }
        basis => Ok(basis),
    });
    keys.finish();
    Ok(ClusterPrice { cluster: cluster?, amount: amount?, weights: weights?, basis: basis? })
}

/// A name: every cluster that a glob matches would cost the whole amount once more.
fn one_cluster(value: &Value<'_>) -> Result<ClusterName, Refused> {
    match value.text()? {
        glob if glob.contains('*') => {
            let message = format!("`{glob}` is a glob, but an amount is what one cluster costs");
            Err(value.refuse(message, "write the cluster's name, and an entry for each cluster"))
        }
        _ => name(value).map(ClusterName::from),
    }
}

fn basis(value: &Value<'_>) -> Result<Basis, Refused> {
    value.word(&[
        ("request", Basis::Request),
        ("usage", Basis::Usage),
        ("max", Basis::Max),
        ("quota", Basis::Quota),
    ])
}
