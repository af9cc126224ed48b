//! Which claims make a namespace a tenant's.

use serde::{Deserialize, Serialize};

use super::NamespaceFact;
use crate::book::Pattern;
use crate::names::{ClusterName, CostCenter, TenantName};

/// How names tie tenants to namespaces and pools. The order here is the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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

impl NamePattern {
    /// The tenant in a name, if the name has this form.
    pub fn tenant_in<'n>(&self, name: &'n str) -> Option<&'n str> {
        let tenant = name.strip_prefix(self.prefix.as_str())?.strip_suffix(self.suffix.as_str())?;
        (!tenant.is_empty()).then_some(tenant)
    }
}

impl std::fmt::Display for NamePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{{tenant}}{}", self.prefix, self.suffix)
    }
}

/// Namespaces that the configuration gives to a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        self.cluster.matches(cluster.as_str())
    }
}

/// What one rule says of one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) tenant: TenantName,
    pub(super) rule: String,
    /// The rule is a convention of `Tenant` resources: without such a tenant it says nothing.
    pub(super) only_if_exists: bool,
}

impl TenancyRules {
    /// Every claim on a namespace, in the order of the rules.
    pub(super) fn claims(&self, cluster: &ClusterName, fact: &NamespaceFact) -> Vec<Claim> {
        let by_name = self.namespace_pattern.as_ref().and_then(|pattern| {
            let tenant = TenantName::from(pattern.tenant_in(fact.name.as_str())?);
            Some(Claim { tenant, rule: format!("name `{pattern}`"), only_if_exists: true })
        });
        let by_label = self.namespace_labels.iter().filter_map(|key| match fact.labels.get(key)?.as_str() {
            "" | "true" | "false" => None,
            tenant => Some(Claim {
                tenant: TenantName::from(tenant),
                rule: format!("label `{key}`"),
                only_if_exists: false,
            }),
        });
        let by_configuration = self.static_claims.iter().filter(|claim| claim.is_for(cluster)).filter_map(
            |StaticClaim { tenant, namespaces, .. }| {
                let pattern = namespaces.iter().find(|pattern| pattern.matches(fact.name.as_str()))?;
                let rule = format!("static claim `{}`", pattern.as_str());
                Some(Claim { tenant: tenant.clone(), rule, only_if_exists: false })
            },
        );
        by_name.into_iter().chain(by_label).chain(by_configuration).collect()
    }
}
