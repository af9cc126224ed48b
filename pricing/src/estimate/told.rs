//! What an estimate rests on, and what is not in it, in words.

use super::{Joining, Place, Room, Seen};
use crate::book::Edition;
use crate::decimal;
use crate::names::PriceClass;
use crate::quantity::QUANTITY_SCALE;
use crate::time::Period;

pub(super) fn assumptions(joining: &Joining, edition: &Edition, seen: &Seen, period: Period) -> Vec<String> {
    let Joining { proposal, place } = joining;
    let mut told = vec![
        format!(
            "the month is {period}, with this tenant from its first hour to its last: whoever else was there, what \
             they used and the nodes there were stay as they were"
        ),
        known(seen, period),
    ];
    if seen.hours_with_gaps > 0 {
        told.push(format!(
            "of the measured hours {} have gaps; what was not seen in them was not there",
            seen.hours_with_gaps
        ));
    }
    told.extend([
        format!("edition {} of the price book holds all month", edition.version),
        format!("it lives in the cluster {}, in the namespace {}", place.cluster, place.namespace),
        "adjustments by hand are left out".to_owned(),
    ]);
    if edition.cost_centers.get(&proposal.cost_center).is_some_and(|terms| terms.minimum_fee.is_some()) {
        told.push(format!("of what misses to the minimum fee of {} it bears its part", proposal.cost_center));
    }
    told.extend(compute(joining));
    if proposal.cpu.is_some() || proposal.memory.is_some() {
        told.extend(room(place, seen));
    }
    if let (Some(_), Some(class)) = (proposal.storage, &place.storage) {
        told.push(format!("its volumes are as large as its quota, all month, of the storage class {class}"));
    }
    told
}

/// How much of the month rests on measured hours.
fn known(seen: &Seen, period: Period) -> String {
    let Seen { hours, hours_known, .. } = seen;
    match seen.stand_ins {
        None => format!("all {hours} hours of {period} were measured"),
        Some(by) => format!(
            "{hours_known} of the {hours} hours of {period} were measured; each of the other {} is taken to be as \
             one of the {} that were measured last ({} to {}), in turn: who was there, what they used, the nodes there were",
            hours.saturating_sub(*hours_known),
            by.count,
            by.range.from,
            by.range.until,
        ),
    }
}

/// Where it runs, and what of that is billed.
fn compute(joining: &Joining) -> Vec<String> {
    let Joining { proposal, place } = joining;
    let asks = proposal.cpu.is_some() || proposal.memory.is_some();
    let mut told = Vec::new();
    match (&place.own, &place.shared) {
        (Some(own), _) => {
            told.push(format!("its own nodes are {own}, run all month, and everything it runs is on them"));
        }
        (None, Some(shared))
            if asks && place.quota.as_ref().is_some_and(|quota| quota.pool == shared.pool) =>
        {
            told.push(format!("it is on shared nodes {shared}, where its quota is billed, used or not"));
        }
        (None, Some(shared)) if asks => {
            told.push(format!("it uses all of its quota all the time, on shared nodes {shared}"));
        }
        (None, _) => {}
    }
    if let Some(quota) = place.quota.as_ref().filter(|_| asks)
        && (place.own.is_some() || place.shared.as_ref().is_some_and(|shared| shared.pool != quota.pool))
    {
        let besides = match &place.own {
            Some(_) => "its own nodes".to_owned(),
            None => "what it uses of the nodes above".to_owned(),
        };
        told.push(format!(
            "the pool {} bills every namespace its quota, whatever it uses: it pays that, and {besides} besides",
            quota.pool
        ));
    }
    told
}

/// What became of what did not fit.
fn room(place: &Place, seen: &Seen) -> Vec<String> {
    let (Some(class), None) = (place.room.as_ref().map(Room::class), &place.own) else { return Vec::new() };
    let mut told = Vec::new();
    let of = |hours: u32| format!("in {hours} of {} hours", seen.hours);
    if seen.hours_grown > 0 {
        let most = decimal::format(i128::from(seen.most_added.micros()), QUANTITY_SCALE, 0);
        told.push(format!(
            "{} it asks for more than was free on {class}: up to {most} such nodes are added, at their price",
            of(seen.hours_grown)
        ));
    }
    if seen.hours_crowded > 0 {
        told.push(format!(
            "{} it asks for more than was free on {class}: what everybody uses is scaled to fit, so a core and a GiB \
             look cheaper than nodes that have room for it would make them",
            of(seen.hours_crowded)
        ));
    }
    if seen.hours_grown == 0 && seen.hours_crowded == 0 {
        told.push(format!("it fits into what was free on {class}: no nodes are added for it"));
    }
    told
}

/// What a proposal cannot tell.
pub(super) fn unknown(joining: &Joining, by_amount: Option<&PriceClass>) -> Vec<String> {
    let Joining { proposal, place } = joining;
    let mut told =
        vec!["traffic and load balancers: a Tenant does not say how much of them it needs".to_owned()];
    if place.own.is_none() {
        if proposal.cpu.is_none() && proposal.memory.is_none() {
            told.push("compute: the Tenant asks for neither a quota nor nodes of its own".to_owned());
        } else if place.shared.is_none() {
            told.push("compute: there were no shared nodes in the cluster".to_owned());
        }
    }
    match (proposal.storage, &place.storage) {
        (None, _) => told.push("storage: the Tenant asks for no quota of it".to_owned()),
        (Some(_), None) => {
            told.push("storage: no storage class was used in the cluster; name one".to_owned());
        }
        (Some(_), Some(_)) => {}
    }
    if let Some(own) = by_amount {
        told.push(format!(
            "the nodes {own}: they are paid by an amount per month, and their part of it depends on their capacity, \
             which a Tenant does not say; name a pool that has a price per node-hour, or give this one such a price"
        ));
    }
    told.extend(proposal.ignored.iter().map(|field| format!("{field}: it is not looked at")));
    told
}
