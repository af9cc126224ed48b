//! Measures hours once more that are recorded: samples come late, and what was incomplete may be whole by now.

use std::collections::BTreeMap;
use std::sync::Arc;

use defray_ledger::{HourEntry, Scope};
use defray_pricing::time::Hour;
use defray_pricing::usage::{Minutes, UsageHour};

use super::{Cluster, Sampler, halved};

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
        let timeline = Arc::new(self.shared.ledger.timeline(&Scope::everything()).await?);
        let recorded = hours.keys().copied().collect();
        let mut sizes = halved::Sizes::new(&self.shared.ledger, &cluster.name, recorded);
        let mut outages = 0;
        for (hour, known) in hours {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let result = match self.measure(cluster, *hour, &timeline).await.1? {
                Ok(measured) => self.believe(cluster, measured, &timeline, &mut sizes).await?,
                Err(failure) => Err(failure),
            };
            match result {
                Ok(measured) if knows_less(&measured.usage, known) => {
                    outages = 0;
                    tracing::warn!(
                        cluster.name = %cluster.name,
                        hour.start = %hour,
                        "the metrics store knows less of an hour than when it was measured: what was measured stays"
                    );
                    tell(*hour, Ok(()));
                }
                Ok(measured) => {
                    outages = 0;
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
}

/// Whether any source had data in fewer minutes than before.
fn knows_less(usage: &UsageHour, known: &HourEntry) -> bool {
    let now = |source| usage.coverage.get(source).copied().map_or(0, Minutes::get);
    known.coverage.iter().any(|(source, before)| now(source) < before.get())
}
