//! CPU, memory and GPUs of containers, and what pods send.

use std::collections::{BTreeMap, BTreeSet};

use defray_pricing::Overflow;
use defray_pricing::names::{Namespace, TrafficClass, VirtualNamespace};
use defray_pricing::quantity::Quantity;
use defray_pricing::usage::{ComputeRow, NetworkRow};

use super::super::NoteKind;
use super::super::counters::{Growth, Starts, growth, stitch, weight};
use super::super::envelope::Series;
use super::super::error::MeasureError;
use super::super::gauges::{Kept, MarkSet, Marks};
use super::super::identity::{Identity, Views, once};
use super::super::names::ObjectLabels;
use super::super::reading::Scale;
use super::pods::{Pods, summed};
use super::{Asking, Classes, Measurement, add, node_label};

/// Where what init containers need beyond the rest is booked.
const INIT: &str = "(init)";

/// A container as usage and requests are compared: uids are left out, because cAdvisor knows none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Container {
    namespace: String,
    pod: String,
    name: String,
    node: String,
}

/// What one container requested and used.
#[derive(Debug, Clone, Default)]
struct Use {
    cpu_request: Quantity,
    cpu_usage: Quantity,
    memory_request: Quantity,
    memory_usage: Quantity,
    gpu_request: BTreeMap<String, Quantity>,
}

/// A resource that containers request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Resource {
    Cpu,
    Memory,
    Gpu(String),
}

impl Resource {
    const fn scale(&self) -> Scale {
        match self {
            Self::Memory => Scale::BYTE_MARKS,
            Self::Cpu | Self::Gpu(_) => Scale::MARKS,
        }
    }

    fn book(&self, entry: &mut Use, quantity: Quantity) -> Result<(), Overflow> {
        match self {
            Self::Cpu => add(&mut entry.cpu_request, quantity),
            Self::Memory => add(&mut entry.memory_request, quantity),
            Self::Gpu(name) => add(entry.gpu_request.entry(name.clone()).or_default(), quantity),
        }
    }
}

/// Containers that run before or beside a pod's own, by namespace, pod, uid and container.
#[derive(Debug, Default)]
struct InitContainers {
    sidecars: BTreeSet<[String; 4]>,
    /// Init containers that end, by namespace, pod and container.
    ending: BTreeSet<[String; 3]>,
}

/// Requests of one resource: marks of each container, by namespace, pod, uid, container and node.
type Requests = BTreeMap<[String; 5], Kept>;

