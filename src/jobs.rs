//! Idempotent, input-less jobs: on a tick and on demand.
//!
//! A job looks at what there is and does what is missing; what it did is in the ledger and nowhere else.
//! So a restart needs no special path, a run too many changes nothing, and no job retries inside: its next
//! run is the retry. The last result of each is on the [`Board`].

mod again;
mod archive;
mod book;
mod close;
mod cluster;
mod figures;
mod halved;
mod looks;
mod lost;
mod observe;
mod past;
mod plan;
mod pods;
mod present;
mod rate;
mod remarks;
mod runner;
mod sample;
#[cfg(test)]
mod tests;
mod watched;
mod watching;

use chrono::{DateTime, Utc};
use defray_ledger::{Ledger, WriteGuard};

use crate::clock::Clock;
use crate::supervise::Supervisor;
use crate::telemetry::Metrics;

pub use archive::Archivist;
pub use book::{BookKeeper, ReadBook};
pub use close::{CloseKeeper, Told};
pub use cluster::{
    Cluster, Counted, Known, LeftOut, Measure, MeasuredHour, NotMeasured, ObjectKind, Observe, Observed,
    PodNews, Pods, Unbillable,
};
pub use looks::Looks;
pub use lost::Retentions;
pub use observe::{Memory, Observer};
pub use past::{Historian, KnownPast};
pub use pods::{PodKeeper, Unwritten};
pub use rate::Rater;
pub use remarks::Remarks;
pub use runner::{Bell, Board, Job, LastRun, drive};
pub use sample::Sampler;
pub use watched::Watched;

/// What every job works with.
#[derive(Debug, Clone)]
pub struct Shared {
    /// What is remembered.
    pub ledger: Ledger,
    /// The right to add to it.
    pub guard: WriteGuard,
    /// What time it is.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Who runs what would hold up others.
    pub supervisor: Supervisor,
}

/// Seconds since 1970, for gauges.
fn seconds(at: DateTime<Utc>) -> i64 {
    at.timestamp()
}
