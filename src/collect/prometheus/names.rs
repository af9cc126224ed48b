//! What metrics and labels are called. Exporters, relabelling and charts differ; two presets cover most.

use std::collections::BTreeSet;

use super::super::node_labels::NodeLabels;

/// Names of metrics and labels, and the matchers that pin an exporter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Metric names.
    pub metrics: Metrics,
    /// Metrics that are not there, and that is as it should be.
    pub absent: BTreeSet<MayBeAbsent>,
    /// Labels of cAdvisor's metrics.
    pub cadvisor: ObjectLabels,
    /// Labels of kube-state-metrics' metrics that name the object, not the exporter.
    pub state: ObjectLabels,
    /// Labels that tell restarts of one container apart: not part of its identity, not of the scraper's.
    pub instance_labels: Vec<String>,
    /// Matchers added to every cAdvisor query, such as `metrics_path="/metrics/cadvisor"`.
    pub cadvisor_pins: Vec<(String, String)>,
    /// Matchers added to every kube-state-metrics query, such as `job="kube-state-metrics"`.
    pub state_pins: Vec<(String, String)>,
    /// Interfaces that only carry again what a pod's own interface already counted (regular expression).
    pub ignored_interfaces: String,
    /// GPU resources: how kube-state-metrics writes them, and what Kubernetes calls them.
    pub gpu_resources: Vec<GpuResource>,
    /// Where classes of traffic are told apart, if anywhere.
    pub traffic: Option<TrafficMetric>,
    /// Pod labels that the vCluster syncer sets.
    pub vcluster: VclusterLabels,
    /// Which node labels say what (Kubernetes' spelling).
    pub nodes: NodeLabels,
    /// Labels of the custom-resource state that describes Tenants.
    pub tenants: TenantLabels,
    /// Namespace labels that tenancy rules and price books ask for (Kubernetes' spelling).
    pub namespace_labels: Vec<String>,
    /// How further labels of namespaces end that they ask for.
    pub namespace_label_suffixes: Vec<String>,
    /// Annotations of namespaces that they ask for.
    pub namespace_annotations: Vec<String>,
}

/// A metric that nearly every cluster has, so that its absence is taken for a fault unless somebody says
/// that it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MayBeAbsent {
    /// `kube_pod_container_resource_requests`: no container requests anything.
    Requests,
    /// `container_network_transmit_bytes_total`: the container runtime does not tell what pods send.
    Network,
    /// `kube_service_spec_type`: there is no Service at all.
    Services,
}

impl MayBeAbsent {
    /// Each by the name of its metric.
    pub const ALL: [(&'static str, Self); 3] = [
        ("kube_pod_container_resource_requests", Self::Requests),
        ("container_network_transmit_bytes_total", Self::Network),
        ("kube_service_spec_type", Self::Services),
    ];
}

/// Names of metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named after the metric that it holds by default")]
pub struct Metrics {
    pub container_cpu_usage_seconds_total: String,
    pub container_memory_working_set_bytes: String,
    pub container_network_transmit_bytes_total: String,
    pub container_start_time_seconds: String,
    pub kube_namespace_annotations: String,
    pub kube_namespace_created: String,
    pub kube_namespace_labels: String,
    pub kube_node_info: String,
    pub kube_node_labels: String,
    pub kube_node_status_capacity: String,
    pub kube_persistentvolume_capacity_bytes: String,
    pub kube_persistentvolume_claim_ref: String,
    pub kube_persistentvolume_info: String,
    pub kube_persistentvolume_status_phase: String,
    pub kube_persistentvolumeclaim_info: String,
    pub kube_persistentvolumeclaim_labels: String,
    pub kube_pod_container_resource_requests: String,
    pub kube_pod_info: String,
    pub kube_pod_init_container_info: String,
    pub kube_pod_init_container_resource_requests: String,
    pub kube_pod_labels: String,
    pub kube_pod_status_phase: String,
    pub kube_resourcequota: String,
    pub kube_service_labels: String,
    pub kube_service_spec_type: String,
    pub kube_tenant_info: String,
}

/// Labels that say which object a series is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectLabels {
    /// The namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The pod's uid.
    pub uid: String,
    /// The container.
    pub container: String,
    /// The node's name: the first of these that a series carries.
    pub node: Vec<String>,
}

/// One GPU resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuResource {
    /// As kube-state-metrics writes it in `resource`: `nvidia_com_gpu`.
    pub metric: String,
    /// As Kubernetes calls it: `nvidia.com/gpu`.
    pub name: String,
}

/// A counter of bytes sent that tells classes of traffic apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrafficMetric {
    /// The counter.
    pub metric: String,
    /// The label whose value is the class.
    pub class_label: String,
    /// Its labels that name the pod.
    pub labels: ObjectLabels,
}

