//! Months: finished statements under the digest of what they were made from.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use defray_pricing::digest::Digest;
use defray_pricing::money::{Currency, Money};
use defray_pricing::names::ClusterName;
use defray_pricing::rating::Control;
use defray_pricing::statement::PeriodStatements;
use defray_pricing::time::Period;

mod periods;
pub(crate) mod read;
mod write;

pub(crate) use read::load;
pub(crate) use write::{current, put_version};

/// Minutes with data out of the minutes there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coverage {
    /// Minutes with data.
    pub minutes: u64,
    /// Minutes there are.
    pub of: u64,
}

/// A month as it was last computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthRecord {
    /// Every statement.
    pub statements: PeriodStatements,
    /// Of everything it was made from.
    pub inputs: Digest,
    /// How much of the period each cluster was measured in.
    pub coverage: BTreeMap<ClusterName, Coverage>,
    /// Hours that have ended and are not measured, summed over clusters.
    pub hours_missing: u32,
    /// Hours that no metrics store has any more and that are not among the missing, summed over clusters.
    pub hours_lost: u32,
    /// The price book's.
    pub book_digest: Digest,
    /// The labels of the editions that were in force.
    pub book_versions: Vec<String>,
    /// What was paid for in all its hours. None for who does not see everything, and for a month that was
    /// computed by a release that did not keep it.
    pub control: Option<Control>,
}

/// Where a billing period stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeriodState {
    /// Still computed anew with every late hour.
    Open,
    /// Frozen.
    Closed,
    /// Frozen again, as a later version.
    Restated,
}

impl PeriodState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Closed, Self::Restated];

    /// The name in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Restated => "restated",
        }
    }
}

impl fmt::Display for PeriodState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no state of a period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown state of a billing period `{0}`")]
pub struct UnknownState(pub String);

impl FromStr for PeriodState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// A billing period that has hours or statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodEntry {
    /// The period.
    pub period: Period,
    /// Where it stands.
    pub state: PeriodState,
    /// The current version, from 1.
    pub version: u32,
    /// Of every amount; none until it is first rated.
    pub currency: Option<Currency>,
    /// The total of the statements in scope; none until it is first rated.
    pub amount: Option<Money>,
    /// How many statements are in scope.
    pub statements: u32,
    /// Hours of the period.
    pub hours: u32,
    /// Hours recorded, by cluster.
    pub measured: BTreeMap<ClusterName, u32>,
    /// Hours recorded in the cluster that has fewest.
    pub hours_measured: u32,
    /// Hours that had ended and were not measured when it was last computed, summed over clusters.
    pub hours_missing: u32,
    /// Hours that were lost by then, summed over clusters.
    pub hours_lost: u32,
    /// How much of the period each cluster was measured in when it was last computed.
    pub coverage: BTreeMap<ClusterName, Coverage>,
    /// Of what the statements were made from; none until it is first rated.
    pub inputs: Option<Digest>,
}
