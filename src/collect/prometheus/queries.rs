//! The queries, each named after what it feeds. PromQL is rendered here and nowhere else, every name
//! checked and every value escaped.

use std::fmt::Write as _;

use defray_pricing::usage::Source;

use super::names::{Names, metric_annotation, metric_label};
use super::settings::Dialect;

/// A query for one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// What it feeds, for messages.
    pub(super) feeds: &'static str,
    /// The exporter its data comes from.
    pub(super) source: Source,
    /// The series.
    pub(super) selector: Selector,
    /// What of them.
    pub(super) shape: Shape,
    /// How to ask in parts where the answer is too large.
    pub(super) split: Split,
}

/// The label by whose values an answer is split: a part of what its series are about, so that everything
/// about one thing is in one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Split {
    /// The label that holds the namespace.
    Namespace(String),
    /// The label that names what no namespace holds: a node, a volume.
    Name(String),
}

impl Split {
    /// The label.
    pub(super) fn label(&self) -> &str {
        match self {
            Self::Namespace(label) | Self::Name(label) => label,
        }
    }
}

/// What of the series a query asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// The values at the 60 marks.
    Marks,
    /// The marks at which the value is one.
    MarksOfOne,
    /// The raw samples of the hour and of the hour before.
    Raw,
    /// The smallest value in the hour: a hint, left out where it is no amount.
    Least,
    /// How many samples the hour has for each combination of these labels; of each series where none is named.
    CountBy(Vec<String>),
}

/// A PromQL selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector {
    metric: String,
    matchers: Vec<(String, &'static str, String)>,
}

impl Selector {
    fn new(metric: &str, pins: &[(String, String)]) -> Self {
        let matchers = pins.iter().map(|(label, value)| (label.clone(), "=", value.clone())).collect();
        Self { metric: metric.to_owned(), matchers }
    }

    fn with(mut self, label: &str, operator: &'static str, value: &str) -> Self {
        self.matchers.push((label.to_owned(), operator, value.to_owned()));
        self
    }

    /// Restricts it to any of these values of a label.
    pub(super) fn among(self, label: &str, values: &[String]) -> Self {
        let alternatives: Vec<String> = values.iter().map(|value| quote_regex(value)).collect();
        self.with(label, "=~", &alternatives.join("|"))
    }

    /// The metric.
    pub(super) fn metric(&self) -> &str {
        &self.metric
    }

    pub(super) fn render(&self) -> String {
        let mut text = format!("{}{{", self.metric);
        for (i, (label, operator, value)) in self.matchers.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            // Writing to a String cannot fail.
            write!(text, "{comma}{label}{operator}\"{}\"", escape(value)).unwrap_or_default();
        }
        text.push('}');
        text
    }
}

impl Shape {
    pub(super) fn render(&self, selector: &Selector, dialect: Dialect) -> String {
        let selector = selector.render();
        match self {
            Self::Marks => dialect.at_marks(&selector),
            Self::MarksOfOne => format!("{} == 1", dialect.at_marks(&selector)),
            Self::Raw => format!("{selector}[2h]"),
            Self::Least => format!("min_over_time({selector}[1h])"),
            Self::CountBy(labels) if labels.is_empty() => format!("count_over_time({selector}[1h])"),
            Self::CountBy(labels) => {
                format!("max by ({}) (count_over_time({selector}[1h]))", labels.join(", "))
            }
        }
    }
}

/// Inside a double-quoted PromQL string.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// So that a value matches only itself in a regular expression.
fn quote_regex(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for c in value.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

/// Whether a name can stand in a query as it is.
pub(super) fn is_name(text: &str, colons: bool) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    text.chars().next().is_some_and(|c| !c.is_ascii_digit()) && text.chars().all(legal)
}

/// Builds the queries from what metrics and labels are called here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queries<'a> {
    pub(super) names: &'a Names,
    /// The external label that tells clusters apart, where one store holds many.
    pub(super) cluster: Option<&'a (String, String)>,
}

