//! What a closed month was made from: the same for ever, whatever was recorded, owned or priced since.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use defray_ledger::{ClosedMonth, FrozenOwnership, HourEntry, PinnedHour, Scope};
use defray_pricing::book::PriceBook;
use defray_pricing::time::HourRange;

use super::{Entries, NotAgain, Rerate, View};

impl View {
    /// What decides a month, to be frozen with it.
    pub fn frozen(&self, period: HourRange) -> FrozenOwnership {
        let within = |range: &HourRange| {
            let (from, until) = (range.from.max(period.from), range.until.min(period.until));
            HourRange { from: from.min(until), until }
        };
        let hours = self.ranges.iter().map(|(cluster, range)| (cluster.clone(), within(range)));
        FrozenOwnership {
            timeline: self.timeline.within(period),
            tenancy: (*self.tenancy).clone(),
            hours: hours.filter(|(_, range)| !range.is_empty()).collect(),
        }
    }
}

/// The revisions that a month was made from.
pub fn pins(entries: &Entries) -> Vec<PinnedHour> {
    let pin = |(cluster, entry): (&_, &HourEntry)| PinnedHour {
        cluster: Clone::clone(cluster),
        hour: entry.hour,
        revision: entry.revision,
        digest: entry.digest,
    };
    entries.values().flatten().map(pin).collect()
}

impl Rerate {
    /// The view and the hours that a closed version was made from.
    pub(super) async fn frozen(
        &self,
        closed: &ClosedMonth,
        book: Arc<PriceBook>,
    ) -> Result<(View, Entries), NotAgain> {
        let everything = Scope::everything();
        let FrozenOwnership { timeline, tenancy, hours } =
            self.ledger.close_ownership(&everything, closed).await?;
        let view = View {
            book,
            timeline: Arc::new(timeline),
            tenancy: Arc::new(tenancy),
            ranges: Arc::new(hours),
            lost: Arc::default(),
        };
        let mut entries = Entries::new();
        for pinned in self.ledger.close_hours(&everything, closed).await? {
            let PinnedHour { cluster, hour, revision, digest } = pinned;
            // How complete it was is kept with the month.
            let (coverage, measured_at) = (BTreeMap::new(), DateTime::<Utc>::UNIX_EPOCH);
            let entry = HourEntry { hour, revision, digest, coverage, measured_at };
            entries.entry(hour).or_default().insert(cluster, entry);
        }
        Ok((view, entries))
    }
}
