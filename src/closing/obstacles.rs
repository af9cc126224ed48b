//! What stands in the way of closing a month: everything at once.

use std::fmt;

use chrono::{DateTime, Utc};
use defray_ledger::{PeriodState, Scope};
use defray_pricing::closing::{self, Gaps};
use defray_pricing::names::ClusterName;
use defray_pricing::time::{Hour, Period};

use super::{Closer, NotClosed};
use crate::rerate::{Entries, NotAgain, StoredMonth, settled_at};

/// A reason not to close a month now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It goes on.
    NotOver {
        /// When its last hour has settled.
        until: DateTime<Utc>,
    },
    /// There are no statements.
    NotRated,
    /// The statements were made from something else than what there is now: the daemon has not caught up.
    Behind,
    /// The daemon's price book is another than the one the statements were made by.
    AnotherBook,
    /// What the statements themselves tell.
    Statements(closing::Obstacle),
    /// Hours that were incomplete, and the last ones, have to be measured once more.
    NotMeasuredAgain {
        /// Of which cluster.
        cluster: ClusterName,
        /// How many.
        hours: usize,
        /// The first of them.
        first: Hour,
        /// Why the last try failed; none while there was none.
        reason: Option<String>,
    },
}

impl Obstacle {
    /// Whether a reason is enough to close all the same. What has no price, no rate or no statement never is.
    pub const fn can_be_forced(&self) -> bool {
        matches!(
            self,
            Self::NotMeasuredAgain { .. } | Self::Statements(closing::Obstacle::HoursMissing { .. })
        )
    }

    /// Whether it goes away by itself, in minutes.
    pub const fn passes(&self) -> bool {
        matches!(
            self,
            Self::NotRated | Self::Behind | Self::AnotherBook | Self::NotMeasuredAgain { reason: None, .. }
        )
    }

    /// Its name in answers and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotOver { .. } => "not_over",
            Self::NotRated => "not_rated",
            Self::Behind => "behind",
            Self::AnotherBook => "another_book",
            Self::NotMeasuredAgain { .. } => "not_measured_again",
            Self::Statements(closing::Obstacle::HoursMissing { .. }) => "hours_missing",
            Self::Statements(closing::Obstacle::WithoutBook { .. }) => "without_book",
            Self::Statements(closing::Obstacle::Unpriced(_)) => "unpriced",
            Self::Statements(closing::Obstacle::NoRate { .. }) => "no_rate",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOver { until } => {
                write!(f, "it is not over until {} (close it after that)", until.format("%Y-%m-%dT%H:%M:%SZ"))
            }
            Self::NotRated => f.write_str("it is not rated yet (let the daemon run)"),
            Self::Behind => f.write_str(
                "something was recorded since its statements were made (the daemon rates it again in minutes)",
            ),
            Self::AnotherBook => f.write_str(
                "another price book came into force since its statements were made (the daemon rates it again in \
                 minutes)",
            ),
            Self::Statements(obstacle) => obstacle.fmt(f),
            Self::NotMeasuredAgain { cluster, hours, first, reason } => {
                let hours = if *hours == 1 { "1 hour".to_owned() } else { format!("{hours} hours") };
                write!(f, "{hours} of the cluster `{cluster}`, the first {first}, ")?;
                match reason {
                    None => f.write_str("wait to be measured once more before the close (it has been asked for)"),
                    Some(reason) => write!(
                        f,
                        "could not be measured once more: {reason} (mend that, or close with what was measured before \
                         by --force with a reason)"
                    ),
                }
            }
        }
    }
}

/// A month that is to be closed, and what is in the way.
#[derive(Debug)]
pub struct Look {
    /// The month; none while it is not rated.
    pub month: Option<StoredMonth>,
    /// What is in the way, forced or not.
    pub obstacles: Vec<Obstacle>,
}

impl Closer {
    /// What is in the way of closing a period now. Changes nothing.
    pub async fn look(&self, period: Period) -> Result<Look, NotClosed> {
        let ledger = &self.rerate.ledger;
        let periods = ledger.periods(&Scope::everything(), self.rerate.zone).await?;
        let entry = periods.iter().find(|entry| entry.period == period);
        let entry = entry.ok_or(NotAgain::NoSuchPeriod(period))?;
        if entry.state != PeriodState::Open {
            return Err(NotClosed::Already(period));
        }
        let mut obstacles = Vec::new();
        let until = settled_at(self.rerate.zone.hours(period).until, self.rerate.ground.settle);
        if self.rerate.clock.now() < until {
            obstacles.push(Obstacle::NotOver { until });
        }
        if entry.inputs.is_none() {
            obstacles.push(Obstacle::NotRated);
            return Ok(Look { month: None, obstacles });
        }
        let month = self.rerate.stored(period).await?;
        if !month.current {
            obstacles.push(Obstacle::Behind);
        }
        let in_force = self.book.borrow().digest;
        if month.record.book_digest != in_force {
            obstacles.push(Obstacle::AnotherBook);
        }
        obstacles.extend(of_statements(&month)?);
        obstacles.extend(self.not_measured_again(period, &month.entries));
        Ok(Look { month: Some(month), obstacles })
    }

    fn not_measured_again(&self, period: Period, entries: &Entries) -> Vec<Obstacle> {
        let hours = self.rerate.zone.hours(period);
        let obstacle = |(cluster, waiting): (ClusterName, super::again::Waiting)| {
            let first = waiting.hours.first().copied()?;
            Some(Obstacle::NotMeasuredAgain {
                cluster,
                hours: waiting.hours.len(),
                first,
                reason: waiting.reason,
            })
        };
        self.again.waiting(hours, entries).into_iter().filter_map(obstacle).collect()
    }
}

fn of_statements(month: &StoredMonth) -> Result<Vec<Obstacle>, NotClosed> {
    let gaps = Gaps {
        hours_missing: month.record.hours_missing,
        hours_without_book: u32::try_from(month.plans.without_book).unwrap_or(u32::MAX),
    };
    let found = closing::obstacles(&month.record.statements, gaps);
    let found = found.map_err(|overflow| NotClosed::Other(overflow.into()))?;
    Ok(found.into_iter().map(Obstacle::Statements).collect())
}
