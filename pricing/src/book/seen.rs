//! What exists in the clusters, to be held against a book.

use std::collections::BTreeSet;

use crate::names::{ClusterName, PriceClass, Service, StorageClass, TenantName, TrafficClass};

/// What exists and needs a price.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Node price classes.
    pub classes: BTreeSet<(ClusterName, PriceClass)>,
    /// Storage classes.
    pub storage: BTreeSet<StorageClass>,
    /// Traffic classes.
    pub traffic: BTreeSet<TrafficClass>,
    /// Whether there are load balancers.
    pub load_balancers: bool,
    /// Services that tenants have switched on.
    pub services: BTreeSet<Service>,
    /// Tenants.
    pub tenants: BTreeSet<TenantName>,
}
