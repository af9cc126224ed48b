//! Whether what is selected is one cluster. Where a store holds many, two that are read as one are billed as one.

use std::collections::{BTreeMap, BTreeSet};

use super::Collector;
use super::envelope::Series;
use super::error::QueryError;
use crate::collect::Finding;

impl Collector {
    /// Every cluster has one `kube-system` namespace, made when the cluster was: two that were made at different times
    /// are two clusters', however often each is scraped.
    pub(super) async fn one_cluster(&self, server: i64) -> Result<Finding, QueryError> {
        let about = "prometheus: one cluster";
        let query = self.queries().oldest_namespace();
        let mut made: BTreeMap<i64, Vec<Series>> = BTreeMap::new();
        for series in self.client.at(&query, server).await? {
            let Some(sample) = series.samples.first() else { continue };
            made.entry(sample.value.as_millis()).or_default().push(series);
        }
        Ok(match made.len() {
            0 => Finding::fine(about, format!("not told: {query} has no series")),
            1 => Finding::fine(about, "its kube-system is one namespace"),
            clusters => {
                let (message, mend) = in_words(clusters, &apart(&made));
                Finding::wrong(about, message, mend)
            }
        })
    }
}

/// The labels that tell the clusters apart, with the value that each has of it.
fn apart(made: &BTreeMap<i64, Vec<Series>>) -> Vec<(String, Vec<String>)> {
    let names: BTreeSet<&String> = made.values().flatten().flat_map(|series| series.labels.keys()).collect();
    let values = |name: &String| -> Option<Vec<String>> {
        let each = made.values().map(|of_one| {
            let values: BTreeSet<&str> = of_one.iter().map(|series| series.label(name)).collect();
            let mut values = values.into_iter();
            match (values.next(), values.next()) {
                (Some(one), None) if !one.is_empty() => Some(one.to_owned()),
                _ => None,
            }
        });
        let each: Vec<String> = each.collect::<Option<_>>()?;
        let different: BTreeSet<&String> = each.iter().collect();
        (different.len() == each.len()).then_some(each)
    };
    names.into_iter().filter_map(|name| Some((name.clone(), values(name)?))).collect()
}

fn in_words(clusters: usize, apart: &[(String, Vec<String>)]) -> (String, String) {
    // The one that says what it is goes first; addresses of exporters tell clusters apart, too, but not for long.
    let named = apart.iter().find(|(name, _)| name.contains("cluster")).or_else(|| apart.first());
    let message = format!("the series of {clusters} clusters are selected as if they were one's");
    match named {
        Some((name, values)) => (
            message + &format!("; `{name}` tells them apart: {}", values.join(", ")),
            format!("set prometheus.cluster_label: {{name: {name}, value: …}} with the value of this cluster"),
        ),
        None => (
            message,
            "give the series of each cluster a label of its own (external_labels of its Prometheus), and set \
             prometheus.cluster_label"
                .to_owned(),
        ),
    }
}
