//! What is known about pods: in which phase, on which node, in which virtual namespace.

use std::collections::{BTreeMap, BTreeSet};

use defray_pricing::names::VirtualNamespace;
use defray_pricing::time::Hour;

use super::super::PodDirectory;
use super::super::envelope::Series;
use super::super::error::MeasureError;
use super::super::gauges::{Kept, MarkSet, Marks};
use super::super::identity::Best;
use super::super::names::{VclusterLabels, metric_label};
use super::super::reading::Reading;
use super::{Asking, Measurement, node_label};

/// A pod by host namespace and name.
pub(super) type PodName = (String, String);

/// When a pod ran.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Phases {
    pub(super) running: MarkSet,
    pending: MarkSet,
    done: MarkSet,
    /// The node does not answer, so nothing is known to have changed.
    unknown: MarkSet,
}

impl Phases {
    /// Whether it was seen, but only waiting to start.
    pub(super) fn only_waited(self) -> bool {
        self.running.is_empty() && self.done.is_empty() && !self.pending.is_empty()
    }

    /// From the views of those who scraped: the first says what it can of each mark, the next the rest.
    fn of(views: &[Vec<Series>], hour: Hour) -> Self {
        views.iter().map(|view| Self::of_one(view, hour)).fold(Self::default(), |known, next| {
            let seen = known.seen();
            known.union(next.without(seen))
        })
    }

    fn of_one(series: &[Series], hour: Hour) -> Self {
        let mut phases = Self::default();
        for one in series {
            let phase = match one.label("phase") {
                "Running" => &mut phases.running,
                "Pending" => &mut phases.pending,
                "Succeeded" | "Failed" => &mut phases.done,
                "Unknown" => &mut phases.unknown,
                _ => continue,
            };
            *phase = phase.union(MarkSet::of(one, hour));
        }
        phases
    }

    /// The marks at which anything is known of it.
    fn seen(self) -> MarkSet {
        self.running.union(self.pending).union(self.done).union(self.unknown)
    }

    fn without(self, marks: MarkSet) -> Self {
        Self {
            running: self.running.without(marks),
            pending: self.pending.without(marks),
            done: self.done.without(marks),
            unknown: self.unknown.without(marks),
        }
    }

    fn union(self, other: Self) -> Self {
        Self {
            running: self.running.union(other.running),
            pending: self.pending.union(other.pending),
            done: self.done.union(other.done),
            unknown: self.unknown.union(other.unknown),
        }
    }
}

/// Pods of one hour.
#[derive(Debug, Default)]
pub(super) struct Pods {
    by_uid: BTreeMap<[String; 3], Phases>,
    by_name: BTreeMap<PodName, Phases>,
    /// The marks of which kube-state-metrics knows the phase of any pod.
    seen: MarkSet,
    nodes: BTreeMap<PodName, Vec<(Reading, String)>>,
    host_network: BTreeSet<PodName>,
    virtual_namespaces: BTreeMap<PodName, VirtualNamespace>,
    /// Host namespaces in which a vCluster lives.
    vclusters: BTreeSet<String>,
}

impl Pods {
    /// Whether nothing is known about any pod's phase.
    pub(super) fn is_empty(&self) -> bool {
        self.by_uid.is_empty()
    }

    fn see(&mut self, key: [String; 3], phases: Phases) {
        self.seen = self.seen.union(phases.seen());
        let [namespace, pod, _] = &key;
        let by_name = self.by_name.entry((namespace.clone(), pod.clone())).or_default();
        *by_name = by_name.union(phases);
        self.by_uid.insert(key, phases);
    }

    /// The phases of one pod; by name where the metrics carry no uid.
    pub(super) fn phases(&self, namespace: &str, pod: &str, uid: &str) -> Phases {
        let key = [namespace, pod, uid].map(str::to_owned);
        self.by_uid.get(&key).copied().unwrap_or_else(|| self.phases_by_name(namespace, pod))
    }

    /// The phases of all pods of that name, one after the other.
    pub(super) fn phases_by_name(&self, namespace: &str, pod: &str) -> Phases {
        let key = (namespace.to_owned(), pod.to_owned());
        self.by_name.get(&key).copied().unwrap_or_default()
    }

    /// The marks at which a pod is known not to have run: those of which kube-state-metrics knows about
    /// pods, and not that this one ran. Of a pod it never saw, and while it was silent, nothing is known.
    ///
    /// cAdvisor's samples carry times of their own and so no mark of their end: the server repeats the last
    /// one for five minutes after a pod is gone.
    pub(super) fn not_running(&self, namespace: &str, pod: &str) -> MarkSet {
        let key = (namespace.to_owned(), pod.to_owned());
        let known = self.by_name.get(&key);
        known.map_or_else(MarkSet::default, |phases| self.seen.without(phases.running.union(phases.unknown)))
    }

