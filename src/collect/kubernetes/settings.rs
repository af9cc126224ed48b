//! What a cluster's administrator may choose: how to get in, and which fields and labels mean what.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use defray_pricing::names::Uid;

use crate::collect::node_labels::NodeLabels;

/// How ownership is read from one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How to reach the API server.
    pub access: Access,
    /// The uid of the cluster's `kube-system` namespace. Another cluster is then refused, instead of
    /// ending everything that was known of this one.
    pub cluster_uid: Option<Uid>,
    /// The resource that describes tenants; none where namespaces alone do.
    pub tenants: Option<TenantSource>,
    /// Which labels and taints of nodes mean what.
    pub nodes: NodeLabels,
    /// Which labels of namespaces are remembered.
    pub namespace_labels: KeepLabels,
    /// What is remembered of namespaces whatever else is, because rules ask for it.
    pub asked: Asked,
    /// Whether an Event says on an object that it cannot be read.
    pub events: bool,
    /// Whether pods of virtual clusters are listed, where the metrics store lacks their labels.
    pub pods: Option<PodSource>,
    /// How long the server may take to connect, and be silent within an answer.
    pub request_timeout: Duration,
    /// How long a complete list may take, all pages together.
    pub list_timeout: Duration,
    /// How long one watch lasts before it is renewed. Load balancers cut what is idle for four minutes.
    pub watch_timeout: Duration,
    /// After how long a list is asked for even if no watch saw anything.
    pub list_every: Duration,
    /// How long changes are gathered before they wake anybody.
    pub settle: Duration,
    /// Objects per page of a list.
    pub page_size: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access: Access::Automatic,
            cluster_uid: None,
            tenants: Some(TenantSource::default()),
            nodes: NodeLabels::default(),
            namespace_labels: KeepLabels::All,
            asked: Asked::default(),
            events: true,
            pods: None,
            request_timeout: Duration::from_secs(30),
            list_timeout: Duration::from_mins(5),
            watch_timeout: Duration::from_secs(200),
            list_every: Duration::from_hours(1),
            settle: Duration::from_secs(2),
            page_size: 500,
        }
    }
}

/// How to reach the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// By kubeconfig if there is one, else as a pod.
    Automatic,
    /// As a pod, by its service account.
    InCluster,
    /// By kubeconfig.
    Kubeconfig {
        /// The file; none for where `kubectl` looks.
        path: Option<PathBuf>,
        /// The context; none for the current one.
        context: Option<String>,
    },
}

/// The resource that describes tenants, and where in it the answers stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantSource {
    /// Its group.
    pub group: String,
    /// Its version.
    pub version: String,
    /// Its kind.
    pub kind: String,
    /// Its plural, as in URLs and roles.
    pub plural: String,
    /// The tenant's name.
    pub team: FieldPath,
    /// The cost centre.
    pub cost_center: FieldPath,
    /// Who answers for it; none where the resource does not say.
    pub owner_email: Option<FieldPath>,
    /// The directory group; absent in many.
    pub ad_group: Option<FieldPath>,
    /// An object of service names, each true or false; absent in many.
    pub services: Option<FieldPath>,
    /// How many nodes it asked for; absent in many.
    pub node_pool_size: Option<FieldPath>,
    /// Which kind of nodes it asked for; absent in many.
    pub node_pool_instance_type: Option<FieldPath>,
    /// How much it may ask for, for estimates of proposed tenants: an object with `cpu`, `memory` and `storage`.
    pub resource_quota: Option<FieldPath>,
}

impl Default for TenantSource {
    fn default() -> Self {
        let spec = |path: &[&str]| FieldPath(["spec"].iter().chain(path).map(ToString::to_string).collect());
        Self {
            group: "platform.financecore.local".to_string(),
            version: "v1alpha1".to_string(),
            kind: "Tenant".to_string(),
            plural: "tenants".to_string(),
            team: spec(&["teamName"]),
            cost_center: spec(&["costCenter"]),
            owner_email: Some(spec(&["ownerEmail"])),
            ad_group: Some(spec(&["adGroup"])),
            services: Some(spec(&["services"])),
            node_pool_size: Some(spec(&["nodePool", "size"])),
            node_pool_instance_type: Some(spec(&["nodePool", "instanceType"])),
            resource_quota: Some(spec(&["resourceQuota"])),
        }
    }
}

