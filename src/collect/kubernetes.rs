//! Ownership from the Kubernetes API: who exists, who owns what, which node is in which pool.
//!
//! Watches only wake; the truth is always a complete list ([`Collector::observe`]), compared with what is
//! remembered. So a delete that happened while nobody watched is found like any other, and an object made
//! again under its old name is told apart by its uid. Only `list` and `watch` are ever asked for; the one thing
//! ever written is an Event on what cannot be read, where that is allowed.

mod check;
mod connect;
mod error;
mod facts;
mod list;
mod observe;
mod permissions;
mod pods;
mod settings;
mod skipped;
mod tenant;
mod watch;

use kube::Client;
use kube::core::ApiResource;

pub use error::KubernetesError;
pub use observe::Observed;
pub use permissions::Kind;
pub use pods::PodEvent;
pub use settings::{
    Access, Asked, FieldPath, InvalidFieldPath, KeepLabels, PodSource, Settings, TenantSource,
};
pub use skipped::Skipped;
pub use tenant::{NodeKind, NodePool, ResourceQuota, Services, Tenant, TenantSpec, crd_yaml};
pub use watch::Wake;

/// Reads ownership from one cluster.
#[derive(Clone)]
pub struct Collector {
    settings: Settings,
    /// Where the API server is, for messages.
    url: String,
    /// Whether the server's certificate is verified.
    verified: bool,
    /// Gives up on an answer after the request timeout.
    lists: Client,
    /// Waits as long as a watch is silent by right.
    watches: Client,
    tenant: Option<ApiResource>,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").field("url", &self.url).finish_non_exhaustive()
    }
}