    /// The marks at which any pod ran.
    pub(super) fn ran(&self) -> MarkSet {
        self.by_name.values().map(|phases| phases.running).fold(MarkSet::default(), MarkSet::union)
    }

    /// The marks at which any pod ran that has a network of its own.
    pub(super) fn ran_on_own_network(&self) -> MarkSet {
        let own = self.by_name.iter().filter(|(name, _)| !self.host_network.contains(*name));
        own.map(|(_, phases)| phases.running).fold(MarkSet::default(), MarkSet::union)
    }

    /// The marks at which any pod ran, by node; without pods of one name on several nodes.
    pub(super) fn ran_on(&self) -> BTreeMap<String, MarkSet> {
        let mut nodes: BTreeMap<String, MarkSet> = BTreeMap::new();
        for (pod, known) in &self.nodes {
            let mut names = known.iter().map(|(_, node)| node);
            let (Some(node), Some(phases)) = (names.next(), self.by_name.get(pod)) else { continue };
            if !phases.running.is_empty() && names.all(|other| other == node) {
                let ran = nodes.entry(node.clone()).or_default();
                *ran = ran.union(phases.running);
            }
        }
        nodes
    }

    /// The node of a pod: what kube-state-metrics says, where a scraper's label may be an address; where
    /// pods of one name ran on several nodes, the label decides.
    pub(super) fn node(&self, namespace: &str, pod: &str, label: &str) -> String {
        let key = (namespace.to_owned(), pod.to_owned());
        let Some(known) = self.nodes.get(&key) else { return label.to_owned() };
        if known.iter().any(|(_, node)| node == label) {
            return label.to_owned();
        }
        known.iter().max().map_or_else(|| label.to_owned(), |(_, node)| node.clone())
    }

    pub(super) fn shares_host_network(&self, namespace: &str, pod: &str) -> bool {
        self.host_network.contains(&(namespace.to_owned(), pod.to_owned()))
    }

    pub(super) fn virtual_namespace(&self, namespace: &str, pod: &str) -> Option<VirtualNamespace> {
        self.virtual_namespaces.get(&(namespace.to_owned(), pod.to_owned())).cloned()
    }

    /// Whether any pod says that a vCluster lives in the namespace.
    pub(super) fn is_vcluster(&self, namespace: &str) -> bool {
        self.vclusters.contains(namespace)
    }
}

/// A pod's labels, as far as they tell about vClusters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Synced {
    managed_by: String,
    namespace: String,
    app: String,
    release: String,
}

impl Measurement<'_> {
    pub(super) async fn pods(&mut self, placed: Option<&PodDirectory>) -> Result<Pods, MeasureError> {
        let mut pods = Pods::default();
        self.read_phases(&mut pods).await?;
        self.read_nodes(&mut pods).await?;
        let mut synced = self.pod_labels().await?;
        if let Some(placed) = placed {
            take_over(&mut pods, &mut synced, placed);
        }
        place(&mut pods, &synced, &self.names().vcluster.app_values, placed.is_some());
        Ok(pods)
    }

    async fn read_phases(&mut self, pods: &mut Pods) -> Result<(), MeasureError> {
        let state = &self.names().state;
        let identity = [state.namespace.as_str(), &state.pod, &state.uid];
        // The phase is an attribute: at each mark one scraper decides on all of it.
        let (query, hour) = (self.queries.phases(), self.hour);
        let phases = self.ask_once(query, identity, &["phase"], |views| Phases::of(views, hour)).await?;
        for (key, phases) in phases {
            pods.see(key, phases);
        }
        Ok(())
    }

    async fn read_nodes(&mut self, pods: &mut Pods) -> Result<(), MeasureError> {
        let state = &self.names().state;
        let mut asking = Asking::new(self.queries.pods());
        while let Some(part) = self.next(&mut asking).await? {
            for series in part {
                let key = (series.label(&state.namespace).to_owned(), series.label(&state.pod).to_owned());
                let samples = series.samples.first().map(|sample| sample.value).unwrap_or_default();
                if let Some((_, node)) = node_label(&series, state) {
                    pods.nodes.entry(key.clone()).or_default().push((samples, node.to_owned()));
                }
                if series.label("host_network") == "true" {
                    pods.host_network.insert(key);
                }
            }
        }
        Ok(())
    }

    async fn pod_labels(&mut self) -> Result<BTreeMap<PodName, Synced>, MeasureError> {
        let state = &self.names().state;
        let mut best = Best::default();
        let mut asking = Asking::new(self.queries.pod_labels());
        while let Some(part) = self.next(&mut asking).await? {
            for series in part {
                let key = (series.label(&state.namespace).to_owned(), series.label(&state.pod).to_owned());
                best.offer(key, &series, from_series(&series, &self.names().vcluster));
            }
        }
        Ok(best.said())
    }

    /// Virtual namespaces of synced objects other than pods, by (namespace, name).
    pub(super) async fn synced_objects(
        &mut self,
        query: super::Query,
        object: &str,
    ) -> Result<BTreeMap<PodName, VirtualNamespace>, MeasureError> {
        let names = self.names();
        let mut best = Best::default();
        let mut asking = Asking::new(query);
        while let Some(part) = self.next(&mut asking).await? {
            for series in part {
                let synced = from_series(&series, &names.vcluster);
                if synced.managed_by.is_empty() || synced.namespace.is_empty() {
                    continue;
                }
                let key = (series.label(&names.state.namespace).to_owned(), series.label(object).to_owned());
                best.offer(key, &series, VirtualNamespace::new(synced.namespace));
            }
        }
        Ok(best.said())
    }
}

