//! What the last look at each cluster came to, for those who rely on it: pods are those of the cluster that was
//! recognised, and hours that wait for a look say why it fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use defray_pricing::names::{ClusterName, Uid};
use tokio::sync::watch;

/// The looks of this run of the daemon. Nothing of it needs to be remembered: each run begins by looking.
#[derive(Debug, Clone, Default)]
pub struct Looks(Arc<watch::Sender<BTreeMap<ClusterName, Look>>>);

#[derive(Debug, Clone, Default)]
struct Look {
    /// The uid of its `kube-system` namespace, since it was recognised.
    uid: Option<Uid>,
    observing: Option<String>,
    listing: Option<String>,
}

impl Looks {
    /// A cluster was observed and is the one that is meant.
    pub fn recognised(&self, cluster: &ClusterName, uid: Option<Uid>) {
        self.of(cluster, |look| {
            look.uid = uid.or(look.uid.take());
            look.observing = None;
        });
    }

    /// A cluster could not be observed.
    pub(super) fn not_observed(&self, cluster: &ClusterName, reason: String) {
        self.of(cluster, |look| look.observing = Some(reason));
    }

    /// Whether the pods of a cluster could be listed, or why not.
    pub(super) fn listed(&self, cluster: &ClusterName, failure: Option<String>) {
        self.of(cluster, |look| look.listing = failure);
    }

    /// Why the last observation failed, if it did.
    pub(super) fn observing(&self, cluster: &ClusterName) -> Option<String> {
        self.0.borrow().get(cluster).and_then(|look| look.observing.clone())
    }

    /// Why the last list of pods failed, if it did.
    pub(super) fn listing(&self, cluster: &ClusterName) -> Option<String> {
        self.0.borrow().get(cluster).and_then(|look| look.listing.clone())
    }

    /// Which cluster it is, by its uid, once it was recognised.
    pub(super) fn uid(&self, cluster: &ClusterName) -> Option<Uid> {
        self.0.borrow().get(cluster).and_then(|look| look.uid.clone())
    }

    /// Waits until a cluster was recognised.
    pub(super) async fn known(&self, cluster: &ClusterName) -> Uid {
        let mut looks = self.0.subscribe();
        loop {
            let uid = looks.borrow_and_update().get(cluster).and_then(|look| look.uid.clone());
            match uid {
                Some(uid) => return uid,
                // The sender is ours: it cannot be gone.
                None => drop(looks.changed().await),
            }
        }
    }

    fn of(&self, cluster: &ClusterName, change: impl FnOnce(&mut Look)) {
        self.0.send_modify(|looks| change(looks.entry(cluster.clone()).or_default()));
    }
}
