//! Which claims make a namespace a tenant's.

use serde::{Deserialize, Serialize};

use crate::book::Pattern;
use crate::names::{ClusterName, CostCenter, TenantName};

/// How names tie tenants to namespaces and pools. The order here is the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TenancyRules {
    /// The host namespace of a `Tenant`, by name: `vcluster-{tenant}`.
    pub namespace_pattern: Option<NamePattern>,
    /// Namespace labels whose value names the tenant (`true` counts as the pattern's answer).
    pub namespace_labels: Vec<String>,
    /// Claims written in the configuration.
    pub static_claims: Vec<StaticClaim>,
}

/// A name with one `{tenant}` in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamePattern {
    /// What stands before the tenant.
    pub prefix: String,
    /// What stands after it.
    pub suffix: String,
}

/// Namespaces that the configuration gives to a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticClaim {
    /// The tenant.
    pub tenant: TenantName,
    /// Its cost centre, for tenants that no `Tenant` resource describes.
    pub cost_center: Option<CostCenter>,
    /// Clusters it holds in.
    pub cluster: Pattern,
    /// Its namespaces.
    pub namespaces: Vec<Pattern>,
}

impl StaticClaim {
    /// Whether it speaks of a cluster at all.
    pub fn is_for(&self, cluster: &ClusterName) -> bool {
        let _ = cluster;
        false
    }
}