fn from_series(series: &Series, labels: &VclusterLabels) -> Synced {
    let label = |key: &str| series.label(&metric_label(key)).to_owned();
    Synced {
        managed_by: label(&labels.managed_by),
        namespace: label(&labels.namespace),
        app: label(&labels.app),
        release: label(&labels.release),
    }
}

/// Takes the virtual namespaces of pods that the directory knows from there, whatever the metrics say of them.
///
/// Containers are told apart by the name of their pod. Of several that had it in the hour the last one takes the
/// row: of those that kube-state-metrics saw run, where it tells uids.
fn take_over(pods: &mut Pods, synced: &mut BTreeMap<PodName, Synced>, placed: &PodDirectory) {
    for ((namespace, name), had_it) in &placed.pods {
        let ran = |uid: &str| {
            let key = [namespace.as_str(), name, uid].map(str::to_owned);
            pods.by_uid.get(&key).is_some_and(|phases| !phases.running.is_empty())
        };
        let last = had_it.iter().rfind(|pod| ran(pod.uid.as_str())).or_else(|| had_it.last());
        let Some(last) = last else { continue };
        let key = (namespace.as_str().to_owned(), name.clone());
        synced.remove(&key);
        pods.vclusters.insert(key.0.clone());
        pods.virtual_namespaces.insert(key, last.virtual_namespace.clone());
    }
}

/// Finds each pod's virtual namespace.
///
/// A namespace is a vCluster's if any pod in it is synced or is its control plane by `app`. There, what
/// is not synced is the control plane if it carries the chart's labels, or if those of no pod at all are
/// known, so that nothing could be told apart by them.
fn place(pods: &mut Pods, synced: &BTreeMap<PodName, Synced>, app_values: &[String], told_apart: bool) {
    let is_control_plane = |s: &Synced| s.managed_by.is_empty() && app_values.contains(&s.app);
    let of_vcluster = synced.iter().filter(|(_, s)| !s.managed_by.is_empty() || is_control_plane(s));
    pods.vclusters.extend(of_vcluster.map(|((namespace, _), _)| namespace.clone()));
    let chart_labels = told_apart || synced.values().any(|s| !s.app.is_empty() || !s.release.is_empty());
    for (key, labels) in synced {
        let place = if !labels.managed_by.is_empty() {
            (!labels.namespace.is_empty()).then(|| VirtualNamespace::new(labels.namespace.as_str()))
        } else if pods.is_vcluster(&key.0)
            && (!chart_labels || is_control_plane(labels) || !labels.release.is_empty())
        {
            Some(VirtualNamespace::new(VirtualNamespace::CONTROL_PLANE))
        } else {
            None
        };
        if let Some(place) = place {
            pods.virtual_namespaces.insert(key.clone(), place);
        }
    }
}

