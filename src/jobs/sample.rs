//! Measures the hours that are due: the newest first so that a backlog never starves it, then the oldest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use defray_ledger::{LedgerError, Missing, RecordedHour, Scope};
use defray_pricing::ownership::Timeline;
use defray_pricing::time::{Hour, HourRange};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::halved;
use super::lost::Evidence;
use super::plan::{back_off, order};
use super::pods::tells_of;
use super::runner::gist;
use super::{
    Bell, Cluster, Known, KnownPast, LeftOut, Looks, MeasuredHour, NotMeasured, Retentions, Shared, seconds,
};
use crate::rerate::{hours_of, settled_until};
use crate::telemetry::{ClusterLabel, HourOutcome, LeftOutLabel};

/// How many hours of a cluster are measured before it is looked again which are due.
const BATCH: usize = 12;
/// After so many failures in a row that would hit any hour, the others are left for the next run.
const OUTAGE: u32 = 2;
/// What hours wait for.
const OBSERVED: &str = "its cluster is observed";
const LISTED: &str = "the pods of its cluster are listed";

/// Measures hours.
#[derive(Debug, Clone)]
pub struct Sampler {
    /// What it works with.
    pub shared: Shared,
    /// The clusters it looks after.
    pub clusters: Vec<Cluster>,
    /// How long after its end an hour is measured.
    pub settle: Duration,
    /// How many past hours of one cluster are measured at once.
    pub concurrency: usize,
    /// How long to rest between past hours.
    pub pause: Duration,
    /// None but these; none where all that is due is measured.
    pub only: Option<HourRange>,
    /// Whose hours before the first observation can be measured.
    pub past: KnownPast,
    /// Why hours wait for an observation, or for a list of pods.
    pub looks: Looks,
    /// How long their metrics stores keep samples.
    pub retentions: Retentions,
    /// Rung when an hour waits until its cluster is observed.
    pub observe: Bell,
    /// Rung when hours were recorded.
    pub recorded: Bell,
    /// Cancelled when the daemon stops.
    pub stop: CancellationToken,
}

/// What is measured together.
struct Due {
    hours: Vec<Hour>,
    timeline: Arc<Timeline>,
    noted: BTreeMap<Hour, Missing>,
    /// The hours that have settled.
    range: HourRange,
}

/// What one cluster came to.
#[derive(Debug, Default)]
struct Tally {
    recorded: u32,
    failed: u32,
    missing: u64,
    lost: usize,
    /// Why the run went wrong: nobody answers, or the newest hour could not be measured. A past hour that
    /// the store has forgotten is missing, and counted so, but no reason to be alarmed for ever.
    alarm: Option<String>,
}

impl Sampler {
    /// Measures everything that is due, clusters side by side.
    pub async fn run(&self) -> anyhow::Result<String> {
        let runs = self.clusters.iter().map(|cluster| async move {
            let result = self.cluster(cluster).await;
            result.with_context(|| format!("cluster {}", cluster.name)).map(|tally| (cluster, tally))
        });
        let mut done = Vec::new();
        let mut wrong = Vec::new();
        for result in futures::future::join_all(runs).await {
            let (cluster, tally) = result?;
            let lost = if tally.lost > 0 { format!(", {} lost", tally.lost) } else { String::new() };
            let (recorded, missing) = (tally.recorded, tally.missing);
            done.push(format!("{}: {recorded} hours recorded, {missing} missing{lost}", cluster.name));
            if let Some(reason) = tally.alarm {
                wrong.push(format!("{}: {} hours not measured: {reason}", cluster.name, tally.failed));
            }
        }
        anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        Ok(done.join("; "))
    }

