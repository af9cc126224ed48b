//! What is known about a month besides its statements.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use defray_pricing::Overflow;
use defray_pricing::decimal;
use defray_pricing::digest::Digest;
use defray_pricing::money::Currency;
use defray_pricing::names::ClusterName;
use defray_pricing::statement::{Line, Statement};
use defray_pricing::time::{HourRange, Period};

/// Digits after the point of a coverage ratio.
const COVERAGE_SCALE: u32 = 4;

/// Where a billing period stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Amounts still move.
    Open,
    /// Closed: version 1, never changed again.
    Final,
    /// Closed again as a later version.
    Restated,
}

impl Status {
    /// The name in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Final => "final",
            Self::Restated => "restated",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// In how many minutes there was data, of how many there should have been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Minutes with data.
    pub minutes: u64,
    /// Minutes that went by.
    pub of: u64,
}

impl Coverage {
    /// Both together.
    pub fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        let add = |a: u64, b: u64| a.checked_add(b).ok_or(Overflow("coverage"));
        Ok(Self { minutes: add(self.minutes, other.minutes)?, of: add(self.of, other.of)? })
    }

    /// The share as a decimal with four digits, cut and not rounded, so that `1.0000` is never said of an
    /// incomplete month; none where no minute went by.
    pub fn ratio(self) -> Option<String> {
        let scaled = u128::from(self.minutes).checked_mul(decimal::pow10(COVERAGE_SCALE).unsigned_abs())?;
        let share = i128::try_from(scaled.checked_div(u128::from(self.of))?).ok()?;
        Some(decimal::format(share, COVERAGE_SCALE, COVERAGE_SCALE))
    }
}

/// What is known about a month besides its statements.
#[derive(Debug, Clone)]
pub struct Month {
    /// The billing period.
    pub period: Period,
    /// Its hours, which say when it begins and ends.
    pub hours: HourRange,
    /// Where it stands.
    pub status: Status,
    /// 1 until it is restated.
    pub version: u32,
    /// The currency of every amount.
    pub currency: Currency,
    /// Data against time gone by, for each cluster.
    pub coverage: BTreeMap<ClusterName, Coverage>,
    /// Hours that ended and are not measured, over all clusters.
    pub hours_missing: u64,
    /// Hours that no metrics store has any more and that never will be measured, over all clusters.
    pub hours_lost: u64,
    /// The price book's editions that were in force, earliest first.
    pub book_versions: Vec<String>,
    /// The digest of the price book.
    pub book_digest: Digest,
    /// Whether the numbers are made up for a demonstration.
    pub demo: bool,
}

impl Month {
    /// Coverage of the cluster a line comes from, or of all together where it comes from none.
    pub(crate) fn coverage_of(&self, line: &Line) -> Result<Option<String>, Overflow> {
        match &line.key.cluster {
            Some(cluster) => Ok(self.coverage.get(cluster).copied().and_then(Coverage::ratio)),
            None => Ok(self.whole_coverage()?.ratio()),
        }
    }

    /// Coverage of the clusters a statement draws from, or of all together where it draws from none.
    pub(crate) fn coverage_of_statement(&self, statement: &Statement) -> Result<Option<String>, Overflow> {
        let drawn: std::collections::BTreeSet<&ClusterName> =
            statement.lines.iter().filter_map(|line| line.key.cluster.as_ref()).collect();
        if drawn.is_empty() {
            return Ok(self.whole_coverage()?.ratio());
        }
        let known = drawn.into_iter().filter_map(|cluster| self.coverage.get(cluster));
        Ok(known.copied().try_fold(Coverage::default(), Coverage::checked_add)?.ratio())
    }

    /// Coverage of all clusters together.
    pub fn whole_coverage(&self) -> Result<Coverage, Overflow> {
        self.coverage.values().copied().try_fold(Coverage::default(), Coverage::checked_add)
    }

    /// The editions in one cell.
    pub(crate) fn books(&self) -> String {
        self.book_versions.join("; ")
    }

    /// When the period begins.
    pub(crate) fn start(&self) -> String {
        instant(self.hours.from.start())
    }

    /// When it ends, exclusive.
    pub(crate) fn end(&self) -> String {
        instant(self.hours.until.start())
    }
}

/// An instant as every file writes it: UTC, whole seconds, `Z`.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_cut_so_that_only_a_complete_month_is_complete() {
        let ratio = |minutes, of| Coverage { minutes, of }.ratio();
        assert_eq!(ratio(44_640, 44_640).as_deref(), Some("1.0000"));
        assert_eq!(ratio(44_639, 44_640).as_deref(), Some("0.9999"));
        assert_eq!(ratio(0, 60).as_deref(), Some("0.0000"));
        assert_eq!(ratio(1, 3).as_deref(), Some("0.3333"));
        assert_eq!(ratio(0, 0), None, "no time, no share");
    }
}