/// Labels of `kube_tenant_info`, from kube-state-metrics' custom-resource state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantLabels {
    /// `metadata.name`.
    pub name: String,
    /// `spec.teamName`.
    pub team: String,
    /// `spec.costCenter`.
    pub cost_center: String,
    /// `spec.ownerEmail`.
    pub owner_email: String,
}

/// Pod labels of vClusters, in Kubernetes' spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VclusterLabels {
    /// Set by the syncer on every synced object: the vCluster.
    pub managed_by: String,
    /// Set by the syncer on every synced object: the virtual namespace.
    pub namespace: String,
    /// On control-plane pods: `app=vcluster`.
    pub app: String,
    /// Its values on control-plane pods.
    pub app_values: Vec<String>,
    /// On control-plane pods: the Helm release.
    pub release: String,
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

impl Default for Metrics {
    fn default() -> Self {
        let name = str::to_owned;
        Self {
            container_cpu_usage_seconds_total: name("container_cpu_usage_seconds_total"),
            container_memory_working_set_bytes: name("container_memory_working_set_bytes"),
            container_network_transmit_bytes_total: name("container_network_transmit_bytes_total"),
            container_start_time_seconds: name("container_start_time_seconds"),
            kube_namespace_annotations: name("kube_namespace_annotations"),
            kube_namespace_created: name("kube_namespace_created"),
            kube_namespace_labels: name("kube_namespace_labels"),
            kube_node_info: name("kube_node_info"),
            kube_node_labels: name("kube_node_labels"),
            kube_node_status_capacity: name("kube_node_status_capacity"),
            kube_persistentvolume_capacity_bytes: name("kube_persistentvolume_capacity_bytes"),
            kube_persistentvolume_claim_ref: name("kube_persistentvolume_claim_ref"),
            kube_persistentvolume_info: name("kube_persistentvolume_info"),
            kube_persistentvolume_status_phase: name("kube_persistentvolume_status_phase"),
            kube_persistentvolumeclaim_info: name("kube_persistentvolumeclaim_info"),
            kube_persistentvolumeclaim_labels: name("kube_persistentvolumeclaim_labels"),
            kube_pod_container_resource_requests: name("kube_pod_container_resource_requests"),
            kube_pod_info: name("kube_pod_info"),
            kube_pod_init_container_info: name("kube_pod_init_container_info"),
            kube_pod_init_container_resource_requests: name("kube_pod_init_container_resource_requests"),
            kube_pod_labels: name("kube_pod_labels"),
            kube_pod_status_phase: name("kube_pod_status_phase"),
            kube_resourcequota: name("kube_resourcequota"),
            kube_service_labels: name("kube_service_labels"),
            kube_service_spec_type: name("kube_service_spec_type"),
            kube_tenant_info: name("kube_tenant_info"),
        }
    }
}

impl ObjectLabels {
    fn standard(node: &[&str]) -> Self {
        Self {
            namespace: "namespace".to_owned(),
            pod: "pod".to_owned(),
            uid: "uid".to_owned(),
            container: "container".to_owned(),
            node: owned(node),
        }
    }
}

impl Default for TenantLabels {
    fn default() -> Self {
        let name = str::to_owned;
        Self {
            name: name("tenant"),
            team: name("team"),
            cost_center: name("cost_center"),
            owner_email: name("owner_email"),
        }
    }
}

impl Default for VclusterLabels {
    fn default() -> Self {
        Self {
            managed_by: "vcluster.loft.sh/managed-by".to_owned(),
            namespace: "vcluster.loft.sh/namespace".to_owned(),
            app: "app".to_owned(),
            app_values: owned(&["vcluster", "vcluster-etcd"]),
            release: "release".to_owned(),
        }
    }
}

impl Names {
    /// Exporters scraped as they are: nothing pinned, `node` or `instance` names the node.
    pub fn plain() -> Self {
        Self {
            metrics: Metrics::default(),
            absent: BTreeSet::new(),
            cadvisor: ObjectLabels::standard(&["node", "kubernetes_io_hostname", "instance"]),
            state: ObjectLabels::standard(&["node"]),
            instance_labels: owned(&["id", "name", "image"]),
            cadvisor_pins: Vec::new(),
            state_pins: Vec::new(),
            ignored_interfaces:
                "lo|cali.*|cilium.*|cni.*|docker.*|dummy.*|flannel.*|kube-.*|lxc.*|nodelocaldns|tunl.*|veth.*"
                    .to_owned(),
            gpu_resources: [("nvidia_com_gpu", "nvidia.com/gpu"), ("amd_com_gpu", "amd.com/gpu")]
                .map(|(metric, name)| GpuResource { metric: metric.to_owned(), name: name.to_owned() })
                .into(),
            traffic: None,
            vcluster: VclusterLabels::default(),
            nodes: NodeLabels::default(),
            tenants: TenantLabels::default(),
            namespace_labels: owned(&["platform.financecore.local/tenant"]),
            namespace_label_suffixes: Vec::new(),
            namespace_annotations: Vec::new(),
        }
    }

