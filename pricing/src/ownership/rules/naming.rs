//! How a namespace itself says whose it is: by a label, an annotation, its name, or its place in a tree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::NamePattern;
use crate::book::Pattern;
use crate::names::{ClusterName, TenantName};
use crate::ownership::NamespaceFact;

/// A rule by which namespaces name their tenant. Who is named so exists, whether a resource describes it or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceRule {
    /// Where the tenant stands.
    pub by: NamedBy,
    /// Clusters it holds in.
    pub cluster: Pattern,
    /// The tenant is what stands after the last of these, where there is one: `p-2` of `c-1:p-2`.
    pub after: Option<String>,
    /// Tenants by what is found, where that is no name to put on a statement.
    pub names: BTreeMap<String, TenantName>,
    /// Speaks only for namespaces that nothing before it claims.
    pub fallback: bool,
}

/// Where a namespace says whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NamedBy {
    /// The value of a label.
    Label(String),
    /// The value of an annotation.
    Annotation(String),
    /// Its name.
    Name(NamePattern),
    /// A namespace above it, known by labels such as `<ancestor>.tree.hnc.x-k8s.io/depth` that say how far.
    Ancestor {
        /// What follows the ancestor's name in the label.
        suffix: String,
        /// Which of them.
        which: Ancestor,
    },
}

/// Which namespace above another, which counts as above itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ancestor {
    /// So many steps down from the root of the tree; 0 is the root.
    Level(u32),
    /// So many steps up from the namespace; 0 is the namespace itself.
    Depth(u32),
}

impl NamespaceRule {
    /// A rule for every cluster that takes what it finds.
    pub fn by(by: NamedBy) -> Self {
        Self { by, cluster: Pattern::any(), after: None, names: BTreeMap::new(), fallback: false }
    }

    /// The tenants that a namespace names; more than one only where its tree contradicts itself.
    pub(super) fn tenants(&self, cluster: &ClusterName, fact: &NamespaceFact) -> Vec<TenantName> {
        if !self.cluster.matches(cluster.as_str()) {
            return Vec::new();
        }
        self.by.find(fact).into_iter().filter_map(|found| self.tenant(found)).collect()
    }

    fn tenant(&self, found: &str) -> Option<TenantName> {
        let part =
            self.after.as_deref().and_then(|after| found.rsplit_once(after)).map_or(found, |(_, part)| part);
        if let Some(name) = self.names.get(found).or_else(|| self.names.get(part)) {
            return Some(name.clone());
        }
        // What begins otherwise is no name but a part of something else, or a formula.
        part.starts_with(|first: char| first.is_alphanumeric() || first == '_')
            .then(|| TenantName::from(part))
    }
}

impl NamedBy {
    fn find<'f>(&self, fact: &'f NamespaceFact) -> Vec<&'f str> {
        let value = |found: Option<&'f String>| {
            // A switch names nobody.
            found
                .map(String::as_str)
                .filter(|value| !["", "true", "false"].contains(value))
                .into_iter()
                .collect()
        };
        match self {
            Self::Label(key) => value(fact.labels.get(key)),
            Self::Annotation(key) => value(fact.annotations.get(key)),
            Self::Name(pattern) => pattern.tenant_in(fact.name.as_str()).into_iter().collect(),
            Self::Ancestor { suffix, which } => ancestors(fact, suffix, *which),
        }
    }
}

fn ancestors<'f>(fact: &'f NamespaceFact, suffix: &str, which: Ancestor) -> Vec<&'f str> {
    let above = || {
        fact.labels.iter().filter_map(|(key, depth)| {
            let name = key.strip_suffix(suffix).filter(|name| !name.is_empty())?;
            Some((name, depth.parse::<u32>().ok()?))
        })
    };
    let wanted = match which {
        Ancestor::Depth(depth) => Some(depth),
        Ancestor::Level(level) => {
            above().map(|(_, depth)| depth).max().and_then(|root| root.checked_sub(level))
        }
    };
    above().filter(|(_, depth)| Some(*depth) == wanted).map(|(name, _)| name).collect()
}

impl std::fmt::Display for NamedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Label(key) => write!(f, "label `{key}`"),
            Self::Annotation(key) => write!(f, "annotation `{key}`"),
            Self::Name(pattern) => write!(f, "name `{pattern}`"),
            Self::Ancestor { suffix, .. } => write!(f, "labels `…{suffix}`"),
        }
    }
}
