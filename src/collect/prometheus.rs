//! Queries over one hour become a usage hour.
//!
//! Read in this order: `queries` (what is asked, and for which quantity), `client` and `envelope` (what
//! counts as an answer), `identity`, `counters` and `gauges` (how samples become quantities), `measure`
//! (how quantities become rows).

use std::collections::BTreeMap;

use defray_pricing::names::{
    CapacityType, ClusterName, InstanceType, Namespace, Pool, PriceClass, Uid, VirtualNamespace,
};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::Hour;
use defray_pricing::usage::UsageHour;

mod check;
mod client;
mod counters;
mod envelope;
mod error;
mod gauges;
mod history;
mod identity;
mod measure;
mod names;
mod one_cluster;
mod queries;
mod reach;
mod reading;
mod settings;

pub use error::{BadReading, MeasureError, QueryError};
pub use names::{
    GpuResource, MayBeAbsent, Metrics, Names, ObjectLabels, TenantLabels, TrafficMetric, VclusterLabels,
};
pub use settings::{Dialect, Settings, SettingsError};

use client::Client;
use measure::Measurement;
use queries::Queries;

/// What the price of each node's hour depends on, for one cluster and hour: from the ownership timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeDirectory {
    /// Price classes by node name.
    pub classes: BTreeMap<String, PriceClass>,
}

impl NodeDirectory {
    /// The price class of nodes nobody knows anything about.
    fn unknown() -> PriceClass {
        PriceClass {
            pool: Pool::from(Pool::NONE),
            instance_type: InstanceType::from(""),
            capacity_type: CapacityType::from(""),
        }
    }
}

/// Where pods of virtual clusters belonged in an hour, from the timeline of pods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodDirectory {
    /// By host namespace and name: all that had the name in that hour, the last one last.
    pub pods: BTreeMap<(Namespace, String), Vec<PlacedPod>>,
}

/// A pod whose virtual namespace is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedPod {
    /// Its uid on the host.
    pub uid: Uid,
    /// Its namespace inside the virtual cluster, or the control plane.
    pub virtual_namespace: VirtualNamespace,
}

/// A measured hour, and what must be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The hour.
    pub usage: UsageHour,
    /// What was left out, in order.
    pub notes: Vec<Note>,
}

/// Something that was left out of an hour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// What kind of thing.
    pub kind: NoteKind,
    /// Which host namespace.
    pub subject: String,
    /// How much.
    pub quantity: Quantity,
}

/// What was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteKind {
    /// Core-hours that grew across a gap of more than an hour.
    UnmeasuredCpu,
    /// GiB sent across a gap of more than an hour.
    UnmeasuredEgress,
    /// Core-hours that counters already stood at when they were first seen: the most that may have gone
    /// unseen.
    UnseenCpu,
    /// GiB that counters already stood at when they were first seen.
    UnseenEgress,
}

/// Reads the usage of one cluster from a Prometheus-compatible server.
#[derive(Clone)]
pub struct Collector {
    settings: Settings,
    client: Client,
}

impl Collector {
    /// Checks the settings and builds the client; nothing is sent yet. All problems at once.
    pub fn new(settings: Settings) -> Result<Self, Vec<SettingsError>> {
        let mut problems = settings.problems();
        match Client::new(&settings) {
            Ok(client) if problems.is_empty() => return Ok(Self { settings, client }),
            Ok(_) => {}
            Err(SettingsError::Url { .. }) if !problems.is_empty() => {}
            Err(problem) => problems.push(problem),
        }
        Err(problems)
    }

    /// The settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    fn queries(&self) -> Queries<'_> {
        Queries { names: &self.settings.names, cluster: self.settings.cluster.as_ref() }
    }

    /// Measures one hour. The same samples and directories give the same hour, bit for bit. Where pods belong is
    /// taken from the directory, and of those it does not know from `kube_pod_labels`.
    pub async fn measure(
        &self,
        cluster: &ClusterName,
        hour: Hour,
        nodes: &NodeDirectory,
        pods: Option<&PodDirectory>,
    ) -> Result<Measured, MeasureError> {
        let whole = async {
            self.settled(hour).await?;
            Measurement::new(&self.client, self.queries(), hour).run(cluster, nodes, pods).await
        };
        let within = self.settings.deadline;
        // Boxed: the state of a whole measurement is too large to be moved about.
        tokio::time::timeout(within, Box::pin(whole))
            .await
            .unwrap_or(Err(MeasureError::TimedOut { hour, within }))
    }

    /// The server's clock; none where it does not answer.
    pub async fn clock(&self) -> Option<chrono::DateTime<chrono::Utc>> {
        self.client.server_time().await.ok().and_then(chrono::DateTime::from_timestamp_millis)
    }

    /// Refuses an hour that by the server's own clock may still get samples.
    async fn settled(&self, hour: Hour) -> Result<(), MeasureError> {
        let server = self.client.server_time().await.map_err(|source| MeasureError::Query {
            feeds: "the server's clock",
            query: "vector(time())".to_owned(),
            source,
        })?;
        let settle = chrono::TimeDelta::from_std(self.settings.settle).unwrap_or(chrono::TimeDelta::MAX);
        let settled =
            hour.end().checked_add_signed(settle).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
        let server = chrono::DateTime::from_timestamp_millis(server).unwrap_or_default();
        if server < settled {
            return Err(MeasureError::Unsettled { hour, settled, server });
        }
        Ok(())
    }
}
