//! Spans found by time: which of them touch an hour, without looking at all of them.

use chrono::{DateTime, Utc};

use crate::names::{ClusterName, Uid};

/// One span with its edges as instants.
#[derive(Debug)]
pub(super) struct Slot<'a, T> {
    pub(super) cluster: &'a ClusterName,
    pub(super) uid: &'a Uid,
    pub(super) from: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
    pub(super) observed: bool,
    pub(super) fact: &'a T,
}

/// Slots ordered by their start, read as a balanced tree whose every node knows the latest end below it.
#[derive(Debug)]
pub(super) struct Spans<'a, T> {
    slots: Vec<Slot<'a, T>>,
    latest: Vec<DateTime<Utc>>,
}

impl<'a, T> Spans<'a, T> {
    pub(super) fn new(mut slots: Vec<Slot<'a, T>>) -> Self {
        slots.sort_by(|a, b| (a.from, a.cluster, a.uid).cmp(&(b.from, b.cluster, b.uid)));
        let mut spans = Self { latest: vec![DateTime::<Utc>::MIN_UTC; slots.len()], slots };
        spans.measure(0, spans.slots.len());
        spans
    }

    pub(super) fn slots(&self) -> &[Slot<'a, T>] {
        &self.slots
    }

    /// Places of the slots that hold at some moment of `[start, end)`, in their order.
    pub(super) fn touching(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> Vec<usize> {
        let mut found = Vec::new();
        self.search(0, self.slots.len(), start, end, &mut found);
        found
    }

    fn measure(&mut self, low: usize, high: usize) -> DateTime<Utc> {
        if low >= high {
            return DateTime::<Utc>::MIN_UTC;
        }
        let middle = low.midpoint(high);
        let below = self.measure(low, middle).max(self.measure(middle.saturating_add(1), high));
        let latest = below.max(self.slots[middle].until);
        self.latest[middle] = latest;
        latest
    }

    fn search(
        &self,
        low: usize,
        high: usize,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        found: &mut Vec<usize>,
    ) {
        if low >= high {
            return;
        }
        let middle = low.midpoint(high);
        if self.latest[middle] <= start {
            return;
        }
        self.search(low, middle, start, end, found);
        let slot = &self.slots[middle];
        if slot.from < end {
            if slot.until > start && slot.from < slot.until {
                found.push(middle);
            }
            self.search(middle.saturating_add(1), high, start, end, found);
        }
    }
}
