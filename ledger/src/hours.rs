//! Measured hours: immutable, numbered revisions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use defray_pricing::digest::Digest;
use defray_pricing::names::ClusterName;
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::{Minutes, Source, UsageHour};

use crate::{Ledger, LedgerError, Scope, WriteGuard};

/// An hour to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedHour {
    /// What was measured.
    pub usage: UsageHour,
    /// When it was measured: a label, no part of the content.
    pub measured_at: DateTime<Utc>,
}

/// What recording an hour came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The cluster.
    pub cluster: ClusterName,
    /// The hour.
    pub hour: Hour,
    /// The current revision, from 1.
    pub revision: u32,
    /// Whether this content is new: the same content again is no revision.
    pub changed: bool,
}

/// The current revision of a recorded hour, without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourEntry {
    /// The hour.
    pub hour: Hour,
    /// The revision, from 1.
    pub revision: u32,
    /// Of the content.
    pub digest: Digest,
    /// For each source, in how many of the 60 minutes it had data.
    pub coverage: BTreeMap<Source, Minutes>,
    /// When it was measured.
    pub measured_at: DateTime<Utc>,
}

/// An hour that could not be measured yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The cluster.
    pub cluster: ClusterName,
    /// The hour.
    pub hour: Hour,
    /// Why the last try failed.
    pub reason: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it was first missed.
    pub first_seen: DateTime<Utc>,
    /// When to try again.
    pub next_try: DateTime<Utc>,
}

impl Ledger {
    /// Records hours, all in one transaction, and clears their notes of being missing.
    pub async fn record(
        &self,
        _guard: &WriteGuard,
        _hours: Vec<RecordedHour>,
    ) -> Result<Vec<Recorded>, LedgerError> {
        Err(LedgerError::NotYet("record"))
    }

    /// The recorded hours of a cluster, earliest first.
    pub async fn hours(
        &self,
        _scope: &Scope,
        _cluster: &ClusterName,
        _range: HourRange,
    ) -> Result<Vec<HourEntry>, LedgerError> {
        Err(LedgerError::NotYet("hours"))
    }

    /// The current revisions of every cluster, in the order of hour, cluster.
    pub async fn usage(&self, _scope: &Scope, _range: HourRange) -> Result<Vec<UsageHour>, LedgerError> {
        Err(LedgerError::NotYet("usage"))
    }

    /// Every cluster something was recorded or observed of.
    pub async fn clusters(&self, _scope: &Scope) -> Result<Vec<ClusterName>, LedgerError> {
        Err(LedgerError::NotYet("clusters"))
    }

    /// Notes that an hour could not be measured; recording it clears the note.
    pub async fn note_missing(
        &self,
        _guard: &WriteGuard,
        _cluster: &ClusterName,
        _hour: Hour,
        _reason: &str,
        _at: DateTime<Utc>,
        _next_try: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        Err(LedgerError::NotYet("note_missing"))
    }

    /// The hours that could not be measured yet, in the order of cluster, hour.
    pub async fn missing(&self, _scope: &Scope) -> Result<Vec<Missing>, LedgerError> {
        Err(LedgerError::NotYet("missing"))
    }
}
