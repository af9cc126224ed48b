//! Volumes, load balancers and quotas.

use std::collections::BTreeMap;

use defray_pricing::names::{Namespace, StorageClass, VirtualNamespace};
use defray_pricing::quantity::Quantity;
use defray_pricing::usage::{LoadBalancerRow, QuotaRow, StorageRow};

use super::super::error::MeasureError;
use super::super::gauges::{Kept, MarkSet, Marks};
use super::super::identity::{Best, Views};
use super::super::reading::Scale;
use super::pods::Pods;
use super::{Asking, Measurement, Query, add};

/// A claim that a volume was bound to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Claim {
    namespace: String,
    name: String,
    class: String,
    /// When the claim existed.
    marks: MarkSet,
}

impl Measurement<'_> {
    /// storage: the capacity of bound volumes, by the claim's namespace, mounted or not.
    pub(super) async fn storage(&mut self, pods: &Pods) -> Result<Vec<StorageRow>, MeasureError> {
        let (q, hour) = (self.queries, self.hour);
        let kept = |views: &Views| Kept::from(&Marks::of(views, hour));
        let set = |views: &Views| Marks::of(views, hour).set();
        let capacity = self.ask_once(q.volume_capacity(), ["persistentvolume"], &[], kept).await?;
        let bound = self.ask_once(q.volume_bound(), ["persistentvolume"], &["phase"], set).await?;
        let bound: BTreeMap<String, MarkSet> =
            bound.into_iter().map(|([name], marks)| (name, marks)).collect();
        let classes = self.attribute(q.volume_classes(), &["storageclass"]).await?;
        let refs = self.attribute(q.volume_claims(), &["claim_namespace", "name"]).await?;
        let claims = self.claims().await?;
        let synced = self.synced_objects(q.claim_labels(), "persistentvolumeclaim").await?;
        let mut rows: BTreeMap<(String, Option<VirtualNamespace>, String), Quantity> = BTreeMap::new();
        for ([volume], capacity) in capacity {
            let claim = claims.get(&volume).cloned().unwrap_or_default();
            let (namespace, name) = match refs.get(&volume).map(Vec::as_slice) {
                Some([namespace, name]) if !namespace.is_empty() => (namespace.clone(), name.clone()),
                _ => (claim.namespace, claim.name),
            };
            // A volume that has no phase series at all is bound while its claim exists.
            let marks = bound.get(&volume).copied().unwrap_or(claim.marks);
            if namespace.is_empty() {
                continue;
            }
            let quantity = capacity.marks().quantity(Scale::BYTE_MARKS, marks)?;
            if quantity == Quantity::ZERO {
                continue;
            }
            let class = classes.get(&volume).and_then(|class| class.first());
            let class = class.filter(|class| !class.is_empty()).cloned().unwrap_or(claim.class);
            let place = synced.get(&(namespace.clone(), name)).cloned();
            let place = place.or_else(|| control_plane(pods, &namespace, &synced));
            add(rows.entry((namespace, place, class)).or_default(), quantity)?;
        }
        Ok(rows
            .into_iter()
            .map(|((namespace, virtual_namespace, class), capacity)| StorageRow {
                namespace: Namespace::new(namespace),
                virtual_namespace,
                class: StorageClass::new(class),
                capacity,
            })
            .collect())
    }

    /// Labels of volumes.
    async fn attribute(
        &mut self,
        query: Query,
        labels: &[&str],
    ) -> Result<BTreeMap<String, Vec<String>>, MeasureError> {
        let mut best = Best::default();
        let mut asking = Asking::new(query);
        while let Some(part) = self.next(&mut asking).await? {
            for series in part {
                let volume = series.label("persistentvolume").to_owned();
                let values = labels.iter().map(|label| series.label(label).to_owned()).collect();
                best.offer(volume, &series, values);
            }
        }
        Ok(best.said())
    }

    /// Claims, by volume.
    async fn claims(&mut self) -> Result<BTreeMap<String, Claim>, MeasureError> {
        let namespace = self.names().state.namespace.clone();
        let identity = ["volumename", namespace.as_str(), "persistentvolumeclaim"];
        let attributes = ["storageclass", "access_mode", "volumemode"];
        let hour = self.hour;
        let make = |views: &Views| {
            let class = views.iter().flatten().map(|one| one.label("storageclass")).max().unwrap_or("");
            (Marks::of(views, hour).set(), class.to_owned())
        };
        let found = self.ask_once(self.queries.claims(), identity, &attributes, make).await?;
        let claims = found.into_iter().map(|([volume, namespace, name], (marks, class))| {
            (volume, Claim { namespace, name, class, marks })
        });
        Ok(claims.collect())
    }

    /// `load_balancer`.
    pub(super) async fn load_balancers(&mut self, pods: &Pods) -> Result<Vec<LoadBalancerRow>, MeasureError> {
        let state = &self.names().state;
        let identity = [state.namespace.as_str(), "service", &state.uid];
        let (q, hour) = (self.queries, self.hour);
        let set = |views: &Views| Marks::of(views, hour).set();
        let services = self.ask_once(q.load_balancers(), identity, &["type"], set).await?;
        if services.is_empty() {
            // No load balancers, or nothing of any Service: the one costs nothing, the other is a fault.
            let mut asking = Asking::new(q.services());
            while self.next(&mut asking).await?.is_some() {}
        }
        let synced = self.synced_objects(q.service_labels(), "service").await?;
        let mut rows: BTreeMap<(String, Option<VirtualNamespace>), Quantity> = BTreeMap::new();
        for ([namespace, name, _], marks) in services {
            let hours = marks.hours()?;
            if hours == Quantity::ZERO {
                continue;
            }
            let place = synced.get(&(namespace.clone(), name)).cloned();
            let place = place.or_else(|| control_plane(pods, &namespace, &synced));
            add(rows.entry((namespace, place)).or_default(), hours)?;
        }
        Ok(rows
            .into_iter()
            .map(|((namespace, virtual_namespace), hours)| LoadBalancerRow {
                namespace: Namespace::new(namespace),
                virtual_namespace,
                hours,
            })
            .collect())
    }

    /// quota: at every mark the least of a namespace's quotas.
    pub(super) async fn quotas(&mut self) -> Result<Vec<QuotaRow>, MeasureError> {
        let namespace = self.names().state.namespace.clone();
        let identity = [namespace.as_str(), "resourcequota", "resource"];
        let mut least: BTreeMap<String, (Option<Marks>, Option<Marks>)> = BTreeMap::new();
        let hour = self.hour;
        let kept = |views: &Views| Kept::from(&Marks::of(views, hour));
        let quotas = self.ask_once(self.queries.quotas(), identity, &["type"], kept).await?;
        for ([namespace, _, resource], marks) in quotas {
            let (cpu, memory) = least.entry(namespace).or_default();
            let slot = if resource.ends_with("cpu") { cpu } else { memory };
            let marks = marks.marks();
            *slot = Some(match slot.take() {
                Some(before) => before.smaller(&marks)?,
                None => marks,
            });
        }
        let quantity =
            |marks: Option<Marks>, scale| marks.map(|marks| marks.quantity(scale, MarkSet::ALL)).transpose();
        let mut rows = Vec::with_capacity(least.len());
        for (namespace, (cpu, memory)) in least {
            rows.push(QuotaRow {
                namespace: Namespace::new(namespace),
                cpu: quantity(cpu, Scale::MARKS)?,
                memory: quantity(memory, Scale::BYTE_MARKS)?,
            });
        }
        Ok(rows)
    }
}

/// In a vCluster's host namespace what the syncer did not label is the vCluster's own, where the metrics
/// carry such labels at all.
fn control_plane(
    pods: &Pods,
    namespace: &str,
    synced: &BTreeMap<(String, String), VirtualNamespace>,
) -> Option<VirtualNamespace> {
    let told_apart = pods.is_vcluster(namespace) && !synced.is_empty();
    told_apart.then(|| VirtualNamespace::new(VirtualNamespace::CONTROL_PLANE))
}