impl Queries<'_> {
    fn on(&self, source: Source, metric: &str) -> Selector {
        let pins = match source {
            Source::Cadvisor => &self.names.cadvisor_pins,
            Source::KubeStateMetrics => &self.names.state_pins,
        };
        let selector = Selector::new(metric, pins);
        match self.cluster {
            Some((label, value)) => selector.with(label, "=", value),
            None => selector,
        }
    }

    fn cadvisor(&self, feeds: &'static str, selector: Selector, shape: Shape) -> Query {
        let split = Split::Namespace(self.names.cadvisor.namespace.clone());
        Query { feeds, source: Source::Cadvisor, selector, shape, split }
    }

    fn state(&self, feeds: &'static str, selector: Selector, shape: Shape) -> Query {
        let split = Split::Namespace(self.names.state.namespace.clone());
        Query { feeds, source: Source::KubeStateMetrics, selector, shape, split }
    }

    fn named(feeds: &'static str, by: &str, selector: Selector, shape: Shape) -> Query {
        let split = Split::Name(by.to_owned());
        Query { feeds, source: Source::KubeStateMetrics, selector, shape, split }
    }

    fn of_nodes(&self, feeds: &'static str, selector: Selector, shape: Shape) -> Query {
        let by = self.names.state.node.first().map_or("node", String::as_str);
        Self::named(feeds, by, selector, shape)
    }

    fn of_volumes(&self, feeds: &'static str, metric: &str, shape: Shape) -> Query {
        Self::named(feeds, "persistentvolume", self.on(Source::KubeStateMetrics, metric), shape)
    }

    fn containers(&self, metric: &str) -> Selector {
        let container = &self.names.cadvisor.container;
        self.on(Source::Cadvisor, metric).with(container, "!=", "").with(container, "!=", "POD").with(
            &self.names.cadvisor.pod,
            "!=",
            "",
        )
    }

    /// `cpu_usage`. Per-core series, where a cAdvisor has them, stand beside their total.
    pub(super) fn cpu_usage(&self) -> Query {
        let metric = &self.names.metrics.container_cpu_usage_seconds_total;
        self.cadvisor("cpu_usage", self.containers(metric).with("cpu", "=~", "|total"), Shape::Raw)
    }

    /// `memory_usage`.
    pub(super) fn memory_usage(&self) -> Query {
        let metric = &self.names.metrics.container_memory_working_set_bytes;
        self.cadvisor("memory_usage", self.containers(metric), Shape::Marks)
    }

    /// When the things behind counters started: of pods' cgroups too, which network counters belong to.
    pub(super) fn starts(&self) -> Query {
        let metric = &self.names.metrics.container_start_time_seconds;
        let selector = self.on(Source::Cadvisor, metric).with(&self.names.cadvisor.pod, "!=", "");
        self.cadvisor("start times", selector, Shape::Least)
    }

    /// `network_egress`.
    pub(super) fn network(&self) -> Query {
        if let Some(traffic) = &self.names.traffic {
            let selector = Selector::new(&traffic.metric, &[]);
            let selector = match self.cluster {
                Some((label, value)) => selector.with(label, "=", value),
                None => selector,
            };
            return Query {
                feeds: "network_egress",
                source: Source::Cadvisor,
                selector: selector.with(&traffic.labels.pod, "!=", ""),
                shape: Shape::Raw,
                split: Split::Namespace(traffic.labels.namespace.clone()),
            };
        }
        let metric = &self.names.metrics.container_network_transmit_bytes_total;
        let selector = self.on(Source::Cadvisor, metric).with(&self.names.cadvisor.pod, "!=", "").with(
            "interface",
            "!~",
            &self.names.ignored_interfaces,
        );
        self.cadvisor("network_egress", selector, Shape::Raw)
    }

    /// In which phase pods were.
    pub(super) fn phases(&self) -> Query {
        let selector = self.on(Source::KubeStateMetrics, &self.names.metrics.kube_pod_status_phase);
        self.state("pod phases", selector, Shape::MarksOfOne)
    }

    /// `cpu_request`, `memory_request` and `gpu_request`: one resource at a time.
    pub(super) fn requests(&self, feeds: &'static str, resource: &str) -> Query {
        let metric = &self.names.metrics.kube_pod_container_resource_requests;
        let selector = self.on(Source::KubeStateMetrics, metric).with("resource", "=", resource);
        self.state(feeds, selector, Shape::Marks)
    }

    /// What init containers and sidecars request.
    pub(super) fn init_requests(&self) -> Query {
        let metric = &self.names.metrics.kube_pod_init_container_resource_requests;
        self.state("init requests", self.on(Source::KubeStateMetrics, metric), Shape::Marks)
    }

    /// Which containers are init containers, and which of them are sidecars.
    pub(super) fn init_containers(&self) -> Query {
        let metric = &self.names.metrics.kube_pod_init_container_info;
        let state = &self.names.state;
        let labels = [&state.namespace, &state.pod, &state.uid, &state.container];
        let mut by: Vec<String> = labels.into_iter().cloned().collect();
        by.push("restart_policy".to_owned());
        self.state("init containers", self.on(Source::KubeStateMetrics, metric), Shape::CountBy(by))
    }

    /// Which node pods ran on, and which of them shared its network.
    pub(super) fn pods(&self) -> Query {
        let state = &self.names.state;
        let mut by = vec![state.namespace.clone(), state.pod.clone(), state.uid.clone()];
        by.extend(state.node.iter().cloned());
        by.push("host_network".to_owned());
        let selector = self.on(Source::KubeStateMetrics, &self.names.metrics.kube_pod_info);
        self.state("pods", selector, Shape::CountBy(by))
    }

    fn vcluster_labels(&self) -> [String; 4] {
        let v = &self.names.vcluster;
        [&v.managed_by, &v.namespace, &v.app, &v.release].map(|key| metric_label(key))
    }

    /// The vCluster syncer's labels of pods.
    pub(super) fn pod_labels(&self) -> Query {
        let state = &self.names.state;
        let mut by = vec![state.namespace.clone(), state.pod.clone(), state.uid.clone()];
        by.extend(self.vcluster_labels());
        let selector = self.on(Source::KubeStateMetrics, &self.names.metrics.kube_pod_labels);
        self.state("pod labels", selector, Shape::CountBy(by))
    }

    /// The vCluster syncer's labels of claims.
    pub(super) fn claim_labels(&self) -> Query {
        let metric = &self.names.metrics.kube_persistentvolumeclaim_labels;
        self.object_labels("claim labels", metric, "persistentvolumeclaim")
    }

    /// The vCluster syncer's labels of Services.
    pub(super) fn service_labels(&self) -> Query {
        self.object_labels("service labels", &self.names.metrics.kube_service_labels, "service")
    }

    fn object_labels(&self, feeds: &'static str, metric: &str, object: &str) -> Query {
        let mut by = vec![self.names.state.namespace.clone(), object.to_owned()];
        by.extend(self.vcluster_labels());
        self.state(feeds, self.on(Source::KubeStateMetrics, metric), Shape::CountBy(by))
    }

    /// node: which existed.
    pub(super) fn nodes(&self) -> Query {
        let selector = self.on(Source::KubeStateMetrics, &self.names.metrics.kube_node_info);
        self.of_nodes("node", selector, Shape::Marks)
    }

    /// node: their capacity.
    pub(super) fn node_capacity(&self) -> Query {
        let mut resources = vec!["cpu".to_owned(), "memory".to_owned()];
        resources.extend(self.names.gpu_resources.iter().map(|gpu| gpu.metric.clone()));
        let selector = self
            .on(Source::KubeStateMetrics, &self.names.metrics.kube_node_status_capacity)
            .among("resource", &resources);
        self.of_nodes("node capacity", selector, Shape::Marks)
    }

    /// Labels of nodes that the ownership timeline does not know.
    pub(super) fn node_labels(&self) -> Query {
        let names = self.names;
        let mut by = names.state.node.clone();
        let nodes = &names.nodes;
        for keys in [&nodes.pool, &nodes.instance_type, &nodes.capacity_type, &nodes.dedicated_labels] {
            by.extend(keys.iter().map(|key| metric_label(key)));
        }
        by.sort();
        by.dedup();
        let selector = self.on(Source::KubeStateMetrics, &names.metrics.kube_node_labels);
        self.of_nodes("node labels", selector, Shape::CountBy(by))
    }

    /// storage: how large volumes were.
    pub(super) fn volume_capacity(&self) -> Query {
        self.of_volumes("storage", &self.names.metrics.kube_persistentvolume_capacity_bytes, Shape::Marks)
    }

    /// storage: when volumes were bound.
    pub(super) fn volume_bound(&self) -> Query {
        let metric = &self.names.metrics.kube_persistentvolume_status_phase;
        let selector = self.on(Source::KubeStateMetrics, metric).with("phase", "=", "Bound");
        Self::named("bound volumes", "persistentvolume", selector, Shape::MarksOfOne)
    }

    /// storage: whose claims volumes were bound to.
    pub(super) fn volume_claims(&self) -> Query {
        let metric = &self.names.metrics.kube_persistentvolume_claim_ref;
        let by = ["persistentvolume", "claim_namespace", "name"].map(str::to_owned).into();
        self.of_volumes("claims of volumes", metric, Shape::CountBy(by))
    }

    /// storage: the class of volumes.
    pub(super) fn volume_classes(&self) -> Query {
        let metric = &self.names.metrics.kube_persistentvolume_info;
        let by = ["persistentvolume", "storageclass"].map(str::to_owned).into();
        self.of_volumes("classes of volumes", metric, Shape::CountBy(by))
    }

    /// storage: the claims' own view of volume and class, where the volumes do not say.
    pub(super) fn claims(&self) -> Query {
        let metric = &self.names.metrics.kube_persistentvolumeclaim_info;
        let selector = self.on(Source::KubeStateMetrics, metric).with("volumename", "!=", "");
        self.state("claims", selector, Shape::Marks)
    }

    /// quota.
    pub(super) fn quotas(&self) -> Query {
        let resources = ["cpu", "requests.cpu", "memory", "requests.memory"].map(str::to_owned);
        let selector = self
            .on(Source::KubeStateMetrics, &self.names.metrics.kube_resourcequota)
            .with("type", "=", "hard")
            .among("resource", &resources);
        self.state("quota", selector, Shape::Marks)
    }

    /// `load_balancer`.
    pub(super) fn load_balancers(&self) -> Query {
        let selector = self.on(Source::KubeStateMetrics, &self.names.metrics.kube_service_spec_type).with(
            "type",
            "=",
            "LoadBalancer",
        );
        self.state("load_balancer", selector, Shape::MarksOfOne)
    }

    /// Whether there are any Services: every cluster has one, `kubernetes`.
    pub(super) fn services(&self) -> Query {
        let selector = self.on(Source::KubeStateMetrics, &self.names.metrics.kube_service_spec_type);
        self.state("load_balancer", selector, Shape::CountBy(Vec::new()))
    }

    /// Ownership before the first observation: labels of namespaces.
    pub(super) fn namespace_labels(&self) -> Query {
        let mut by = vec![self.names.state.namespace.clone()];
        by.extend(self.names.namespace_labels.iter().map(|key| metric_label(key)));
        let selector = self.on(Source::KubeStateMetrics, &self.names.metrics.kube_namespace_labels);
        // Labels that begin with any namespace's name cannot be named beforehand.
        if !self.names.namespace_label_suffixes.is_empty() {
            by.clear();
        }
        self.state("namespace ownership", selector, Shape::CountBy(by))
    }

    /// Ownership before the first observation: annotations of namespaces.
    pub(super) fn namespace_annotations(&self) -> Query {
        let mut by = vec![self.names.state.namespace.clone()];
        by.extend(self.names.namespace_annotations.iter().map(|key| metric_annotation(key)));
        let selector = self.on(Source::KubeStateMetrics, &self.names.metrics.kube_namespace_annotations);
        self.state("namespace annotations", selector, Shape::CountBy(by))
    }

    /// Ownership before the first observation: Tenants, from kube-state-metrics' custom-resource state.
    pub(super) fn tenants(&self) -> Query {
        let labels = &self.names.tenants;
        let by = [&labels.name, &labels.team, &labels.cost_center, &labels.owner_email].map(String::clone);
        let selector = self.on(Source::KubeStateMetrics, &self.names.metrics.kube_tenant_info);
        Self::named("tenants", &labels.name, selector, Shape::CountBy(by.into()))
    }

    /// When the `kube-system` namespace was made, as each series of the last hour says.
    pub(super) fn oldest_namespace(&self) -> String {
        let selector = self.on(Source::KubeStateMetrics, &self.names.metrics.kube_namespace_created);
        let selector = selector.with(&self.names.state.namespace, "=", "kube-system");
        format!("last_over_time({}[1h])", selector.render())
    }

    /// Every series of a metric.
    pub(super) fn all(&self, source: Source, metric: &str) -> String {
        self.on(source, metric).render()
    }

    /// How many series of a metric had any sample in the last hour, with this label if one is named.
    pub(super) fn any(&self, source: Source, metric: &str, label: Option<&str>) -> String {
        let selector = self.on(source, metric);
        let selector = match label {
            Some(label) => selector.with(label, "!=", ""),
            None => selector,
        };
        format!("count(count_over_time({}[1h]))", selector.render())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_quotes() {
        let hostile = "x\"} or vector(1e9) or up{a=\"b\\\n";
        let text = Selector::new("up", &[]).with("job", "=", hostile).render();
        assert_eq!(text, "up{job=\"x\\\"} or vector(1e9) or up{a=\\\"b\\\\\\n\"}");
        let text = Selector::new("up", &[]).among("ns", &["a.b".to_owned(), "c|d".to_owned()]).render();
        assert_eq!(text, "up{ns=~\"a\\\\.b|c\\\\|d\"}");
    }

    #[test]
    fn pins_and_cluster_are_on_every_query() {
        let names = Names::kube_prometheus_stack();
        let cluster = ("cluster".to_owned(), "prod-1".to_owned());
        let queries = Queries { names: &names, cluster: Some(&cluster) };
        let query = queries.cpu_usage();
        assert_eq!(
            query.shape.render(&query.selector, Dialect::Prometheus),
            "container_cpu_usage_seconds_total{job=\"kubelet\",metrics_path=\"/metrics/cadvisor\",\
             cluster=\"prod-1\",container!=\"\",container!=\"POD\",pod!=\"\",cpu=~\"|total\"}[2h]"
        );
        let query = queries.quotas();
        assert!(query.selector.render().starts_with(
            "kube_resourcequota{job=\"kube-state-metrics\",cluster=\"prod-1\",type=\"hard\",resource=~"
        ));
    }

    #[test]
    fn names_that_would_change_a_query_are_told() {
        for (text, colons, ok) in [
            ("kube_pod_info", true, true),
            ("job:x:sum", true, true),
            ("job:x", false, false),
            ("", true, false),
            ("9a", true, false),
            ("a{b", true, false),
            ("a b", true, false),
        ] {
            assert_eq!(is_name(text, colons), ok, "{text}");
        }
    }
}
