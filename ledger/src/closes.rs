//! Closed months: open → closed → restated, and nothing of it ever changes.
//!
//! A version is frozen with all it takes to make it again: which revision of each hour, who owned what by which
//! rules, the price book, the engine. Its digest covers that, what came of it, the files it was closed with, and the
//! digest of the close before it: so no version can be altered, dropped or cut off without being seen.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use defray_pricing::digest::Digest;
use defray_pricing::money::Money;
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::{TenancyRules, Timeline};
use defray_pricing::time::{BillingZone, Hour, HourRange, Period};

use crate::{ChargeDay, MonthRecord};

mod digest;
mod files;
mod freeze;
mod read;
mod verify;
mod write;

pub(crate) use verify::verify;

pub use files::{CloseFile, RenderedFile};

/// Who had a month closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedHow {
    /// A person.
    Hand,
    /// The daemon, when the days of grace were over.
    Schedule,
}

impl ClosedHow {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hand, Self::Schedule];

    /// The name in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hand => "hand",
            Self::Schedule => "schedule",
        }
    }
}

impl fmt::Display for ClosedHow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no way to close a month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown way to close a month `{0}`")]
pub struct UnknownClosedHow(pub String);

impl FromStr for ClosedHow {
    type Err = UnknownClosedHow;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|how| how.as_str() == text)
            .ok_or_else(|| UnknownClosedHow(text.to_owned()))
    }
}

/// A revision of an hour that a version was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PinnedHour {
    /// The cluster.
    pub cluster: ClusterName,
    /// The hour.
    pub hour: Hour,
    /// The revision, from 1.
    pub revision: u32,
    /// Of its content.
    pub digest: Digest,
}

/// Who owned what when a month was closed, as far as it decides that month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrozenOwnership {
    /// The spans that decide it.
    pub timeline: Timeline,
    /// Which claims made a namespace a tenant's.
    pub tenancy: TenancyRules,
    /// The hours of each cluster that counted.
    pub hours: BTreeMap<ClusterName, HourRange>,
}

/// What a month is closed with, for the first time or again.
#[derive(Debug, Clone)]
pub struct Closing {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom: as the request proved it, or the user of the machine.
    pub by: String,
    /// By hand or by schedule.
    pub how: ClosedHow,
    /// Why it is closed although hours are missing; none where none are.
    pub forced: Option<String>,
    /// The zone in which months begin.
    pub zone: BillingZone,
    /// The generation of the rules that made the amounts.
    pub engine_version: u32,
    /// What it was made from; digests are read from what is recorded.
    pub hours: Vec<PinnedHour>,
    /// Who owned what.
    pub ownership: FrozenOwnership,
    /// Every report that is shipped, as it will be sent for ever.
    pub files: Vec<RenderedFile>,
}

/// What a restatement writes besides that.
#[derive(Debug, Clone)]
pub struct Restating {
    /// Why.
    pub reason: String,
    /// The month as it should have been.
    pub month: MonthRecord,
    /// Its days, where they are others.
    pub days: Vec<ChargeDay>,
    /// The same as for a close.
    pub closing: Closing,
}

/// What is known of a version that is frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseRecord {
    /// The period.
    pub period: Period,
    /// The version, from 1; from 2 on it is a restatement.
    pub version: u32,
    /// Which close of this ledger it was, from 1.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: String,
    /// By hand or by schedule.
    pub how: ClosedHow,
    /// Why it was closed although hours are missing.
    pub forced: Option<String>,
    /// Why it was restated.
    pub reason: Option<String>,
    /// The zone in which months began.
    pub zone: String,
    /// The generation of the rules that made the amounts.
    pub engine_version: u32,
    /// Hours that had ended and were not measured, summed over clusters.
    pub hours_missing: u32,
    /// Hours that no metrics store had any more, summed over clusters.
    pub hours_lost: u32,
    /// The sum of its statements; none for who does not see everything.
    pub total: Option<Money>,
    /// Of everything it was made from, as the month was stored under.
    pub inputs: Digest,
    /// The price book's.
    pub book_digest: Digest,
    /// Of who owned what.
    pub ownership: Digest,
    /// Of the revisions it was made from.
    pub hours: Digest,
    /// Of statements, lines, coverage and totals.
    pub statements: Digest,
    /// Of the lines that changed.
    pub deltas: Digest,
    /// Of the files it was closed with.
    pub files: Digest,
    /// Of the close before it, whatever its period.
    pub previous: Digest,
    /// Of all that.
    pub digest: Digest,
}

/// A version that is frozen. Only closing, restating and reading what was closed yield one: so nothing but such a
/// version is restated, and no file is ever kept of a month that still moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedMonth(CloseRecord);

impl Deref for ClosedMonth {
    type Target = CloseRecord;

    fn deref(&self) -> &CloseRecord {
        &self.0
    }
}

impl ClosedMonth {
    /// Where its period stood when this was its newest version.
    pub fn state(&self) -> crate::PeriodState {
        if self.version == 1 { crate::PeriodState::Closed } else { crate::PeriodState::Restated }
    }
}

/// What closing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// It is closed now.
    Now(ClosedMonth),
    /// It was closed from the same before, and nothing was written.
    Already(ClosedMonth),
}

impl Closed {
    /// The version, whenever it was closed.
    pub fn version(self) -> ClosedMonth {
        match self {
            Self::Now(version) | Self::Already(version) => version,
        }
    }
}
