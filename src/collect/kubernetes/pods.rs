//! Which pods belong to which virtual namespace, where the metrics store does not have their labels.
//! Metadata only: a pod's specification and status never leave the API server.

use std::collections::{BTreeSet, HashMap};

use defray_ledger::{PodFact, SeenPod};
use defray_pricing::names::{Namespace, Uid, VirtualNamespace};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;

use super::error::KubernetesError;
use super::observe::pages;
use super::permissions::Kind;
use super::settings::PodSource;
use super::watch::{Watch, renewed};
use super::{Collector, facts};
use crate::collect::Finding;

/// What a watch on pods of virtual clusters sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodEvent {
    /// A pod is there.
    Seen(SeenPod),
    /// A pod is no more.
    Gone(Uid),
    /// Everything that is there has been seen: the watch begins, or began anew after it was broken.
    Begun,
}

impl Collector {
    /// All pods of virtual clusters that exist now; none are asked for where the settings do not. An error where the
    /// answer would be another's than this cluster's: its pods would end all that are known of ours.
    pub async fn pods(&self, of: &Uid) -> Result<Vec<SeenPod>, KubernetesError> {
        let Some(source) = &self.settings.pods else { return Ok(Vec::new()) };
        self.recognised(of).await?;
        let api: Api<PartialObjectMeta<Pod>> = Api::all(self.lists.clone());
        let mut pods = Vec::new();
        for selector in selectors(source) {
            let params = ListParams::default().labels(&selector);
            let found =
                self.complete(Kind::Pods, &params, pages(&api), |pod| read(source, &pod.metadata)).await?;
            pods.extend(found.into_iter().flatten());
        }
        Ok(pods)
    }

    /// Every pod of a virtual cluster as it comes and goes, the short-lived too, and what keeps the watch from
    /// working; it begins anew by itself then. It never ends, and is empty where the settings do not ask for pods.
    /// What went while a watch was broken is not told: a list finds it. Only pods of the cluster that has this uid are
    /// told.
    pub fn pod_changes(&self, of: &Uid) -> BoxStream<'static, Result<PodEvent, Finding>> {
        let Some(source) = self.settings.pods.clone() else { return stream::empty().boxed() };
        let selectors = selectors(&source);
        let all = selectors.len();
        let watches = selectors.into_iter().enumerate().map(|(n, selector)| {
            let (collector, source, of) = (self.clone(), source.clone(), of.clone());
            let mut told = Told::default();
            renewed(move || collector.watch_pods(of.clone(), selector.clone()))
                .filter_map(move |event| {
                    let news = event.map(|event| told.news(&source, event)).transpose();
                    std::future::ready(news.map(|news| (n, news)))
                })
                .boxed()
        });
        let mut begun = BTreeSet::new();
        let news = stream::select_all(watches).filter_map(move |(n, news)| {
            let whole = match &news {
                Ok(PodEvent::Begun) => begun.insert(n) && begun.len() == all,
                Ok(_) => true,
                Err(_) => {
                    begun.remove(&n);
                    true
                }
            };
            std::future::ready(whole.then_some(news))
        });
        news.boxed()
    }

    fn watch_pods(&self, of: Uid, selector: String) -> Watch<PartialObjectMeta<Pod>> {
        let collector = self.clone();
        let watch = async move {
            match collector.recognised(&of).await {
                Ok(()) => {
                    let api = Api::all(collector.watches.clone());
                    collector.watched(Kind::Pods, api, collector.watch_config().labels(&selector))
                }
                Err(error) => {
                    let subject = format!("Kubernetes: watch {}", collector.resource(Kind::Pods));
                    stream::iter([Err(error.finding(subject))]).boxed()
                }
            }
        };
        watch.flatten_stream().boxed()
    }
}

/// Where a watch has told that each pod belongs that is there. Their status changes all the time, and that does not;
/// nor do the name and the namespace of one uid.
#[derive(Debug, Default)]
struct Told(HashMap<Uid, VirtualNamespace>);

impl Told {
    fn news(&mut self, source: &PodSource, event: Event<PartialObjectMeta<Pod>>) -> Option<PodEvent> {
        match event {
            Event::Init => {
                self.0.clear();
                None
            }
            Event::Apply(pod) | Event::InitApply(pod) => {
                let pod = read(source, &pod.metadata)?;
                let belongs = &pod.fact.virtual_namespace;
                let before = self.0.insert(pod.uid.clone(), belongs.clone());
                (before.as_ref() != Some(belongs)).then_some(PodEvent::Seen(pod))
            }
            Event::Delete(pod) => {
                let uid = uid(&pod.metadata)?;
                self.0.remove(&uid);
                Some(PodEvent::Gone(uid))
            }
            Event::InitDone => Some(PodEvent::Begun),
        }
    }
}

