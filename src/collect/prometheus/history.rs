//! Ownership of hours before the first observation, as far as the metrics store remembers it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use defray_ledger::Assumed;
use defray_pricing::names::{ClusterName, CostCenter, Namespace, TenantName, Uid};
use defray_pricing::ownership::{NamespaceFact, NodeFact, Origin, Span, TenantFact};
use defray_pricing::time::{Hour, HourRange};

use super::Collector;
use super::envelope::Series;
use super::error::MeasureError;
use super::identity::Best;
use super::measure::{node_fact, node_label};
use super::names::{Names, metric_label};
use super::queries::Query;

impl Collector {
    /// Who owned what in these hours, by `kube_tenant_info`, `kube_namespace_labels` and
    /// `kube_node_labels`. The metrics carry no uids, so names stand in for them.
    ///
    /// An hour in which the store knows nothing of a kind neither begins nor ends anything of that kind.
    pub async fn assumed_ownership(
        &self,
        cluster: &ClusterName,
        hours: HourRange,
    ) -> Result<Assumed, MeasureError> {
        let names = &self.settings.names;
        let mut tenants = Spans::default();
        let mut namespaces = Spans::default();
        let mut nodes = Spans::default();
        for hour in hours.iter() {
            let queries = self.queries();
            let seen_tenants = self.facts(&queries.tenants(), hour, |s| tenant(s, names)).await?;
            let seen_namespaces =
                self.facts(&queries.namespace_labels(), hour, |s| namespace(s, names)).await?;
            let seen_nodes = self.facts(&queries.node_labels(), hour, |s| node(s, names)).await?;
            tenants.see(cluster, hour, seen_tenants);
            namespaces.see(cluster, hour, seen_namespaces);
            nodes.see(cluster, hour, seen_nodes);
        }
        let until = hours.until.start();
        Ok(Assumed {
            tenants: tenants.close(until),
            namespaces: namespaces.close(until),
            nodes: nodes.close(until),
        })
    }

    /// What an hour's series say, by uid.
    async fn facts<T>(
        &self,
        query: &Query,
        hour: Hour,
        fact: impl Fn(&Series) -> Option<(Uid, T)>,
    ) -> Result<BTreeMap<Uid, T>, MeasureError> {
        let mut series = self.client.run(query, hour).await?;
        // Parts of an answer are each in order, but not the whole.
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        let mut best = Best::default();
        for one in series {
            if let Some((uid, fact)) = fact(&one) {
                best.offer(uid, &one, fact);
            }
        }
        Ok(best.said())
    }
}

fn tenant(series: &Series, names: &Names) -> Option<(Uid, TenantFact)> {
    let labels = &names.tenants;
    let [name, team, cost_center, owner_email] =
        [&labels.name, &labels.team, &labels.cost_center, &labels.owner_email].map(|l| series.label(l));
    // A Tenant without team or cost centre is none: the API would not have taken it.
    if name.is_empty() || team.is_empty() || cost_center.is_empty() {
        return None;
    }
    let fact = TenantFact {
        name: name.to_owned(),
        team: TenantName::from(team),
        cost_center: CostCenter::from(cost_center),
        owner_email: owner_email.to_owned(),
        ad_group: None,
        services: std::collections::BTreeSet::new(),
        node_pool_size: None,
        node_pool_instance_type: None,
    };
    Some((Uid::from(name), fact))
}

fn namespace(series: &Series, names: &Names) -> Option<(Uid, NamespaceFact)> {
    let name = series.label(&names.state.namespace);
    if name.is_empty() {
        return None;
    }
    let labels = names.namespace_labels.iter().filter_map(|key| {
        let value = series.label(&metric_label(key));
        (!value.is_empty()).then(|| (key.clone(), value.to_owned()))
    });
    Some((Uid::from(name), NamespaceFact { name: Namespace::from(name), labels: labels.collect() }))
}

fn node(series: &Series, names: &Names) -> Option<(Uid, NodeFact)> {
    let (_, name) = node_label(series, &names.state)?;
    Some((Uid::from(name), node_fact(series, name, names)))
}

/// Spans in the making, hour by hour.
#[derive(Debug)]
struct Spans<T> {
    open: BTreeMap<Uid, Span<T>>,
    closed: Vec<Span<T>>,
}

impl<T> Default for Spans<T> {
    fn default() -> Self {
        Self { open: BTreeMap::new(), closed: Vec::new() }
    }
}

impl<T: PartialEq> Spans<T> {
    fn see(&mut self, cluster: &ClusterName, hour: Hour, seen: BTreeMap<Uid, T>) {
        // A metric that is gone for an hour says nothing about what it described.
        if seen.is_empty() {
            return;
        }
        let from = hour.start();
        let mut before = std::mem::take(&mut self.open);
        for (uid, fact) in seen {
            let span = match before.remove(&uid) {
                Some(span) if span.fact == fact => span,
                changed => {
                    self.end(changed, from);
                    let (cluster, uid) = (cluster.clone(), uid.clone());
                    Span { cluster, uid, from, until: None, origin: Origin::Assumed, fact }
                }
            };
            self.open.insert(uid, span);
        }
        for span in before.into_values() {
            self.end(Some(span), from);
        }
    }

    fn end(&mut self, span: Option<Span<T>>, until: DateTime<Utc>) {
        self.closed.extend(span.map(|span| Span { until: Some(until), ..span }));
    }

    fn close(mut self, until: DateTime<Utc>) -> Vec<Span<T>> {
        for span in std::mem::take(&mut self.open).into_values() {
            self.end(Some(span), until);
        }
        self.closed.sort_by(|a, b| (&a.uid, a.from).cmp(&(&b.uid, b.from)));
        self.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_that_says_nothing_of_a_kind_ends_nothing_of_it() {
        let hour = |index: i64| Hour::from_index(500_000 + index);
        let mut tenants = Spans::default();
        for index in 0..4 {
            let seen = if index == 1 { vec![] } else { vec![(Uid::from("a"), 1)] };
            tenants.see(&ClusterName::from("c1"), hour(index), seen.into_iter().collect());
        }
        let spans = tenants.close(hour(4).start());
        let spans: Vec<_> = spans.iter().map(|span| (span.from, span.until)).collect();
        assert_eq!(spans, [(hour(0).start(), Some(hour(4).start()))]);
    }

    #[test]
    fn a_fact_holds_until_it_changes_or_is_gone() {
        let hour = |index: i64| Hour::from_index(500_000 + index);
        let cluster = ClusterName::from("c1");
        let mut spans = Spans::default();
        for (index, seen) in
            [(0, vec![("a", 1), ("b", 1)]), (1, vec![("a", 2), ("b", 1)]), (2, vec![("a", 2)])]
        {
            let seen = seen.into_iter().map(|(uid, fact)| (Uid::from(uid), fact)).collect();
            spans.see(&cluster, hour(index), seen);
        }
        let spans: Vec<_> = spans
            .close(hour(3).start())
            .into_iter()
            .map(|span| (span.uid.to_string(), span.fact, Hour::containing(span.from), span.until))
            .collect();
        let at = |index| Some(hour(index).start());
        assert_eq!(
            spans,
            [
                ("a".to_owned(), 1, hour(0), at(1)),
                ("a".to_owned(), 2, hour(1), at(3)),
                ("b".to_owned(), 1, hour(0), at(2)),
            ]
        );
    }
}
