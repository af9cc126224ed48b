//! Nodes: when they existed, what they could carry, what their price depends on.

use std::collections::{BTreeMap, BTreeSet};

use defray_pricing::names::PriceClass;
use defray_pricing::ownership::NodeFact;
use defray_pricing::quantity::Quantity;
use defray_pricing::usage::NodeRow;

use super::super::NodeDirectory;
use super::super::envelope::Series;
use super::super::error::MeasureError;
use super::super::gauges::{Kept, MarkSet, Marks};
use super::super::identity::{Best, Identity, Views, once};
use super::super::names::{Names, metric_label};
use super::super::reading::Scale;
use super::{Asking, Classes, Measurement, add, node_label};

/// Labels of `kube_node_info` that describe the node: one that is replaced under its name changes them.
const ATTRIBUTES: [&str; 9] = [
    "container_runtime_version",
    "internal_ip",
    "kernel_version",
    "kubelet_version",
    "kubeproxy_version",
    "os_image",
    "pod_cidr",
    "provider_id",
    "system_uuid",
];

impl Measurement<'_> {
    /// Price classes; labels are only asked for, because they only count, where the directory has gaps.
    pub(super) async fn classes<'d>(
        &mut self,
        directory: &'d NodeDirectory,
    ) -> Result<Classes<'d>, MeasureError> {
        let names = self.names();
        let mut best = Best::default();
        let mut asking = Asking::new(self.queries.node_labels());
        while let Some(part) = self.next(&mut asking).await? {
            for series in part {
                let Some((_, node)) = node_label(&series, &names.state) else { continue };
                let fact = node_fact(&series, node, names);
                let class = PriceClass {
                    pool: fact.pool,
                    instance_type: fact.instance_type,
                    capacity_type: fact.capacity_type,
                };
                best.offer(node.to_owned(), &series, class);
            }
        }
        Ok(Classes { directory, labelled: best.said() })
    }

    /// node.
    pub(super) async fn nodes(&mut self, classes: &Classes<'_>) -> Result<Vec<NodeRow>, MeasureError> {
        let mut existed: BTreeMap<String, MarkSet> = BTreeMap::new();
        let mut asking = Asking::new(self.queries.nodes());
        while let Some(info) = self.next(&mut asking).await? {
            for (node, series) in self.by_node(info, &ATTRIBUTES) {
                let known = existed.entry(node).or_default();
                *known = known.union(Marks::of(&series, self.hour).set());
            }
        }
        let mut capacities: BTreeMap<String, BTreeMap<String, Kept>> = BTreeMap::new();
        let mut asking = Asking::new(self.queries.node_capacity());
        while let Some(part) = self.next(&mut asking).await? {
            let mut by_resource: BTreeMap<String, Vec<Series>> = BTreeMap::new();
            for one in part {
                by_resource.entry(one.label("resource").to_owned()).or_default().push(one);
            }
            for (resource, series) in by_resource {
                for (node, series) in self.by_node(series, &["resource", "unit"]) {
                    let marks = Marks::of(&series, self.hour);
                    let known = existed.entry(node.clone()).or_default();
                    *known = known.union(marks.set());
                    // Of an answer in parts one node's may be in two, by labels that scrapers call differently.
                    let known = capacities.entry(node).or_default().entry(resource.clone()).or_default();
                    *known = Kept::from(&known.marks().larger(&marks)?);
                }
            }
        }
        let mut rows: BTreeMap<PriceClass, NodeRow> = BTreeMap::new();
        for (node, marks) in existed {
            if marks.is_empty() {
                continue;
            }
            let class = classes.of(&node);
            let row = rows.entry(class.clone()).or_insert_with(|| zero(class));
            add(&mut row.node_hours, marks.hours()?)?;
            for (resource, marks) in capacities.remove(&node).unwrap_or_default() {
                self.add_capacity(row, &resource, &marks.marks())?;
            }
        }
        Ok(rows.into_values().collect())
    }

    fn add_capacity(&self, row: &mut NodeRow, resource: &str, marks: &Marks) -> Result<(), MeasureError> {
        let all = MarkSet::ALL;
        match resource {
            "cpu" => add(&mut row.cpu_capacity, marks.quantity(Scale::MARKS, all)?)?,
            "memory" => add(&mut row.memory_capacity, marks.quantity(Scale::BYTE_MARKS, all)?)?,
            _ => {
                let gpus = self.names().gpu_resources.iter();
                for gpu in gpus.filter(|gpu| gpu.metric == resource) {
                    let quantity = marks.quantity(Scale::MARKS, all)?;
                    if quantity != Quantity::ZERO {
                        add(row.gpu_capacity.entry(gpu.name.clone()).or_default(), quantity)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn by_node(&self, series: Vec<Series>, attributes: &[&str]) -> BTreeMap<String, Views> {
        let state = &self.names().state;
        let attributes: Vec<String> = attributes.iter().map(|label| (*label).to_owned()).collect();
        let identify = |one: &Series| {
            let node = node_label(one, state);
            Identity {
                key: node.map_or_else(String::new, |(_, node)| node.to_owned()),
                labels: node.map(|(label, _)| label.to_owned()).into_iter().collect::<BTreeSet<_>>(),
            }
        };
        once(series, &attributes, identify, |one| one.samples.len())
    }
}

fn zero(class: PriceClass) -> NodeRow {
    NodeRow {
        class,
        node_hours: Quantity::ZERO,
        cpu_capacity: Quantity::ZERO,
        memory_capacity: Quantity::ZERO,
        gpu_capacity: BTreeMap::new(),
    }
}

/// What a node is by the labels that kube-state-metrics carries; taints are not among them.
pub(in super::super) fn node_fact(series: &Series, node: &str, names: &Names) -> NodeFact {
    let label = |key: &str| series.labels.get(&metric_label(key)).map(String::as_str);
    names.nodes.read(node, label, |_| None)
}
