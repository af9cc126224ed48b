//! From a timeline to the owners of one hour.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::rules::Claim;
use super::spans::{Slot, Spans};
use super::{NamespaceFact, NodeFact, Origin, Owners, Span, TenancyRules, TenantFact, Timeline};
use crate::names::ClusterName;
use crate::time::Hour;

mod decide;
mod named;

/// Who owned what in an hour, by the rules in order. For many hours build one [`OwnershipIndex`].
pub fn resolve(timeline: &Timeline, rules: &TenancyRules, hour: Hour) -> Owners {
    OwnershipIndex::new(timeline, rules).at(hour)
}

/// A timeline arranged so that each hour looks only at what held in it.
#[derive(Debug)]
pub struct OwnershipIndex<'a> {
    rules: &'a TenancyRules,
    /// Since when each cluster is observed; none where it never was.
    clusters: BTreeMap<&'a ClusterName, Option<DateTime<Utc>>>,
    tenants: Dated<'a, TenantFact>,
    namespaces: Dated<'a, NamespaceFact>,
    nodes: Dated<'a, NodeFact>,
    /// The claims on each namespace slot: rules do not change with time, so they are asked once.
    claims: Vec<Vec<Claim>>,
}

/// All facts of one kind.
#[derive(Debug)]
struct Dated<'a, T> {
    spans: Spans<'a, T>,
    /// What was known first in each cluster, and since when.
    earliest: HashMap<&'a ClusterName, (DateTime<Utc>, Vec<usize>)>,
    /// What was observed first in each cluster.
    first_observed: HashMap<&'a ClusterName, (DateTime<Utc>, Vec<usize>)>,
}

/// A fact that counts in an hour, and the last moment in the hour at which it held.
#[derive(Debug)]
struct Held<'i, 'a, T> {
    slot: &'i Slot<'a, T>,
    place: usize,
    last: DateTime<Utc>,
}

impl<T> Clone for Held<'_, '_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Held<'_, '_, T> {}

impl<'a> OwnershipIndex<'a> {
    /// Arranges a timeline.
    pub fn new(timeline: &'a Timeline, rules: &'a TenancyRules) -> Self {
        let clusters = observed_since(timeline);
        let namespaces = Dated::new(&timeline.namespaces, &clusters);
        let claims =
            namespaces.spans.slots().iter().map(|slot| rules.claims(slot.cluster, slot.fact)).collect();
        Self {
            rules,
            tenants: Dated::new(&timeline.tenants, &clusters),
            nodes: Dated::new(&timeline.nodes, &clusters),
            clusters,
            namespaces,
            claims,
        }
    }

    /// Who owned what in an hour.
    pub fn at(&self, hour: Hour) -> Owners {
        let assumed: BTreeSet<&ClusterName> = self
            .clusters
            .iter()
            .filter(|(_, since)| since.is_none_or(|since| hour.end() <= since))
            .map(|(cluster, _)| *cluster)
            .collect();
        let mut owners = Owners::nobody(hour);
        owners.assumed.extend(assumed.iter().map(|cluster| (*cluster).clone()));
        let mut teams = decide::tenants(self.tenants.held(hour, &assumed), self.rules, &mut owners);
        let held = self.namespaces.held(hour, &assumed);
        let cost_centers = decide::namespaces(held, &self.claims, &mut teams, &mut owners);
        decide::pools(self.nodes.held(hour, &assumed), &teams, &cost_centers, &mut owners);
        owners
    }
}

/// Since when each cluster is observed: what the timeline says, else its first observation.
pub(super) fn observed_since(timeline: &Timeline) -> BTreeMap<&ClusterName, Option<DateTime<Utc>>> {
    fn note<'a, T>(clusters: &mut BTreeMap<&'a ClusterName, Option<DateTime<Utc>>>, spans: &'a [Span<T>]) {
        for span in spans {
            let since = clusters.entry(&span.cluster).or_insert(None);
            if span.origin == Origin::Observed {
                *since = Some(since.map_or(span.from, |since| since.min(span.from)));
            }
        }
    }
    let mut clusters = BTreeMap::new();
    note(&mut clusters, &timeline.tenants);
    note(&mut clusters, &timeline.namespaces);
    note(&mut clusters, &timeline.nodes);
    for (cluster, since) in &timeline.observed_since {
        clusters.insert(cluster, Some(*since));
    }
    clusters
}

impl<'a, T> Dated<'a, T> {
    fn new(spans: &'a [Span<T>], clusters: &BTreeMap<&'a ClusterName, Option<DateTime<Utc>>>) -> Self {
        let slots = spans.iter().map(|span| {
            let until = span.until.unwrap_or(DateTime::<Utc>::MAX_UTC);
            let observed = span.origin == Origin::Observed;
            // What was assumed yields to what was seen.
            let since = clusters.get(&span.cluster).copied().flatten().filter(|_| !observed);
            Slot {
                cluster: &span.cluster,
                uid: &span.uid,
                from: span.from,
                until: since.map_or(until, |since| until.min(since)),
                observed,
                fact: &span.fact,
            }
        });
        let spans = Spans::new(slots.filter(|slot| slot.from < slot.until).collect());
        let mut dated = Self { earliest: HashMap::new(), first_observed: HashMap::new(), spans };
        for (place, slot) in dated.spans.slots().iter().enumerate() {
            // Slots are ordered by their start, so the first of a cluster sets the date.
            let note = |first: &mut HashMap<_, (DateTime<Utc>, Vec<usize>)>| {
                let (date, places) = first.entry(slot.cluster).or_insert((slot.from, Vec::new()));
                if *date == slot.from {
                    places.push(place);
                }
            };
            note(&mut dated.earliest);
            if slot.observed {
                note(&mut dated.first_observed);
            }
        }
        dated
    }

    /// What counts in an hour: of each object its last fact, in an order that depends on nothing else.
    fn held(&self, hour: Hour, assumed: &BTreeSet<&'a ClusterName>) -> Vec<Held<'_, 'a, T>> {
        let (start, end) = (hour.start(), hour.end());
        let mut last: BTreeMap<_, Held<'_, 'a, T>> = BTreeMap::new();
        let mut known = BTreeSet::new();
        for place in self.spans.touching(start, end) {
            let slot = &self.spans.slots()[place];
            known.insert(slot.cluster);
            // Ordered by their start: a later fact of the same object replaces an earlier one.
            last.insert((slot.cluster, slot.uid), Held { slot, place, last: slot.until.min(end) });
        }
        for cluster in assumed.difference(&known) {
            let before_all = self.earliest.get(cluster).filter(|(date, _)| end <= *date);
            let first = before_all.or_else(|| self.first_observed.get(cluster));
            for place in first.into_iter().flat_map(|(_, places)| places) {
                let slot = &self.spans.slots()[*place];
                last.insert((slot.cluster, slot.uid), Held { slot, place: *place, last: end });
            }
        }
        last.into_values().collect()
    }
}
