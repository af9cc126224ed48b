//! What a node's labels and taints say: pool, instance type, capacity type, tenant.
//!
//! Read from the API and from the metrics store alike, so it asks for labels through a function and
//! knows neither.

use defray_pricing::names::{CapacityType, InstanceType, Pool};
use defray_pricing::ownership::NodeFact;

/// Which labels and taints say what about a node. Of several keys the first that a node carries counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLabels {
    /// Labels that name the pool.
    pub pool: Vec<String>,
    /// Labels that name the instance type.
    pub instance_type: Vec<String>,
    /// Labels that say how the node is bought.
    pub capacity_type: Vec<String>,
    /// Labels whose value is the tenant the node is dedicated to.
    pub dedicated_labels: Vec<String>,
    /// Taints whose value is the tenant the node is dedicated to; a label is believed first.
    pub dedicated_taints: Vec<String>,
}

impl Default for NodeLabels {
    fn default() -> Self {
        let keys = |keys: &[&str]| keys.iter().map(ToString::to_string).collect();
        Self {
            pool: keys(&[
                "nodepool",
                "eks.amazonaws.com/nodegroup",
                "alpha.eksctl.io/nodegroup-name",
                "cloud.google.com/gke-nodepool",
                "kubernetes.azure.com/agentpool",
                "agentpool",
                "karpenter.sh/nodepool",
                "karpenter.sh/provisioner-name",
            ]),
            instance_type: keys(&["node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"]),
            capacity_type: keys(&[
                "karpenter.sh/capacity-type",
                "eks.amazonaws.com/capacityType",
                "cloud.google.com/gke-spot",
                "cloud.google.com/gke-preemptible",
                "kubernetes.azure.com/scalesetpriority",
            ]),
            dedicated_labels: keys(&["tenant"]),
            dedicated_taints: keys(&["tenant"]),
        }
    }
}

impl NodeLabels {
    /// What a node is, given its labels and the taints that keep others' pods away.
    pub fn read<'a>(
        &self,
        name: &str,
        label: impl Fn(&str) -> Option<&'a str>,
        taint: impl Fn(&str) -> Option<&'a str>,
    ) -> NodeFact {
        let dedicated_to = first(&self.dedicated_labels, &label)
            .or_else(|| first(&self.dedicated_taints, &taint))
            .map(ToString::to_string);
        NodeFact {
            name: name.to_string(),
            pool: Pool::from(first(&self.pool, &label).unwrap_or(Pool::NONE)),
            instance_type: InstanceType::from(first(&self.instance_type, &label).unwrap_or_default()),
            capacity_type: self
                .capacity_type
                .iter()
                .find_map(|key| label(key).and_then(capacity_type))
                .unwrap_or_else(|| CapacityType::from("")),
            dedicated_to,
        }
    }
}

/// The value of the first key that has one; an empty value says nothing.
fn first<'a>(keys: &[String], value: &impl Fn(&str) -> Option<&'a str>) -> Option<&'a str> {
    keys.iter().find_map(|key| value(key).filter(|found| !found.is_empty()))
}

/// The providers' words for how a node is bought, in ours. Labels that answer yes or no mark spot nodes;
/// a no leaves the question open.
fn capacity_type(value: &str) -> Option<CapacityType> {
    let value = value.to_ascii_lowercase().replace('_', "-");
    match value.as_str() {
        "" | "false" => None,
        "true" | "spot" | "preemptible" => Some(CapacityType::from("spot")),
        "on-demand" | "ondemand" | "regular" | "standard" => Some(CapacityType::from("on-demand")),
        other => Some(CapacityType::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(labels: &[(&str, &'static str)], taints: &[(&str, &'static str)]) -> NodeFact {
        let find = |all: &[(&str, &'static str)], key: &str| {
            all.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
        };
        NodeLabels::default().read("n1", |key| find(labels, key), |key| find(taints, key))
    }

    #[test]
    fn a_node_without_labels_is_in_no_pool_and_says_nothing() {
        let fact = read(&[], &[]);
        assert_eq!(fact.pool.as_str(), "(none)");
        assert_eq!(fact.instance_type.as_str(), "");
        assert_eq!(fact.capacity_type.as_str(), "");
        assert_eq!(fact.dedicated_to, None);
    }

    #[test]
    fn every_provider_names_its_pool_and_the_first_key_in_order_wins() {
        for key in [
            "nodepool",
            "eks.amazonaws.com/nodegroup",
            "cloud.google.com/gke-nodepool",
            "kubernetes.azure.com/agentpool",
            "agentpool",
            "karpenter.sh/nodepool",
        ] {
            assert_eq!(read(&[(key, "p1")], &[]).pool.as_str(), "p1", "{key}");
        }
        assert_eq!(read(&[("karpenter.sh/nodepool", "k"), ("nodepool", "n")], &[]).pool.as_str(), "n");
        assert_eq!(read(&[("karpenter.sh/nodepool", "k"), ("nodepool", "")], &[]).pool.as_str(), "k");
    }

    #[test]
    fn the_stable_instance_type_label_goes_before_the_beta_one() {
        let stable = "node.kubernetes.io/instance-type";
        let beta = "beta.kubernetes.io/instance-type";
        assert_eq!(read(&[(beta, "m4"), (stable, "m5")], &[]).instance_type.as_str(), "m5");
        assert_eq!(read(&[(beta, "m4")], &[]).instance_type.as_str(), "m4");
    }

    #[test]
    fn capacity_types_of_every_provider_have_one_spelling() {
        for (key, value, expected) in [
            ("karpenter.sh/capacity-type", "spot", "spot"),
            ("karpenter.sh/capacity-type", "on-demand", "on-demand"),
            ("karpenter.sh/capacity-type", "reserved", "reserved"),
            ("eks.amazonaws.com/capacityType", "ON_DEMAND", "on-demand"),
            ("eks.amazonaws.com/capacityType", "SPOT", "spot"),
            ("eks.amazonaws.com/capacityType", "CAPACITY_BLOCK", "capacity-block"),
            ("cloud.google.com/gke-spot", "true", "spot"),
            ("cloud.google.com/gke-spot", "false", ""),
            ("kubernetes.azure.com/scalesetpriority", "spot", "spot"),
            ("kubernetes.azure.com/scalesetpriority", "regular", "on-demand"),
        ] {
            assert_eq!(read(&[(key, value)], &[]).capacity_type.as_str(), expected, "{key}={value}");
        }
    }

    #[test]
    fn a_node_is_dedicated_by_label_before_taint_and_never_by_an_empty_value() {
        assert_eq!(read(&[("tenant", "a")], &[("tenant", "b")]).dedicated_to.as_deref(), Some("a"));
        assert_eq!(read(&[], &[("tenant", "b")]).dedicated_to.as_deref(), Some("b"));
        assert_eq!(read(&[("tenant", "")], &[]).dedicated_to, None);
        assert_eq!(read(&[], &[("dedicated", "gpu")]).dedicated_to, None);
    }
}
