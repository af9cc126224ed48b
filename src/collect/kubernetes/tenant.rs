//! The `Tenant` resource as this project ships it, for clusters that have none of their own yet.
//!
//! Where a platform operator owns the definition, ours is not installed: tenants are read field by field
//! (see [`super::facts`]), so this type serves the definition and its defaults only.

use std::collections::BTreeMap;

use kube::{CustomResource, CustomResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A team on the platform: who it is, who pays for it, what it asked for.
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "platform.financecore.local",
    version = "v1alpha1",
    kind = "Tenant",
    plural = "tenants",
    singular = "tenant",
    doc = "A team on the platform: who it is, who pays for it, what it asked for.",
    printcolumn = r#"{"name": "Team", "type": "string", "jsonPath": ".spec.teamName"}"#,
    printcolumn = r#"{"name": "Cost centre", "type": "string", "jsonPath": ".spec.costCenter"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct TenantSpec {
    /// The team's name: names its namespaces and node pools, and its lines on a statement.
    #[schemars(regex(pattern = "^[a-z0-9-]+$"))]
    pub team_name: String,
    /// Who answers for the team.
    #[schemars(email)]
    pub owner_email: String,
    /// The finance code the team's charges are booked on.
    pub cost_center: String,
    /// The directory group of the team's members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ad_group: Option<String>,
    /// How much the team may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_quota: Option<ResourceQuota>,
    /// Nodes of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_pool: Option<NodePool>,
    /// Platform services, on or off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Services>,
}

/// How much a team may ask for, as Kubernetes quantities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceQuota {
    /// CPU: `40`, `1500m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Memory: `80Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Storage: `1Ti`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
}

/// Nodes of a team's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodePool {
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 1, max = 10))]
    pub size: Option<u32>,
    /// Of which kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<NodeKind>,
}

/// The kinds of nodes a team can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// As many GiB as is usual for a core.
    Standard,
    /// More cores.
    ComputeOptimized,
    /// More memory.
    MemoryOptimized,
}

/// Platform services, on or off. A platform may add its own: the definition keeps names it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, by its own name")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct Services {
    /// Argo CD of the team's own.
    #[serde(default = "on")]
    pub argocd: bool,
    /// Prometheus and Grafana of the team's own.
    #[serde(default = "on")]
    pub monitoring: bool,
    /// Secrets from Vault.
    #[serde(default)]
    pub vault: bool,
    /// The service mesh.
    #[serde(default)]
    pub istio: bool,
    /// Any other service.
    #[serde(flatten)]
    #[schemars(skip)]
    pub other: BTreeMap<String, bool>,
}

const fn on() -> bool {
    true
}

/// The custom resource definition of [`Tenant`], as `deploy/crd/` ships it.
pub fn crd_yaml() -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(&Tenant::crd())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Run with `UPDATE=1` to write the file anew.
    #[test]
    fn the_definition_in_deploy_is_the_one_of_the_type() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/crd/tenants.platform.financecore.local.yaml");
        let now = crd_yaml().unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test, asked to write what it compares")]
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let then = std::fs::read_to_string(path).unwrap();
        assert_eq!(then, now, "run again with UPDATE=1 to write {path} anew");
    }
}