/// Synced pods, and the virtual clusters' own.
fn selectors(source: &PodSource) -> [String; 2] {
    let values: Vec<_> = source.control_plane_values.iter().map(String::as_str).collect();
    let own = format!("{} in ({}),!{}", source.control_plane_label, values.join(","), source.managed_by);
    [source.managed_by.clone(), own]
}

fn uid(metadata: &ObjectMeta) -> Option<Uid> {
    metadata.uid.as_deref().filter(|uid| !uid.is_empty()).map(Uid::from)
}

fn read(source: &PodSource, metadata: &ObjectMeta) -> Option<SeenPod> {
    let label = |key: &str| metadata.labels.as_ref()?.get(key).filter(|value| !value.is_empty());
    let synced = label(&source.managed_by).is_some();
    let own =
        label(&source.control_plane_label).is_some_and(|value| source.control_plane_values.contains(value));
    let virtual_namespace = match (synced, label(&source.virtual_namespace)) {
        (true, Some(namespace)) => VirtualNamespace::from(namespace.as_str()),
        (false, _) if own => VirtualNamespace::from(VirtualNamespace::CONTROL_PLANE),
        _ => return None,
    };
    let created = facts::created(metadata);
    let namespace = Namespace::from(metadata.namespace.as_deref()?);
    let fact = PodFact { namespace, name: metadata.name.clone()?, virtual_namespace };
    Some(SeenPod { uid: uid(metadata)?, created, fact })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn virtual_namespace(labels: &serde_json::Value) -> Option<String> {
        let metadata: ObjectMeta = serde_json::from_value(json!({
            "name": "web-x-shop-x-a", "namespace": "vcluster-a", "uid": "u", "labels": labels,
        }))
        .unwrap();
        read(&PodSource::default(), &metadata).map(|pod| pod.fact.virtual_namespace.to_string())
    }

    fn pod(uid: &str, namespace: &str, version: &str) -> PartialObjectMeta<Pod> {
        let labels = json!({"vcluster.loft.sh/managed-by": "a", "vcluster.loft.sh/namespace": namespace});
        let metadata = json!({
            "name": "web", "namespace": "vcluster-a", "uid": uid, "resourceVersion": version, "labels": labels,
        });
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    #[test]
    fn what_a_pod_goes_through_is_no_news_and_where_it_belongs_is() {
        let mut told = Told::default();
        let mut news = |event| match told.news(&PodSource::default(), event) {
            Some(PodEvent::Seen(pod)) => format!("{} {}", pod.uid, pod.fact.virtual_namespace),
            Some(PodEvent::Gone(uid)) => format!("{uid} gone"),
            Some(PodEvent::Begun) => "begun".to_owned(),
            None => String::new(),
        };
        for (event, expected) in [
            (Event::Init, ""),
            (Event::InitApply(pod("u1", "shop", "1")), "u1 shop"),
            (Event::InitDone, "begun"),
            (Event::Apply(pod("u1", "shop", "2")), ""),
            (Event::Apply(pod("u1", "shop", "3")), ""),
            (Event::Apply(pod("u1", "desk", "4")), "u1 desk"),
            (Event::Apply(pod("u2", "shop", "5")), "u2 shop"),
            (Event::Delete(pod("u2", "shop", "6")), "u2 gone"),
            (Event::Apply(pod("u2", "shop", "7")), "u2 shop"),
            (Event::Delete(pod("u2", "shop", "8")), "u2 gone"),
            (Event::Init, ""),
            (Event::InitApply(pod("u3", "shop", "9")), "u3 shop"),
        ] {
            assert_eq!(news(event), expected);
        }
        assert_eq!(told.0.len(), 1, "only those that are there are kept in mind");
    }

    #[test]
    fn a_synced_pod_is_in_the_namespace_its_label_names_whatever_its_own_labels_say() {
        let synced = json!({
            "vcluster.loft.sh/managed-by": "a", "vcluster.loft.sh/namespace": "shop", "app": "vcluster",
        });
        assert_eq!(virtual_namespace(&synced).as_deref(), Some("shop"));
    }

    #[test]
    fn a_virtual_clusters_own_pods_are_its_control_plane_and_other_pods_are_nothing() {
        assert_eq!(virtual_namespace(&json!({"app": "vcluster"})).as_deref(), Some("(control plane)"));
        assert_eq!(virtual_namespace(&json!({"app": "web"})), None);
        assert_eq!(virtual_namespace(&json!({"vcluster.loft.sh/managed-by": "a"})), None);
    }
}
