//! What time it is, to whoever must not work with a clock that went back.

use anyhow::Context;
use chrono::{DateTime, Utc};
use defray_ledger::{Ledger, Scope};
use defray_pricing::time::Hour;

use crate::clock::Clock;

/// A moment that no recorded hour contradicts.
#[derive(Debug, Clone, Copy)]
pub struct Present {
    /// What the clock says.
    pub now: DateTime<Utc>,
    /// The end of the latest recorded hour, of whatever cluster.
    pub recorded_until: Option<Hour>,
}

impl Present {
    /// Refuses a clock by which an hour that is recorded has not ended yet. With it hours would leave what
    /// has settled, and days and months would be computed anew without them.
    pub async fn of(ledger: &Ledger, clock: &Clock) -> anyhow::Result<Self> {
        let latest = ledger.latest_hour(&Scope::everything()).await.context("reading the latest hour")?;
        // After the ledger: an hour recorded meanwhile must not look like one of the future.
        let now = clock.now();
        if let Some((cluster, hour)) = &latest
            && hour.end() > now
        {
            anyhow::bail!(
                "the clock says {} but the hour {hour} of {cluster} is already recorded; check time \
                 synchronisation: if the clock is wrong now, set it; if it was ahead when the hour was \
                 recorded, wait until {} or restore the backup from before; nothing is measured or rated \
                 until then",
                now.format("%Y-%m-%dT%H:%M:%SZ"),
                hour.end().format("%Y-%m-%dT%H:%M:%SZ"),
            );
        }
        Ok(Self { now, recorded_until: latest.map(|(_, hour)| hour.next()) })
    }
}