/// Where in an object an answer stands: `spec.teamName`, `metadata.labels.example\.com/team`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// The names of the fields, from the outside in.
    pub fn segments(&self) -> &[String] {
        &self.0
    }
}

/// A path that names no field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a field path: {reason}; write it as in `spec.teamName`, a dot in a name as `\\.`")]
pub struct InvalidFieldPath {
    path: String,
    reason: &'static str,
}

impl FromStr for FieldPath {
    type Err = InvalidFieldPath;

    fn from_str(path: &str) -> Result<Self, InvalidFieldPath> {
        let invalid = |reason| InvalidFieldPath { path: path.to_string(), reason };
        let mut segments = vec![String::new()];
        let mut letters = path.strip_prefix('.').unwrap_or(path).chars();
        while let Some(letter) = letters.next() {
            let literal = match letter {
                '.' => {
                    segments.push(String::new());
                    continue;
                }
                '\\' => letters.next().ok_or_else(|| invalid("it ends in a backslash"))?,
                other => other,
            };
            if let Some(last) = segments.last_mut() {
                last.push(literal);
            }
        }
        if segments.iter().any(String::is_empty) {
            return Err(invalid("a name in it is empty"));
        }
        Ok(Self(segments))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            f.write_str(&segment.replace('\\', "\\\\").replace('.', "\\."))?;
        }
        Ok(())
    }
}

/// Which labels of namespaces are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepLabels {
    /// All: a book written later may ask for any of them.
    All,
    /// Only these.
    Only(BTreeSet<String>),
}

impl KeepLabels {
    /// Whether a label is remembered. The one that repeats the namespace's name never is.
    pub fn keeps(&self, key: &str) -> bool {
        match self {
            Self::All => key != "kubernetes.io/metadata.name",
            Self::Only(keys) => keys.contains(key),
        }
    }
}

/// What rules ask for of namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Labels, by their keys.
    pub labels: BTreeSet<String>,
    /// Labels whose keys end so.
    pub label_suffixes: BTreeSet<String>,
    /// Annotations, by their keys. No other is ever remembered: they are anybody's notes.
    pub annotations: BTreeSet<String>,
}

impl Asked {
    /// Whether a label is asked for.
    pub fn label(&self, key: &str) -> bool {
        self.labels.contains(key) || self.label_suffixes.iter().any(|suffix| key.ends_with(suffix.as_str()))
    }
}

/// How pods of virtual clusters are recognised on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSource {
    /// The label that names the virtual cluster a pod was synced from.
    pub managed_by: String,
    /// The label that names the namespace the pod has inside it.
    pub virtual_namespace: String,
    /// The label by which a virtual cluster's own pods are known.
    pub control_plane_label: String,
    /// The values of that label.
    pub control_plane_values: BTreeSet<String>,
}

impl Default for PodSource {
    fn default() -> Self {
        Self {
            managed_by: "vcluster.loft.sh/managed-by".to_string(),
            virtual_namespace: "vcluster.loft.sh/namespace".to_string(),
            control_plane_label: "app".to_string(),
            control_plane_values: ["vcluster", "vcluster-etcd"].map(ToString::to_string).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_path_reads_as_it_prints_and_keeps_dots_within_names() {
        for (text, segments) in [
            ("spec.teamName", vec!["spec", "teamName"]),
            (".spec.teamName", vec!["spec", "teamName"]),
            (r"metadata.labels.example\.com/team", vec!["metadata", "labels", "example.com/team"]),
        ] {
            let path: FieldPath = text.parse().unwrap();
            assert_eq!(path.segments(), segments, "{text}");
            assert_eq!(path.to_string(), text.trim_start_matches('.'));
            assert_eq!(path.to_string().parse::<FieldPath>().unwrap(), path);
        }
    }

    #[test]
    fn a_field_path_with_an_empty_name_is_refused_with_an_example() {
        for text in ["", ".", "spec.", "spec..teamName", r"spec\"] {
            let error = text.parse::<FieldPath>().unwrap_err().to_string();
            assert!(error.contains("spec.teamName"), "{text}: {error}");
        }
    }

    #[test]
    fn all_labels_are_kept_but_the_one_that_repeats_the_name() {
        assert!(KeepLabels::All.keeps("team"));
        assert!(!KeepLabels::All.keeps("kubernetes.io/metadata.name"));
        let only = KeepLabels::Only(BTreeSet::from(["team".to_string()]));
        assert!(only.keeps("team"));
        assert!(!only.keeps("other"));
    }
}
