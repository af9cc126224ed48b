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
use super::names::{Names, metric_annotation, metric_label};
use super::queries::Query;

impl Collector {
    /// Who owned what in these hours, by `kube_tenant_info`, `kube_namespace_labels`, `kube_namespace_annotations`
    /// (where a rule asks for annotations) and `kube_node_labels`. The metrics carry no uids, so names stand in for
    /// them.
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
            let seen_namespaces = self.namespaces(hour).await?;
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

    /// The namespaces of an hour with what rules ask for. Where the store knows nothing of what only annotations or
    /// trees say, it knows nothing of namespaces: without that they would look like nobody's.
    async fn namespaces(&self, hour: Hour) -> Result<BTreeMap<Uid, NamespaceFact>, MeasureError> {
        let names = &self.settings.names;
        let queries = self.queries();
        let mut seen = self.facts(&queries.namespace_labels(), hour, |s| namespace(s, names)).await?;
        if !names.namespace_label_suffixes.is_empty() && !ancestors(&mut seen, names) {
            seen.clear();
        }
        if !names.namespace_annotations.is_empty() {
            let noted = self.facts(&queries.namespace_annotations(), hour, |s| annotations(s, names)).await?;
            if noted.values().all(BTreeMap::is_empty) {
                seen.clear();
            }
            for (uid, annotations) in noted {
                if let Some(fact) = seen.get_mut(&uid) {
                    fact.annotations = annotations;
                }
            }
        }
        Ok(seen)
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
        malformed: None,
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
    let mut labels: BTreeMap<_, _> = labels.collect();
    // As the store spells them; whose names they begin with is told by all namespaces together.
    for suffix in names.namespace_label_suffixes.iter().map(|suffix| spelt(suffix)) {
        let above =
            series.labels.iter().filter(|(key, _)| key.starts_with("label_") && key.ends_with(&suffix));
        labels.extend(above.map(|(key, depth)| (key.clone(), depth.clone())));
    }
    let annotations = BTreeMap::new();
    Some((Uid::from(name), NamespaceFact { name: Namespace::from(name), labels, annotations }))
}

/// How the store spells the end of a label.
fn spelt(suffix: &str) -> String {
    metric_label(suffix).trim_start_matches("label_").to_owned()
}

fn annotations(series: &Series, names: &Names) -> Option<(Uid, BTreeMap<String, String>)> {
    let name = series.label(&names.state.namespace);
    let noted = names.namespace_annotations.iter().filter_map(|key| {
        let value = series.label(&metric_annotation(key));
        (!value.is_empty()).then(|| (key.clone(), value.to_owned()))
    });
    (!name.is_empty()).then(|| (Uid::from(name), noted.collect()))
}

/// Gives labels that begin with a namespace's name the spelling they have in Kubernetes, where one namespace alone can
/// be meant. Whether there is any.
fn ancestors(seen: &mut BTreeMap<Uid, NamespaceFact>, names: &Names) -> bool {
    let mut keys: BTreeMap<String, Option<String>> = BTreeMap::new();
    for suffix in &names.namespace_label_suffixes {
        for fact in seen.values() {
            let key = format!("{}{suffix}", fact.name);
            let meant = keys.entry(metric_label(&key)).or_insert(Some(key.clone()));
            if meant.as_ref() != Some(&key) {
                *meant = None;
            }
        }
    }
    let mut any = false;
    for fact in seen.values_mut() {
        for (label, depth) in std::mem::take(&mut fact.labels) {
            let is_above =
                names.namespace_label_suffixes.iter().any(|suffix| label.ends_with(&spelt(suffix)));
            let known = if is_above { keys.get(&label).cloned().flatten() } else { Some(label) };
            any |= is_above && known.is_some();
            fact.labels.extend(known.map(|key| (key, depth)));
        }
    }
    any
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
    fn a_tree_is_read_from_labels_that_the_store_spells_its_own_way_unless_two_can_be_meant() {
        let suffix = ".tree.hnc.x-k8s.io/depth";
        let names = Names { namespace_label_suffixes: vec![suffix.to_owned()], ..Names::plain() };
        let fact = |name: &str, labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let fact = NamespaceFact { name: Namespace::from(name), labels, annotations: BTreeMap::new() };
            (Uid::from(name), fact)
        };
        let depth = |name: &str| format!("label_{name}_tree_hnc_x_k8s_io_depth");
        let mut seen: BTreeMap<_, _> = [
            fact("retail-eu", &[]),
            fact("a-b", &[]),
            fact("a.b", &[]),
            fact(
                "cards",
                &[(&depth("retail_eu"), "1"), (&depth("a_b"), "2"), (&depth("gone"), "3"), ("team", "x")],
            ),
        ]
        .into();
        assert!(ancestors(&mut seen, &names));
        let labels: Vec<_> = seen[&Uid::from("cards")].labels.iter().collect();
        assert_eq!(
            labels,
            [
                (&"retail-eu.tree.hnc.x-k8s.io/depth".to_owned(), &"1".to_owned()),
                (&"team".to_owned(), &"x".to_owned()),
            ]
        );
        assert!(!ancestors(&mut [fact("cards", &[("team", "x")])].into(), &names));
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
