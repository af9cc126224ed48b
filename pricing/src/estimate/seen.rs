//! What the month was like that an estimate is made on, as far as it has to be told.

use super::joining::Fit;
use crate::quantity::Quantity;
use crate::time::HourRange;

/// How much of the month was known, and how the tenant fitted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Hours of the month.
    pub hours: u32,
    /// Hours that were measured.
    pub hours_known: u32,
    /// Measured hours in which a source had gaps.
    pub hours_with_gaps: u32,
    /// The measured hours that stand in for those that were not; none where all were.
    pub stand_ins: Option<StandIns>,
    /// Hours in which nodes were added for what the tenant wants.
    pub hours_grown: u32,
    /// The most node-hours that were added to an hour.
    pub most_added: Quantity,
    /// Hours in which it did not fit, and nothing was added.
    pub hours_crowded: u32,
}

/// Measured hours that stand in for others, in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandIns {
    /// How many.
    pub count: u32,
    /// From the first of them to the last.
    pub range: HourRange,
}

impl Seen {
    /// Of a month that was measured whole.
    pub const fn whole(hours: u32) -> Self {
        Self {
            hours,
            hours_known: hours,
            hours_with_gaps: 0,
            stand_ins: None,
            hours_grown: 0,
            most_added: Quantity::ZERO,
            hours_crowded: 0,
        }
    }

    /// Takes in how the tenant fitted into one more hour.
    pub fn fitted(&mut self, fit: Fit) {
        self.hours_crowded = self.hours_crowded.saturating_add(u32::from(fit.crowded));
        self.hours_grown = self.hours_grown.saturating_add(u32::from(fit.added > Quantity::ZERO));
        self.most_added = self.most_added.max(fit.added);
    }

    /// Takes in how it fitted into other hours of the same month.
    pub fn join(&mut self, other: &Self) {
        self.hours_crowded = self.hours_crowded.saturating_add(other.hours_crowded);
        self.hours_grown = self.hours_grown.saturating_add(other.hours_grown);
        self.most_added = self.most_added.max(other.most_added);
    }
}
