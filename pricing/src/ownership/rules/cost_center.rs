//! Where the cost centre of a tenant comes from that no resource describes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{CostCenter, TenantName};
use crate::ownership::NamespaceFact;

/// Where the cost centre of a tenant comes from that no resource describes: its namespaces, else what is written
/// here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CostCenterSource {
    /// Labels of its namespaces; the first that a namespace has counts.
    pub labels: Vec<String>,
    /// Annotations of its namespaces, after the labels.
    pub annotations: Vec<String>,
    /// By tenant.
    pub by_tenant: BTreeMap<TenantName, CostCenter>,
    /// Of all others.
    pub default: Option<CostCenter>,
}

impl CostCenterSource {
    /// Whether it says nothing of anybody.
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }

    /// What a namespace says.
    pub(in crate::ownership) fn of(&self, fact: &NamespaceFact) -> Option<CostCenter> {
        let labels = self.labels.iter().map(|key| fact.labels.get(key));
        let annotations = self.annotations.iter().map(|key| fact.annotations.get(key));
        let value = labels.chain(annotations).flatten().find(|value| !value.is_empty())?;
        Some(CostCenter::from(value.as_str()))
    }
}