impl Measurement<'_> {
    pub(super) async fn compute(
        &mut self,
        pods: &Pods,
        starts: &Starts,
        classes: &Classes<'_>,
    ) -> Result<Vec<ComputeRow>, MeasureError> {
        let mut containers = BTreeMap::new();
        let init = self.init_containers().await?;
        self.requests(pods, &init, &mut containers).await?;
        self.cpu_usage(pods, starts, &init, &mut containers).await?;
        self.memory_usage(pods, &init, &mut containers).await?;
        Ok(rows(containers, pods, classes)?)
    }

    async fn init_containers(&mut self) -> Result<InitContainers, MeasureError> {
        let state = &self.names().state;
        let mut init = InitContainers::default();
        let key = |one: &Series| {
            [&state.namespace, &state.pod, &state.uid, &state.container].map(|l| one.label(l).to_owned())
        };
        let mut asking = Asking::new(self.queries.init_containers());
        while let Some(series) = self.next(&mut asking).await? {
            let (sidecars, ending): (Vec<_>, Vec<_>) =
                series.iter().partition(|one| one.label("restart_policy") == "Always");
            init.sidecars.extend(sidecars.into_iter().map(key));
            for [namespace, pod, uid, container] in ending.into_iter().map(key) {
                let key = [namespace, pod, uid, container];
                if !init.sidecars.contains(&key) {
                    let [namespace, pod, _, container] = key;
                    init.ending.insert([namespace, pod, container]);
                }
            }
        }
        Ok(init)
    }

    async fn requests(
        &mut self,
        pods: &Pods,
        init: &InitContainers,
        containers: &mut BTreeMap<Container, Use>,
    ) -> Result<(), MeasureError> {
        let mut of_init = self.init_requests().await?;
        let mut resources = vec![
            ("cpu_request", "cpu".to_owned(), Resource::Cpu),
            ("memory_request", "memory".to_owned(), Resource::Memory),
        ];
        resources.extend(
            self.names()
                .gpu_resources
                .iter()
                .map(|gpu| ("gpu_request", gpu.metric.clone(), Resource::Gpu(gpu.name.clone()))),
        );
        for (feeds, metric, resource) in resources {
            let mut marks = self.requests_of(feeds, &metric).await?;
            if pods.is_empty() && !marks.is_empty() {
                let metric = self.names().metrics.kube_pod_status_phase.clone();
                return Err(MeasureError::Missing { hour: self.hour, metric, feeds });
            }
            let effective = effective(&mut marks, of_init.remove(&metric).unwrap_or_default(), init)?;
            for ([namespace, pod, uid, container, node], marks) in marks.into_iter().chain(effective) {
                let running = pods.phases(&namespace, &pod, &uid).running;
                let quantity = marks.marks().quantity(resource.scale(), running)?;
                if quantity == Quantity::ZERO {
                    continue;
                }
                let key = Container { namespace, pod, name: container, node };
                resource.book(containers.entry(key).or_default(), quantity)?;
            }
        }
        Ok(())
    }

    async fn requests_of(&mut self, feeds: &'static str, resource: &str) -> Result<Requests, MeasureError> {
        let mut asking = Asking::new(self.queries.requests(feeds, resource));
        let mut requests = Requests::new();
        while let Some(series) = self.next(&mut asking).await? {
            requests.extend(self.marks_by_container(series, &["resource", "unit"]));
        }
        Ok(requests)
    }

    /// What init containers and sidecars request, by resource.
    async fn init_requests(&mut self) -> Result<BTreeMap<String, Requests>, MeasureError> {
        let mut requests: BTreeMap<String, Requests> = BTreeMap::new();
        let mut asking = Asking::new(self.queries.init_requests());
        while let Some(series) = self.next(&mut asking).await? {
            let mut by_resource: BTreeMap<String, Vec<Series>> = BTreeMap::new();
            for one in series {
                by_resource.entry(one.label("resource").to_owned()).or_default().push(one);
            }
            for (resource, series) in by_resource {
                let part = self.marks_by_container(series, &["resource", "unit"]);
                requests.entry(resource).or_default().extend(part);
            }
        }
        Ok(requests)
    }

    fn marks_by_container(&self, series: Vec<Series>, attributes: &[&str]) -> Requests {
        let state = &self.names().state;
        let attributes: Vec<String> = attributes.iter().map(|label| (*label).to_owned()).collect();
        let identify = |one: &Series| {
            let own = [&state.namespace, &state.pod, &state.uid, &state.container];
            let mut labels: BTreeSet<String> = own.into_iter().cloned().collect();
            let [namespace, pod, uid, container] = own.map(|label| one.label(label).to_owned());
            let node = node_label(one, state);
            labels.extend(node.map(|(label, _)| label.to_owned()));
            let node = node.map_or_else(String::new, |(_, node)| node.to_owned());
            Identity { key: [namespace, pod, uid, container, node], labels }
        };
        let once = once(series, &attributes, identify, |one| one.samples.len());
        once.into_iter().map(|(key, views)| (key, Kept::from(&Marks::of(&views, self.hour)))).collect()
    }

    async fn cpu_usage(
        &mut self,
        pods: &Pods,
        starts: &Starts,
        init: &InitContainers,
        containers: &mut BTreeMap<Container, Use>,
    ) -> Result<(), MeasureError> {
        let labels = &self.names().cadvisor;
        let hour = self.hour;
        let identify = |one: &Series| container_of(one, labels, pods, &[]);
        let mut asking = Asking::new(self.queries.cpu_usage());
        while let Some(series) = self.next(&mut asking).await? {
            for (key, series) in once(series, &self.names().instance_labels, identify, |s| weight(s, hour)) {
                self.saw_node(&key.node, &series, true);
                if pods.phases_by_name(&key.namespace, &key.pod).only_waited() {
                    continue;
                }
                let growth = self.grown(series, Scale::CORE_SECONDS, starts, labels)?;
                self.note(NoteKind::UnmeasuredCpu, &key.namespace, growth.unmeasured)?;
                self.note(NoteKind::UnseenCpu, &key.namespace, growth.baseline)?;
                if growth.measured != Quantity::ZERO {
                    let key = init.rename(key);
                    add(&mut containers.entry(key).or_default().cpu_usage, growth.measured)?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn starts(&mut self) -> Result<Starts, MeasureError> {
        let mut starts = Starts::default();
        let mut asking = Asking::new(self.queries.starts());
        while let Some(series) = self.next(&mut asking).await? {
            starts.see(&series, object(&self.names().cadvisor));
        }
        Ok(starts)
    }

    fn grown(
        &self,
        views: Views,
        scale: Scale,
        starts: &Starts,
        labels: &ObjectLabels,
    ) -> Result<Growth, Overflow> {
        let counters = stitch(views, &self.names().instance_labels);
        counters.iter().try_fold(Growth::default(), |total, one| {
            let started = starts.of(&one.series, object(labels), self.hour);
            total.checked_add(growth(one, scale, self.hour, started)?)
        })
    }

    fn note(&mut self, kind: NoteKind, namespace: &str, quantity: Quantity) -> Result<(), Overflow> {
        if quantity != Quantity::ZERO {
            add(self.notes.entry((kind, namespace.to_owned())).or_default(), quantity)?;
        }
        Ok(())
    }

    async fn memory_usage(
        &mut self,
        pods: &Pods,
        init: &InitContainers,
        containers: &mut BTreeMap<Container, Use>,
    ) -> Result<(), MeasureError> {
        let labels = &self.names().cadvisor;
        let identify = |one: &Series| container_of(one, labels, pods, &[]);
        let mut asking = Asking::new(self.queries.memory_usage());
        while let Some(series) = self.next(&mut asking).await? {
            for (key, series) in once(series, &self.names().instance_labels, identify, |s| s.samples.len()) {
                self.saw_node(&key.node, &series, false);
                let idle = pods.not_running(&key.namespace, &key.pod);
                let marks = Marks::of(&series, self.hour);
                let quantity = marks.quantity(Scale::BYTE_MARKS, MarkSet::ALL.without(idle))?;
                if quantity != Quantity::ZERO {
                    add(&mut containers.entry(init.rename(key)).or_default().memory_usage, quantity)?;
                }
            }
        }
        Ok(())
    }

    /// `network_egress`: every interface of a pod once; pods on the host's network are the node's traffic.
    pub(super) async fn network(
        &mut self,
        pods: &Pods,
        starts: &Starts,
    ) -> Result<Vec<NetworkRow>, MeasureError> {
        let names = self.names();
        let labels = names.traffic.as_ref().map_or(&names.cadvisor, |traffic| &traffic.labels);
        let class_label = names.traffic.as_ref().map_or("interface", |traffic| &traffic.class_label);
        let hour = self.hour;
        let identify = |one: &Series| {
            let Identity { key, labels } = container_of(one, labels, pods, &[class_label]);
            let key = (Container { name: String::new(), ..key }, one.label(class_label).to_owned());
            Identity { key, labels }
        };
        let mut rows: BTreeMap<(String, Option<VirtualNamespace>, TrafficClass), Quantity> = BTreeMap::new();
        let mut asking = Asking::new(self.queries.network());
        while let Some(series) = self.next(&mut asking).await? {
            let counters = once(series, &names.instance_labels, identify, |s| weight(s, hour));
            for ((key, class), series) in counters {
                let waited = pods.phases_by_name(&key.namespace, &key.pod).only_waited();
                if waited || pods.shares_host_network(&key.namespace, &key.pod) {
                    continue;
                }
                let growth = self.grown(series, Scale::BYTES, starts, labels)?;
                self.note(NoteKind::UnmeasuredEgress, &key.namespace, growth.unmeasured)?;
                self.note(NoteKind::UnseenEgress, &key.namespace, growth.baseline)?;
                if growth.measured == Quantity::ZERO {
                    continue;
                }
                let class = if names.traffic.is_some() { class.as_str() } else { TrafficClass::ALL };
                let place = pods.virtual_namespace(&key.namespace, &key.pod);
                let row = rows.entry((key.namespace, place, TrafficClass::from(class))).or_default();
                add(row, growth.measured)?;
            }
        }
        Ok(rows
            .into_iter()
            .map(|((namespace, virtual_namespace, class), egress)| NetworkRow {
                namespace: Namespace::new(namespace),
                virtual_namespace,
                class,
                egress,
            })
            .collect())
    }
}

impl InitContainers {
    /// Usage of containers that run before the pod's own stands against what they need beyond the rest.
    fn rename(&self, mut key: Container) -> Container {
        let name = [&key.namespace, &key.pod, &key.name].map(String::clone);
        if self.ending.contains(&name) {
            INIT.clone_into(&mut key.name);
        }
        key
    }
}

fn object(labels: &ObjectLabels) -> [&str; 3] {
    [&labels.namespace, &labels.pod, &labels.container]
}

/// The container a cAdvisor series is about, on the node kube-state-metrics knows it on.
fn container_of(series: &Series, labels: &ObjectLabels, pods: &Pods, also: &[&str]) -> Identity<Container> {
    let own = [&labels.namespace, &labels.pod, &labels.container];
    let mut used: BTreeSet<String> = own.into_iter().cloned().collect();
    used.extend(also.iter().map(|label| (*label).to_owned()));
    used.insert("cpu".to_owned());
    let [namespace, pod, container] = own.map(|label| series.label(label).to_owned());
    let node = node_label(series, labels);
    used.extend(node.map(|(label, _)| label.to_owned()));
    let node = pods.node(&namespace, &pod, node.map_or("", |(_, node)| node));
    Identity { key: Container { namespace, pod, name: container, node }, labels: used }
}

/// The scheduler's rule for one resource: sidecars count beside the pod's own containers and beside its init
/// containers, and what the most demanding of these needs beyond the pod's own is `(init)`. The order in
/// which they start is not in the metrics; sidecars are taken to start first, as proxies that are injected do.
fn effective(regular: &mut Requests, of_init: Requests, init: &InitContainers) -> Result<Requests, Overflow> {
    let mut most: BTreeMap<[String; 3], (String, Kept)> = BTreeMap::new();
    for ([namespace, pod, uid, container, node], marks) in of_init {
        let name = [namespace.clone(), pod.clone(), uid.clone(), container.clone()];
        if init.sidecars.contains(&name) {
            regular.insert([namespace, pod, uid, container, node], marks);
            continue;
        }
        let (last_node, larger) = most.entry([namespace, pod, uid]).or_default();
        *larger = Kept::from(&larger.marks().larger(&marks.marks())?);
        if !node.is_empty() {
            *last_node = node;
        }
    }
    let mut beyond = Requests::new();
    for ([namespace, pod, uid], (node, marks)) in most {
        let from = [namespace.clone(), pod.clone(), uid.clone(), String::new(), String::new()];
        let same = |key: &[String; 5]| key[0] == namespace && key[1] == pod && key[2] == uid;
        let is_sidecar =
            |[a, b, c, d, _]: &[String; 5]| init.sidecars.contains(&[a, b, c, d].map(String::clone));
        let own = regular.range(from..).take_while(|(key, _)| same(key));
        let own = own.filter(|(key, _)| !is_sidecar(key)).map(|(_, marks)| marks);
        let rest = marks.marks().beyond(&summed(own)?)?;
        beyond.insert([namespace, pod, uid, INIT.to_owned(), node], Kept::from(&rest));
    }
    Ok(beyond)
}

fn rows(
    containers: BTreeMap<Container, Use>,
    pods: &Pods,
    classes: &Classes<'_>,
) -> Result<Vec<ComputeRow>, Overflow> {
    let mut rows: BTreeMap<_, ComputeRow> = BTreeMap::new();
    for (key, used) in containers {
        let place = pods.virtual_namespace(&key.namespace, &key.pod);
        let class = classes.of(&key.node);
        let namespace = Namespace::new(key.namespace);
        let row = rows
            .entry((class.clone(), namespace.clone(), place.clone()))
            .or_insert_with(|| ComputeRow::zero(namespace, place, class));
        add(&mut row.cpu_request, used.cpu_request)?;
        add(&mut row.cpu_usage, used.cpu_usage)?;
        add(&mut row.cpu_max, used.cpu_request.max(used.cpu_usage))?;
        add(&mut row.memory_request, used.memory_request)?;
        add(&mut row.memory_usage, used.memory_usage)?;
        add(&mut row.memory_max, used.memory_request.max(used.memory_usage))?;
        for (resource, quantity) in used.gpu_request {
            add(row.gpu_request.entry(resource).or_default(), quantity)?;
        }
    }
    Ok(rows.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::envelope::Sample;
    use super::super::super::reading::Reading;
    use super::*;

    const HOUR: defray_pricing::time::Hour = defray_pricing::time::Hour::from_index(500_000);

    fn requests(containers: &[(&str, u32)]) -> Requests {
        let all = |value| {
            let at = |mark: i64| HOUR.start().timestamp_millis() + mark * 60_000;
            let samples = (0..60).map(|mark| Sample { at: at(mark), value: Reading::whole(value) });
            let series = Series { labels: BTreeMap::new(), samples: samples.collect() };
            Kept::from(&Marks::of(&[vec![series]], HOUR))
        };
        let key = |name: &str| ["team", "web", "uid", name, "node-a"].map(str::to_owned);
        containers.iter().map(|(name, value)| (key(name), all(*value))).collect()
    }

    #[test]
    fn sidecars_run_beside_init_containers_and_beside_the_rest() {
        let mut init = InitContainers::default();
        init.sidecars.insert(["team", "web", "uid", "proxy"].map(str::to_owned));
        for (app, migrate, fetch, beyond) in [(1, 4, 2, 3), (4, 2, 4, 0), (3, 4, 5, 2)] {
            let mut regular = requests(&[("app", app)]);
            let of_init = requests(&[("proxy", 2), ("migrate", migrate), ("fetch", fetch)]);
            let more = effective(&mut regular, of_init, &init).unwrap();
            assert_eq!(regular, requests(&[("app", app), ("proxy", 2)]));
            assert_eq!(more, requests(&[(INIT, beyond)]), "max({migrate}, {fetch}) beyond {app}");
        }
    }
}
