//! Which pods belong to which virtual namespace, where the metrics store does not have their labels.
//! Metadata only: a pod's specification and status never leave the API server.

use defray_ledger::{PodFact, SeenPod};
use defray_pricing::names::{Namespace, Uid, VirtualNamespace};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};

use super::error::KubernetesError;
use super::observe::pages;
use super::permissions::Kind;
use super::settings::PodSource;
use super::{Collector, facts};
use crate::collect::Finding;

/// What a watch on pods of virtual clusters sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodEvent {
    /// A pod is there.
    Seen(SeenPod),
    /// A pod is no more.
    Gone(Uid),
    /// Everything that is there has been seen: the watch begins, or began anew.
    Begun,
}

impl Collector {
    /// All pods of virtual clusters that exist now; none are asked for where the settings do not.
    pub async fn pods(&self) -> Result<Vec<SeenPod>, KubernetesError> {
        let Some(source) = &self.settings.pods else { return Ok(Vec::new()) };
        let api: Api<PartialObjectMeta<Pod>> = Api::all(self.lists.clone());
        let mut pods = Vec::new();
        for selector in selectors(source) {
            let params = ListParams::default().labels(&selector);
            let found =
                self.complete(Kind::Pods, &params, pages(&api), |pod| read(source, &pod.metadata)).await?;
            pods.extend(found.into_iter().flatten());
        }
        pods.sort();
        pods.dedup();
        Ok(pods)
    }

    /// Every pod of a virtual cluster as it comes and goes, the short-lived too, and what keeps a watch from
    /// working. It never ends by itself, and is empty where the settings do not ask for pods. What went while a
    /// watch was broken is not told: a list finds it.
    pub fn pod_changes(&self) -> BoxStream<'static, Result<PodEvent, Finding>> {
        let Some(source) = self.settings.pods.clone() else { return stream::empty().boxed() };
        let watches = selectors(&source).map(|selector| {
            let api: Api<PartialObjectMeta<Pod>> = Api::all(self.watches.clone());
            let (source, collector) = (source.clone(), self.clone());
            watcher(api, self.watch_config().labels(&selector))
                .default_backoff()
                .filter_map(move |event| {
                    std::future::ready(match event {
                        Ok(Event::Apply(pod) | Event::InitApply(pod)) => {
                            read(&source, &pod.metadata).map(|pod| Ok(PodEvent::Seen(pod)))
                        }
                        Ok(Event::Delete(pod)) => uid(&pod.metadata).map(|uid| Ok(PodEvent::Gone(uid))),
                        Ok(Event::InitDone) => Some(Ok(PodEvent::Begun)),
                        Ok(Event::Init) => None,
                        Err(error) => Some(Err(collector.trouble(Kind::Pods, &error))),
                    })
                })
                .boxed()
        });
        stream::select_all(watches).boxed()
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
    let managed_by = label(&source.managed_by).cloned();
    let own =
        label(&source.control_plane_label).is_some_and(|value| source.control_plane_values.contains(value));
    let virtual_namespace = match (&managed_by, label(&source.virtual_namespace)) {
        (Some(_), Some(namespace)) => VirtualNamespace::from(namespace.as_str()),
        (None, _) if own => VirtualNamespace::from(VirtualNamespace::CONTROL_PLANE),
        _ => return None,
    };
    let created = facts::created(metadata);
    let namespace = Namespace::from(metadata.namespace.as_deref()?);
    let fact = PodFact { namespace, name: metadata.name.clone()?, managed_by, virtual_namespace };
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