/// The sum of marks, for pods' effective requests.
pub(super) fn summed<'a>(marks: impl Iterator<Item = &'a Kept>) -> Result<Marks, defray_pricing::Overflow> {
    let mut sum = Marks::NONE;
    for one in marks {
        sum = sum.added(&one.marks())?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::super::super::PlacedPod;
    use super::super::super::envelope::{Labels, Sample};
    use super::*;

    const HOUR: Hour = Hour::from_index(500_000);

    fn phase(phase: &str, marks: std::ops::Range<i64>) -> Series {
        let at = |mark: i64| HOUR.start().timestamp_millis() + mark * 60_000;
        Series {
            labels: Labels::from([("phase".to_owned(), phase.to_owned())]),
            samples: marks.map(|mark| Sample { at: at(mark), value: Reading::whole(1) }).collect(),
        }
    }

    #[test]
    fn exporters_that_hand_over_saw_one_life() {
        let old = vec![phase("Pending", 0..10), phase("Running", 10..31)];
        let new = vec![phase("Running", 30..50), phase("Succeeded", 50..60)];
        let phases = Phases::of(&[old, new], HOUR);
        assert_eq!(phases.running.minutes().get(), 40);
        assert_eq!(phases.done.minutes().get(), 10);
    }

    #[test]
    fn a_pod_does_not_run_where_others_are_seen_and_it_is_not() {
        let mut pods = Pods::default();
        let key = |pod: &str| ["team", pod, pod].map(str::to_owned);
        // Nothing is known of anybody from 0:50 on.
        pods.see(key("stays"), Phases::of(&[vec![phase("Running", 0..50)]], HOUR));
        pods.see(key("ends"), Phases::of(&[vec![phase("Running", 5..30)]], HOUR));
        pods.see(key("lost"), Phases::of(&[vec![phase("Running", 0..30), phase("Unknown", 30..50)]], HOUR));
        let idle = |pod: &str| pods.not_running("team", pod).minutes().get();
        assert_eq!((idle("stays"), idle("ends"), idle("lost"), idle("unseen")), (0, 25, 0, 0));
    }

    #[test]
    fn of_two_exporters_the_first_decides() {
        let first = vec![phase("Running", 0..40), phase("Succeeded", 40..60)];
        let late = vec![phase("Running", 2..42), phase("Succeeded", 42..60)];
        let phases = Phases::of(&[first, late], HOUR);
        assert_eq!(phases.running.minutes().get(), 40);
    }

    fn placed(uid: &str, inside: &str) -> PlacedPod {
        PlacedPod { uid: uid.into(), virtual_namespace: inside.into() }
    }

    /// Of pods whose lives the directory knows in this order and of which these ran.
    fn taken(ran: &[&str], had_it: &[PlacedPod]) -> Option<String> {
        let mut pods = Pods::default();
        for uid in ran {
            pods.see(
                ["v", "db-0", uid].map(str::to_owned),
                Phases::of(&[vec![phase("Running", 0..20)]], HOUR),
            );
        }
        let directory = PodDirectory { pods: [(("v".into(), "db-0".to_owned()), had_it.to_vec())].into() };
        let told = Synced { managed_by: "a".to_owned(), namespace: "told".to_owned(), ..Synced::default() };
        let mut synced = BTreeMap::from([(("v".to_owned(), "db-0".to_owned()), told)]);
        take_over(&mut pods, &mut synced, &directory);
        place(&mut pods, &synced, &[], true);
        assert!(pods.is_vcluster("v"));
        pods.virtual_namespace("v", "db-0").map(|inside| inside.to_string())
    }

    #[test]
    fn of_pods_of_one_name_the_last_that_ran_takes_the_row() {
        let lives = [placed("u9", "first"), placed("u1", "second"), placed("u5", "waits")];
        assert_eq!(taken(&["u9", "u1"], &lives).as_deref(), Some("second"));
        assert_eq!(taken(&["u9"], &lives).as_deref(), Some("first"));
        assert_eq!(taken(&[""], &lives).as_deref(), Some("waits"), "where no uid is told, the last");
        assert_eq!(
            taken(&["u9"], &[]).as_deref(),
            Some("told"),
            "by its metrics, where nothing is remembered"
        );
    }

    #[test]
    fn beside_remembered_pods_only_those_whose_metrics_say_so_are_the_control_plane() {
        let mut pods = Pods::default();
        let key = |name: &str| ("v".to_owned(), name.to_owned());
        let own = Synced { release: "a".to_owned(), ..Synced::default() };
        let mut synced = BTreeMap::from([(key("a-0"), own), (key("unknown"), Synced::default())]);
        let directory =
            PodDirectory { pods: [(("v".into(), "web".to_owned()), vec![placed("u", "shop")])].into() };
        take_over(&mut pods, &mut synced, &directory);
        place(&mut pods, &synced, &[], true);
        let inside = |name: &str| pods.virtual_namespace("v", name).map(|inside| inside.to_string());
        assert_eq!(inside("a-0").as_deref(), Some(VirtualNamespace::CONTROL_PLANE));
        assert_eq!((inside("web").as_deref(), inside("unknown")), (Some("shop"), None));
    }
}
