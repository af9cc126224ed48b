//! Moves settled days out of the database, sweeps what a stopped daemon left behind there, and prunes old hours.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use defray_pricing::time::Hour;

use super::Shared;

/// How long a file may be announced and not entered before it counts as left behind.
const LEFT_BEHIND: TimeDelta = TimeDelta::days(1);
/// Days moved in one run: the database has other writers, and the next run comes soon.
const DAYS_A_RUN: usize = 16;

/// Moves settled days into the archive, and lets go of hours that are old enough.
#[derive(Debug, Clone)]
pub struct Archivist {
    /// What it works with.
    pub shared: Shared,
    /// How many days after its end a day is moved, if there is an archive.
    pub after_days: Option<u16>,
    /// How many days after its end an hour is pruned, once its month is closed; none for never.
    pub prune_after_days: Option<u16>,
}

impl Archivist {
    /// Moves the oldest days that are settled, sweeps and prunes.
    pub async fn run(&self) -> anyhow::Result<String> {
        let now = self.shared.clock.now();
        let ago = |days: u16| Hour::containing(now - TimeDelta::days(days.into()));
        let mut done = Vec::new();
        if let Some(days) = self.after_days {
            done.push(self.archive(ago(days), now).await?);
        }
        if let Some(days) = self.prune_after_days {
            let Shared { ledger, guard, .. } = &self.shared;
            let pruned = ledger.prune(guard, ago(days)).await.context("pruning old hours")?;
            if pruned > 0 {
                tracing::info!(prune.revisions = pruned, "rows of old hours of closed months are pruned");
            }
            done.push(format!("{pruned} revisions pruned"));
        }
        Ok(done.join(", "))
    }

    async fn archive(&self, before: Hour, now: DateTime<Utc>) -> anyhow::Result<String> {
        let Shared { ledger, guard, .. } = &self.shared;
        let swept = ledger
            .sweep_archive(guard, now - LEFT_BEHIND)
            .await
            .context("sweeping what was left behind in the archive")?;
        let (mut days, mut revisions) = (0_usize, 0_u64);
        while days < DAYS_A_RUN {
            let moved = ledger.archive_next(guard, before, now).await.context("archiving a settled day")?;
            let Some(day) = moved else { break };
            tracing::info!(
                archive.cluster = %day.cluster,
                archive.day = day.day,
                archive.file = day.file,
                "the rows of a settled day are in the archive"
            );
            days = days.saturating_add(1);
            revisions = revisions.saturating_add(day.revisions);
        }
        Ok(format!("{days} settled days with {revisions} revisions archived, {swept} files swept"))
    }
}

#[cfg(test)]
mod tests {
    use defray_ledger::{Ledger, Location, RecordedHour, Scope};
    use defray_pricing::time::HourRange;
    use defray_pricing::usage::UsageHour;

    use super::*;
    use crate::clock::Clock;
    use crate::supervise::Supervisor;
    use crate::telemetry::Telemetry;

    /// Days younger than that stay; what was moved is read as before.
    #[tokio::test]
    async fn days_go_once_they_are_old_enough() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&Location::directory(folder.path())).await.unwrap();
        let guard = ledger.acquire().await.unwrap();
        let first = Hour::containing("2026-10-01T00:00:00Z".parse().unwrap());
        let at = |n: i64| Hour::from_index(first.index() + n);
        let hour =
            |n: i64| RecordedHour { usage: UsageHour::empty("c".into(), at(n)), measured_at: at(n).end() };
        ledger.record(&guard, (0..96).map(hour).collect()).await.unwrap();
        let shared = |now: &str| Shared {
            ledger: ledger.clone(),
            guard: guard.clone(),
            clock: Clock::fixed(now.parse().unwrap()),
            metrics: Telemetry::new().metrics,
            supervisor: Supervisor::new(),
        };
        for (now, told) in [
            (
                "2026-10-11T23:59:59Z",
                "0 settled days with 0 revisions archived, 0 files swept, 0 revisions pruned",
            ),
            (
                "2026-10-13T08:00:00Z",
                "2 settled days with 48 revisions archived, 0 files swept, 0 revisions pruned",
            ),
            (
                "2026-10-13T09:00:00Z",
                "0 settled days with 0 revisions archived, 0 files swept, 0 revisions pruned",
            ),
        ] {
            let archivist =
                Archivist { shared: shared(now), after_days: Some(10), prune_after_days: Some(2) };
            assert_eq!(archivist.run().await.unwrap(), told, "{now}");
        }
        let range = HourRange { from: first, until: at(96) };
        assert_eq!(ledger.usage(&Scope::everything(), range).await.unwrap().len(), 96);
        let days = std::fs::read_dir(folder.path().join("archive/hours")).unwrap();
        let mut days: Vec<_> = days.map(|day| day.unwrap().file_name()).collect();
        days.sort();
        assert_eq!(days, ["2026-10-01", "2026-10-02"]);
    }
}
