//! Which claims make a namespace a tenant's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::NamespaceFact;
use crate::book::Pattern;
use crate::names::{ClusterName, CostCenter, TenantName};

mod cost_center;
mod naming;

pub use cost_center::CostCenterSource;
pub use naming::{Ancestor, NamedBy, NamespaceRule};

/// How names tie tenants to namespaces and pools, in the order in which they are asked. Two that name two tenants for
/// one namespace contradict each other, whatever their order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TenancyRules {
    /// The host namespace of a `Tenant`, by name: `vcluster-{tenant}`.
    pub namespace_pattern: Option<NamePattern>,
    /// Namespace labels whose value names the tenant (`true` counts as the pattern's answer).
    pub namespace_labels: Vec<String>,
    /// Rules by which namespaces name tenants that need no resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespace_rules: Vec<NamespaceRule>,
    /// Claims written in the configuration.
    pub static_claims: Vec<StaticClaim>,
    /// The cost centres of tenants that no resource describes.
    #[serde(default, skip_serializing_if = "CostCenterSource::is_silent")]
    pub cost_centers: CostCenterSource,
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
    pub(super) force: Force,
    /// Says nothing where anything before it counts.
    pub(super) fallback: bool,
}

/// What a claim needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Force {
    /// A convention of tenants that are known otherwise: of others it says nothing.
    Convention,
    /// A tenant that is known otherwise; what it says of others is nobody's.
    Known,
    /// Nothing: who is named exists.
    Named,
}

impl Claim {
    fn new(tenant: impl Into<TenantName>, rule: String, force: Force) -> Self {
        Self { tenant: tenant.into(), rule, force, fallback: false }
    }
}

impl TenancyRules {
    /// Every claim on a namespace, in the order of the rules.
    pub(super) fn claims(&self, cluster: &ClusterName, fact: &NamespaceFact) -> Vec<Claim> {
        let by_name = self.namespace_pattern.as_ref().and_then(|pattern| {
            let tenant = pattern.tenant_in(fact.name.as_str())?;
            Some(Claim::new(tenant, format!("name `{pattern}`"), Force::Convention))
        });
        let by_label = self.namespace_labels.iter().filter_map(|key| match fact.labels.get(key)?.as_str() {
            "" | "true" | "false" => None,
            tenant => Some(Claim::new(tenant, format!("label `{key}`"), Force::Known)),
        });
        let by_rule = self.namespace_rules.iter().flat_map(|rule| {
            rule.tenants(cluster, fact).into_iter().map(|tenant| Claim {
                fallback: rule.fallback,
                ..Claim::new(tenant, rule.by.to_string(), Force::Named)
            })
        });
        let by_configuration = self.static_claims.iter().filter(|claim| claim.is_for(cluster)).filter_map(
            |StaticClaim { tenant, namespaces, .. }| {
                let pattern = namespaces.iter().find(|pattern| pattern.matches(fact.name.as_str()))?;
                let rule = format!("static claim `{}`", pattern.as_str());
                Some(Claim::new(tenant.clone(), rule, Force::Known))
            },
        );
        by_name.into_iter().chain(by_label).chain(by_rule).chain(by_configuration).collect()
    }

    /// The labels of namespaces that are asked for, by their keys.
    pub fn label_keys(&self) -> BTreeSet<&str> {
        let by_rule = self.namespace_rules.iter().filter_map(|rule| match &rule.by {
            NamedBy::Label(key) => Some(key),
            _ => None,
        });
        let keys = self.namespace_labels.iter().chain(by_rule).chain(&self.cost_centers.labels);
        keys.map(String::as_str).collect()
    }

    /// How further labels of namespaces end that are asked for.
    pub fn label_suffixes(&self) -> BTreeSet<&str> {
        let by_rule = self.namespace_rules.iter().filter_map(|rule| match &rule.by {
            NamedBy::Ancestor { suffix, .. } => Some(suffix.as_str()),
            _ => None,
        });
        by_rule.collect()
    }

    /// The annotations of namespaces that are asked for.
    pub fn annotation_keys(&self) -> BTreeSet<&str> {
        let by_rule = self.namespace_rules.iter().filter_map(|rule| match &rule.by {
            NamedBy::Annotation(key) => Some(key),
            _ => None,
        });
        by_rule.chain(&self.cost_centers.annotations).map(String::as_str).collect()
    }
}