    async fn cluster(&self, cluster: &Cluster) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        let (mut tried, mut evidence) = (BTreeSet::new(), Evidence::default());
        self.look_for_lost(cluster).await?;
        loop {
            let now = self.shared.present().await?.now;
            // Before the timeline: it may know more than this says, and not less.
            let observed = self.shared.ledger.observed_until(&Scope::everything(), &cluster.name).await?;
            let timeline = Arc::new(self.shared.ledger.timeline(&Scope::everything()).await?);
            let until = settled_until(now, self.settle);
            let range = hours_of(&cluster.name, cluster.counts, &timeline, until);
            let ledger = &self.shared.ledger;
            let recorded = ledger.recorded_hours(&Scope::everything(), &cluster.name, range).await?;
            let noted = self.noted(cluster, range).await?;
            let is_lost =
                |hour: &Hour| noted.get(hour).is_some_and(|note: &Missing| note.lost_since.is_some());
            let (lost, absent): (BTreeSet<Hour>, BTreeSet<Hour>) =
                range.iter().filter(|hour| !recorded.contains(hour)).partition(is_lost);
            self.show(cluster, &absent, lost.len(), recorded.last().copied());
            (tally.missing, tally.lost) = (u64::try_from(absent.len())?, lost.len());
            let first = self.first_measurable(cluster, &timeline, range.from);
            let listed = ledger.pods_listed(&Scope::everything(), &cluster.name).await?;
            let covers = |at, hour: &Hour| tells_of(at, *hour, self.settle, now);
            if absent.iter().any(|hour| !covers(observed, hour)) {
                self.observe.ring();
            }
            let is_known =
                |hour: &Hour| covers(observed, hour) && (cluster.pods.is_none() || covers(listed, hour));
            if tried.is_empty() {
                let unseen = absent.iter().filter(|hour| !covers(observed, hour)).copied().collect();
                self.show_retention(cluster, absent.first().copied()).await;
                self.note_waiting(cluster, &noted, unseen, OBSERVED, self.looks.observing(&cluster.name))
                    .await?;
                let unlisted =
                    absent.iter().filter(|hour| covers(observed, hour) && !is_known(hour)).copied().collect();
                self.note_waiting(cluster, &noted, unlisted, LISTED, self.looks.listing(&cluster.name))
                    .await?;
            }
            let is_accepted = |note: &Missing| {
                cluster.accepted.contains(&note.hour) && note.reason.starts_with(halved::PARKED)
            };
            let is_later = |note: &Missing| note.next_try > now && !is_accepted(note);
            let waits = |hour: &Hour| {
                let is_wanted = self.only.is_none_or(|only| only.contains(*hour));
                !is_wanted || *hour < first || !is_known(hour) || noted.get(hour).is_some_and(is_later)
            };
            let due = absent.into_iter().filter(|hour| !tried.contains(hour) && !waits(hour)).collect();
            let batch: Vec<Hour> = order(due).into_iter().take(BATCH).collect();
            if batch.is_empty() || self.stop.is_cancelled() {
                return Ok(tally);
            }
            let sizes = halved::Sizes::new(ledger, &cluster.name, recorded);
            let due = Due { hours: batch, timeline, noted, range };
            if !self.batch(cluster, due, sizes, (&mut tally, &mut tried, &mut evidence)).await? {
                return Ok(tally);
            }
        }
    }

    /// Hours before the first observation wait until it is known who owned what then.
    fn first_measurable(&self, cluster: &Cluster, timeline: &Timeline, from: Hour) -> Hour {
        if self.past.holds(&cluster.name) {
            return from;
        }
        timeline.observed_since.get(&cluster.name).map_or(from, |at| Hour::containing(*at))
    }

    /// What is noted of the hours that count. What was noted of others is forgotten: they are missed no more.
    async fn noted(&self, cluster: &Cluster, counted: HourRange) -> anyhow::Result<BTreeMap<Hour, Missing>> {
        let missing = self.shared.ledger.missing(&Scope::everything()).await?;
        let mine = missing.into_iter().filter(|note| note.cluster == cluster.name);
        let (noted, others): (Vec<_>, Vec<_>) = mine.partition(|note| counted.contains(note.hour));
        if !others.is_empty() {
            self.shared.ledger.forget_missing(&self.shared.guard, &cluster.name, counted).await?;
        }
        Ok(noted.into_iter().map(|note| (note.hour, note)).collect())
    }

    /// Notes of hours that wait for somebody who fails why they do: it may be for ever.
    async fn note_waiting(
        &self,
        cluster: &Cluster,
        noted: &BTreeMap<Hour, Missing>,
        waiting: Vec<Hour>,
        awaited: &str,
        failure: Option<String>,
    ) -> anyhow::Result<()> {
        let Some(failure) = failure else { return Ok(()) };
        let reason = format!(
            "it waits until {awaited} after the hour had settled: {failure}; if that will never be, because the \
             cluster is gone, say with `until` in its configuration which hour no longer counts"
        );
        let is_news = |hour: &Hour| noted.get(hour).is_none_or(|note| gist(&note.reason) != gist(&reason));
        let news: Vec<Hour> = waiting.into_iter().filter(is_news).collect();
        if news.is_empty() {
            return Ok(());
        }
        let (ledger, now) = (&self.shared.ledger, self.shared.clock.now());
        ledger.note_waiting(&self.shared.guard, &cluster.name, &news, &reason, now).await?;
        tracing::warn!(cluster.name = %cluster.name, hours.waiting = news.len(), error = reason, "hours wait");
        Ok(())
    }

    /// Measures a batch, or the part of it before another hour has settled: what is live does not wait for what is
    /// past. Says whether there is sense in going on with the next.
    async fn batch(
        &self,
        cluster: &Cluster,
        due: Due,
        mut sizes: halved::Sizes<'_>,
        (tally, seen, evidence): (&mut Tally, &mut BTreeSet<Hour>, &mut Evidence),
    ) -> anyhow::Result<bool> {
        let Due { hours, timeline, noted, range } = due;
        let ends = cluster.counts.until;
        let measuring = hours.into_iter().map(|hour| self.measure(cluster, hour, &timeline));
        let mut measured = std::pin::pin!(futures::stream::iter(measuring).buffered(self.concurrency.max(1)));
        let mut outages = 0;
        while let Some((hour, result)) = measured.next().await {
            seen.insert(hour);
            let result = match result? {
                Ok(measured) => self.believe(cluster, measured, &timeline, &mut sizes).await?,
                Err(failure) => Err(failure),
            };
            match result {
                Ok(measured) => {
                    outages = 0;
                    sizes.recorded(&measured.usage);
                    self.record(cluster, measured).await?;
                    tally.recorded += 1;
                }
                Err(failure) => {
                    outages = if failure.outage { outages + 1 } else { 0 };
                    let tries = noted.get(&hour).map_or(0, |note| note.tries);
                    self.note(cluster, hour, tries, &failure).await?;
                    if failure.empty {
                        self.judge(cluster, hour, noted.get(&hour), (range.from, evidence)).await?;
                    }
                    tally.failed += 1;
                    if failure.outage || hour == range.until.previous() {
                        tally.alarm = Some(failure.reason);
                    }
                }
            }
            if outages >= OUTAGE || self.stop.is_cancelled() {
                return Ok(false);
            }
            let settled = settled_until(self.shared.clock.now(), self.settle);
            if ends.map_or(settled, |ends| ends.min(settled)) > range.until {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Refuses an hour whose nodes seem to be lost, unless a person accepts it.
    pub(super) async fn believe(
        &self,
        cluster: &Cluster,
        measured: MeasuredHour,
        timeline: &Timeline,
        sizes: &mut halved::Sizes<'_>,
    ) -> Result<Result<MeasuredHour, NotMeasured>, LedgerError> {
        let Some(reason) = sizes.doubt(&measured.usage, timeline).await? else { return Ok(Ok(measured)) };
        if cluster.accepted.contains(&measured.usage.hour) {
            tracing::warn!(
                cluster.name = %cluster.name,
                hour.start = %measured.usage.hour,
                "recorded because the configuration accepts it: {}",
                reason.trim_start_matches(halved::PARKED)
            );
            return Ok(Ok(measured));
        }
        Ok(Err(NotMeasured::because(reason)))
    }

    pub(super) async fn measure(
        &self,
        cluster: &Cluster,
        hour: Hour,
        timeline: &Arc<Timeline>,
    ) -> (Hour, Result<Result<MeasuredHour, NotMeasured>, LedgerError>) {
        let known = match self.known(cluster, hour, timeline).await {
            Ok(known) => known,
            Err(error) => return (hour, Err(error)),
        };
        let result = cluster.measure.measure(hour, known).await;
        if !self.pause.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(self.pause) => {}
                () = self.stop.cancelled() => {}
            }
        }
        (hour, Ok(result))
    }

    async fn known(
        &self,
        cluster: &Cluster,
        hour: Hour,
        timeline: &Arc<Timeline>,
    ) -> Result<Known, LedgerError> {
        let ledger = &self.shared.ledger;
        let pods = match &cluster.pods {
            None => None,
            Some(_) => Some(ledger.pods(&Scope::everything(), &cluster.name, hour).await?),
        };
        Ok(Known { timeline: Arc::clone(timeline), pods })
    }

    pub(super) async fn record(&self, cluster: &Cluster, measured: MeasuredHour) -> anyhow::Result<()> {
        let MeasuredHour { usage, left_out } = measured;
        let measured_at = self.shared.clock.now();
        let recorded =
            self.shared.ledger.record(&self.shared.guard, vec![RecordedHour { usage, measured_at }]).await?;
        for hour in recorded {
            let outcome = match (hour.changed, hour.revision) {
                (false, _) => "unchanged",
                (true, 1) => "new",
                (true, _) => "revised",
            };
            let label = HourOutcome { cluster: cluster.name.to_string(), outcome };
            self.shared.metrics.hours_recorded.get_or_create(&label).inc();
            tracing::info!(
                cluster.name = %cluster.name,
                hour.start = %hour.hour,
                hour.revision = hour.revision,
                hour.outcome = outcome,
                "hour recorded"
            );
            // Of a revision it was told before.
            if hour.changed && hour.revision == 1 {
                self.tell_left_out(cluster, hour.hour, &left_out);
            }
        }
        self.recorded.ring();
        Ok(())
    }

    /// Told once for each hour that is recorded: what is not billed must not go unseen.
    fn tell_left_out(&self, cluster: &Cluster, hour: Hour, left_out: &[LeftOut]) {
        for one in left_out {
            let label = LeftOutLabel {
                cluster: cluster.name.to_string(),
                quantity: one.quantity.as_str(),
                reason: one.reason.as_str(),
            };
            let units = one.quantity.base_units(one.amount);
            self.shared.metrics.growth_left_out.get_or_create(&label).inc_by(units);
            tracing::warn!(
                cluster.name = %cluster.name,
                hour.start = %hour,
                namespace.name = one.namespace,
                growth.quantity = label.quantity,
                growth.amount = units,
                growth.reason = label.reason,
                "growth that belongs to no hour is not billed"
            );
        }
    }

    async fn note(
        &self,
        cluster: &Cluster,
        hour: Hour,
        tries: u32,
        failure: &NotMeasured,
    ) -> anyhow::Result<()> {
        let now = self.shared.clock.now();
        let next_try = failure.not_before.unwrap_or(now + back_off(tries)).max(now);
        let ledger = &self.shared.ledger;
        ledger.note_missing(&self.shared.guard, &cluster.name, hour, &failure.reason, now, next_try).await?;
        tracing::warn!(
            cluster.name = %cluster.name,
            hour.start = %hour,
            hour.tries = tries.saturating_add(1),
            hour.next_try = %next_try,
            error = failure.reason,
            "hour not measured"
        );
        Ok(())
    }

    fn show(&self, cluster: &Cluster, absent: &BTreeSet<Hour>, lost: usize, latest: Option<Hour>) {
        let label = ClusterLabel { cluster: cluster.name.to_string() };
        let metrics = &self.shared.metrics;
        metrics.hours_missing.get_or_create(&label).set(i64::try_from(absent.len()).unwrap_or(i64::MAX));
        metrics.hours_lost.get_or_create(&label).set(i64::try_from(lost).unwrap_or(i64::MAX));
        match absent.first() {
            Some(oldest) => {
                metrics.oldest_missing.get_or_create(&label).set(seconds(oldest.start()));
            }
            None => {
                metrics.oldest_missing.remove(&label);
            }
        }
        if let Some(latest) = latest {
            metrics.latest_hour.get_or_create(&label).set(seconds(latest.end()));
        }
    }
}
