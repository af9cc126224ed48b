//! Measures hours once more that are recorded: samples come late, and what was incomplete may be whole by now.

use std::collections::BTreeMap;
use std::sync::Arc;

use defray_ledger::{HourEntry, Scope};
use defray_pricing::ownership::Timeline;
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::{Minutes, UsageHour};

use super::{Cluster, MeasuredHour, NotMeasured, Sampler, halved};

/// After so many failures in a row that would hit any hour, the others are left for the next run.
const OUTAGE: u32 = 2;

impl Sampler {
    /// Measures hours of a cluster again; tells of each whether its answer stands now, else why not. A difference is a
    /// new revision. What the metrics store has forgotten since does not replace what it once knew.
    pub(super) async fn again(
        &self,
        cluster: &Cluster,
        hours: &BTreeMap<Hour, HourEntry>,
        mut tell: impl FnMut(Hour, Result<(), String>),
    ) -> anyhow::Result<()> {
        let (Some((first, _)), Some((last, _))) = (hours.first_key_value(), hours.last_key_value()) else {
            return Ok(());
        };
        let (ledger, range) = (&self.shared.ledger, HourRange { from: first.previous(), until: last.next() });
        let timeline = Arc::new(ledger.timeline(&Scope::everything()).await?);
        let recorded = ledger.recorded_hours(&Scope::everything(), &cluster.name, range).await?;
        let mut sizes = halved::Sizes::new(ledger, &cluster.name, recorded);
        let mut outages = 0;
        for (hour, known) in hours {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let result = match self.measure(cluster, *hour, &timeline).await.1? {
                Ok(measured) => self.better(cluster, measured, known, &timeline, &mut sizes).await?,
                Err(failure) => Err(failure),
            };
            match result {
                Ok(None) => {
                    outages = 0;
                    tracing::warn!(
                        cluster.name = %cluster.name,
                        hour.start = %hour,
                        "the metrics store knows less of an hour than when it was measured: what was measured stays"
                    );
                    tell(*hour, Ok(()));
                }
                Ok(Some(measured)) => {
                    outages = 0;
                    sizes.recorded(&measured.usage);
                    self.record(cluster, measured).await?;
                    tell(*hour, Ok(()));
                }
                Err(failure) => {
                    outages = if failure.outage { outages + 1 } else { 0 };
                    tell(*hour, Err(failure.reason));
                }
            }
            if outages >= OUTAGE {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What takes the place of an hour's current revision; nothing where that knew more, be it of minutes or of nodes.
    async fn better(
        &self,
        cluster: &Cluster,
        measured: MeasuredHour,
        known: &HourEntry,
        timeline: &Timeline,
        sizes: &mut halved::Sizes<'_>,
    ) -> anyhow::Result<Result<Option<MeasuredHour>, NotMeasured>> {
        if knows_less(&measured.usage, known) {
            return Ok(Ok(None));
        }
        let Some(is_halved) = sizes.halved(&measured.usage).await? else {
            // Of its nodes nothing was known: it is held against the hour before it, as a new one is.
            return Ok(self.believe(cluster, measured, timeline, sizes).await?.map(Some));
        };
        let is_accepted = cluster.accepted.contains(&measured.usage.hour);
        Ok(Ok((!is_halved || is_accepted).then_some(measured)))
    }
}

/// Whether any source had data in fewer minutes than before.
fn knows_less(usage: &UsageHour, known: &HourEntry) -> bool {
    let now = |source| usage.coverage.get(source).copied().map_or(0, Minutes::get);
    known.coverage.iter().any(|(source, before)| now(source) < before.get())
}
