//! Who owned what, when: complete lists in, a timeline out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use defray_pricing::names::{ClusterName, Uid};
use defray_pricing::ownership::{NamespaceFact, NodeFact, Span, TenantFact, Timeline};

use crate::{Ledger, LedgerError, Scope, WriteGuard};

/// The complete lists of one moment; none for a kind that was not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Tenants.
    pub tenants: Option<Vec<(Uid, TenantFact)>>,
    /// Namespaces.
    pub namespaces: Option<Vec<(Uid, NamespaceFact)>>,
    /// Nodes.
    pub nodes: Option<Vec<(Uid, NodeFact)>>,
    /// When the API server made the objects, where it says. What is new in this list began to hold then,
    /// but not before the observation before this one, in which it was not yet seen.
    pub created: BTreeMap<Uid, DateTime<Utc>>,
    /// Objects that exist but cannot be read, as a tenant with a malformed field: absent from the lists,
    /// but not gone. What is known of them still holds.
    pub unreadable: BTreeSet<Uid>,
}

/// Ownership before the first observation, as the metrics store knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assumed {
    /// Tenants.
    pub tenants: Vec<Span<TenantFact>>,
    /// Namespaces.
    pub namespaces: Vec<Span<NamespaceFact>>,
    /// Nodes.
    pub nodes: Vec<Span<NodeFact>>,
}

/// What an observation or an assumption changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// Spans that began.
    pub opened: u64,
    /// Spans that ended.
    pub closed: u64,
}

impl Ledger {
    /// Takes in complete lists: new objects begin a span, absent ones end theirs, changed ones do both.
    /// The same lists again change nothing. Time never goes back.
    pub async fn observe(
        &self,
        _guard: &WriteGuard,
        _cluster: &ClusterName,
        _at: DateTime<Utc>,
        _observation: &Observation,
    ) -> Result<Changes, LedgerError> {
        Err(LedgerError::NotYet("observe"))
    }

    /// Adds assumed spans before the first observation; what is known of an object already stays.
    pub async fn assume(
        &self,
        _guard: &WriteGuard,
        _cluster: &ClusterName,
        _assumed: &Assumed,
    ) -> Result<Changes, LedgerError> {
        Err(LedgerError::NotYet("assume"))
    }

    /// Everything known about who owned what, in every cluster.
    pub async fn timeline(&self, _scope: &Scope) -> Result<Timeline, LedgerError> {
        Err(LedgerError::NotYet("timeline"))
    }
}