    /// The kube-prometheus-stack chart: its jobs and paths pinned, so that nobody else's series count.
    pub fn kube_prometheus_stack() -> Self {
        let pin = |label: &str, value: &str| (label.to_owned(), value.to_owned());
        Self {
            cadvisor_pins: vec![pin("job", "kubelet"), pin("metrics_path", "/metrics/cadvisor")],
            state_pins: vec![pin("job", "kube-state-metrics")],
            ..Self::plain()
        }
    }

    /// A preset by its name in the configuration.
    pub fn preset(name: &str) -> Option<Self> {
        match name {
            "plain" => Some(Self::plain()),
            "kube-prometheus-stack" => Some(Self::kube_prometheus_stack()),
            _ => None,
        }
    }

    /// Every metric name, for checking that each can stand in a query.
    pub(super) fn all_metrics(&self) -> Vec<&str> {
        let m = &self.metrics;
        let mut all = vec![
            &m.container_cpu_usage_seconds_total,
            &m.container_memory_working_set_bytes,
            &m.container_network_transmit_bytes_total,
            &m.container_start_time_seconds,
            &m.kube_namespace_annotations,
            &m.kube_namespace_created,
            &m.kube_namespace_labels,
            &m.kube_node_info,
            &m.kube_node_labels,
            &m.kube_node_status_capacity,
            &m.kube_persistentvolume_capacity_bytes,
            &m.kube_persistentvolume_claim_ref,
            &m.kube_persistentvolume_info,
            &m.kube_persistentvolume_status_phase,
            &m.kube_persistentvolumeclaim_info,
            &m.kube_persistentvolumeclaim_labels,
            &m.kube_pod_container_resource_requests,
            &m.kube_pod_info,
            &m.kube_pod_init_container_info,
            &m.kube_pod_init_container_resource_requests,
            &m.kube_pod_labels,
            &m.kube_pod_status_phase,
            &m.kube_resourcequota,
            &m.kube_service_labels,
            &m.kube_service_spec_type,
            &m.kube_tenant_info,
        ];
        all.extend(self.traffic.iter().map(|traffic| &traffic.metric));
        all.into_iter().map(String::as_str).collect()
    }

    /// Every label name that goes into a query.
    pub(super) fn all_labels(&self) -> Vec<&str> {
        let mut objects = vec![&self.cadvisor, &self.state];
        objects.extend(self.traffic.iter().map(|traffic| &traffic.labels));
        let mut all: Vec<&str> = objects
            .into_iter()
            .flat_map(|o| [&o.namespace, &o.pod, &o.uid, &o.container].into_iter().chain(&o.node))
            .map(String::as_str)
            .collect();
        all.extend(self.instance_labels.iter().map(String::as_str));
        all.extend(self.cadvisor_pins.iter().chain(&self.state_pins).map(|(label, _)| label.as_str()));
        all.extend(self.traffic.iter().map(|traffic| traffic.class_label.as_str()));
        let tenants = &self.tenants;
        let labels = [&tenants.name, &tenants.team, &tenants.cost_center, &tenants.owner_email];
        all.extend(labels.map(String::as_str));
        all
    }
}

/// How kube-state-metrics writes a Kubernetes label: `label_` and snake case, so
/// `eks.amazonaws.com/capacityType` is `label_eks_amazonaws_com_capacity_type`.
pub(super) fn metric_label(key: &str) -> String {
    exported("label_", key)
}

/// The same of an annotation.
pub(super) fn metric_annotation(key: &str) -> String {
    exported("annotation_", key)
}

fn exported(prefix: &str, key: &str) -> String {
    let mut label = String::from(prefix);
    let mut lower_before = false;
    for c in key.chars() {
        if c.is_ascii_uppercase() && lower_before {
            label.push('_');
        }
        lower_before = c.is_ascii_lowercase() || c.is_ascii_digit();
        label.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_written_as_kube_state_metrics_writes_them() {
        for (key, label) in [
            ("nodepool", "label_nodepool"),
            ("vcluster.loft.sh/managed-by", "label_vcluster_loft_sh_managed_by"),
            ("eks.amazonaws.com/capacityType", "label_eks_amazonaws_com_capacity_type"),
            ("platform.financecore.local/tenant", "label_platform_financecore_local_tenant"),
        ] {
            assert_eq!(metric_label(key), label);
        }
    }

    #[test]
    fn presets_are_found_by_name() {
        assert_eq!(Names::preset("plain"), Some(Names::plain()));
        assert!(Names::preset("kube-prometheus-stack").is_some_and(|names| !names.state_pins.is_empty()));
        assert_eq!(Names::preset("helm"), None);
    }
}
