//! The cost report that is pushed: one tenant on one cost centre for one month.
//!
//! Keys are those of a Go struct, sorted, and the five a receiver must find are `TenantName`,
//! `CostCenter`, `Period`, `Costs` and `ResourceUsage`. Rounded amounts are JSON numbers, exact ones
//! strings. Every line falls into exactly one part of `Costs`, by its kind, so that the parts add up to
//! `Total`:
//!
//! | part | lines |
//! |---|---|
//! | `Compute` | compute, except memory: CPU and GPUs |
//! | `Memory` | compute of the item `memory` |
//! | `NodePool` | dedicated pools |
//! | `Storage`, `Network`, `LoadBalancers`, `Services`, `Shared`, `Idle`, `Terms` | their kinds |
//! | `Credits` | adjustments below zero |
//! | `Adjustments` | all other adjustments, and rounding |
//!
//! Usage without a price is among the lines with neither price nor amount, and in no part.

mod parts;
mod wire;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use defray_pricing::Overflow;
use defray_pricing::digest::Digest;
use defray_pricing::names::{CostCenter, TenantName};
use defray_pricing::statement::Statement;
use defray_pricing::time::Period;
use sha2::{Digest as _, Sha256};

use crate::month::{Month, instant};

/// Why a cost report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CostReportError {
    /// A sum does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// The parts of `Costs` do not add up to the statement's total: the statement contradicts itself.
    #[error("the lines of the statement add up to {parts}, its total is {total}")]
    DoesNotAddUp {
        /// The sum of the parts.
        parts: String,
        /// The statement's total.
        total: String,
    },
    /// Not JSON.
    #[error("the cost report could not be written")]
    Json(#[from] serde_json::Error),
}

/// A cost report without what changes from one delivery to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostReport {
    id: String,
    content: wire::Content,
    digest: String,
    identity: Digest,
}

impl CostReport {
    /// The report of one statement. `source` names where it comes from: the cluster, or the ledger where
    /// there are several.
    pub fn new(source: &str, month: &Month, statement: &Statement) -> Result<Self, CostReportError> {
        let id = report_id(source, month.period, &statement.tenant, &statement.cost_center);
        let content = wire::Content::new(id.clone(), month, statement)?;
        let bytes = serde_json::to_vec(&content)?;
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&bytes)));
        Ok(Self { id, content, digest, identity: Digest::of(&bytes) })
    }

    /// What the report is known by at the receiver, the same in every revision.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The digest of everything but revision, time of generation and the digest itself, in the form of
    /// RFC 9530: while it stays the same there is nothing new to push.
    pub fn content_digest(&self) -> &str {
        &self.digest
    }

    /// The same as the ledger remembers it.
    pub const fn content(&self) -> Digest {
        self.identity
    }

    /// The body to send.
    pub fn body(&self, revision: u32, generated_at: DateTime<Utc>) -> Result<Vec<u8>, CostReportError> {
        Ok(serde_json::to_vec(&wire::Body {
            content: &self.content,
            digest: &self.digest,
            generated_at: instant(generated_at),
            revision,
        })?)
    }
}

/// `<source>/<period>/<tenant>/<cost centre>`: a tenant that changes its cost centre has two statements,
/// and an id must not change its meaning when the second appears. A slash or percent sign inside a name is
/// percent-encoded, so that no two statements share an id.
pub fn report_id(source: &str, period: Period, tenant: &TenantName, cost_center: &CostCenter) -> String {
    let part = |text: &str| text.replace('%', "%25").replace('/', "%2F");
    format!("{}/{period}/{}/{}", part(source), part(tenant.as_str()), part(cost_center.as_str()))
}
