//! The part of a timeline that some hours are resolved from.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::resolve::observed_since;
use super::{Span, Timeline};
use crate::names::ClusterName;
use crate::time::HourRange;

impl Timeline {
    /// What decides who owned what in some hours, and nothing else: resolving any of them from it gives the same
    /// owners as resolving it from the whole.
    #[must_use]
    pub fn within(&self, hours: HourRange) -> Self {
        let clusters = observed_since(self);
        // Since when each cluster is observed may follow from spans that are left out: it is said.
        let since =
            clusters.iter().filter_map(|(cluster, since)| since.map(|since| ((*cluster).clone(), since)));
        Self {
            tenants: touching(&self.tenants, &clusters, hours),
            namespaces: touching(&self.namespaces, &clusters, hours),
            nodes: touching(&self.nodes, &clusters, hours),
            observed_since: since.collect(),
        }
    }
}

fn touching<T: Clone>(
    spans: &[Span<T>],
    clusters: &BTreeMap<&ClusterName, Option<DateTime<Utc>>>,
    hours: HourRange,
) -> Vec<Span<T>> {
    let (start, end) = (hours.from.start(), hours.until.start());
    let counts = |span: &&Span<T>| {
        // Before a cluster was observed it belongs to whom it is first known to, however much later that is.
        let since = clusters.get(&span.cluster).copied().flatten();
        let is_assumed = since.is_none_or(|since| hours.from.end() <= since);
        is_assumed || (span.from < end && span.until.is_none_or(|until| until > start))
    };
    spans.iter().filter(counts).cloned().collect()
}
