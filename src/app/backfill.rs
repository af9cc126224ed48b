//! Past hours, measured by hand while no daemon does it: the daemon's own jobs, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use defray_ledger::{Ledger, Missing, Scope};
use defray_pricing::names::ClusterName;
use defray_pricing::time::{Hour, HourRange};

use crate::clock::Clock;
use crate::config::Config;
use crate::jobs::{
    Bell, Cluster, Historian, KnownPast, Looks, Memory, Observer, PodKeeper, Retentions, Sampler, Shared,
    Unwritten, Watched,
};
use crate::rerate::{hours_of, settled_until};

/// What is wanted of the past.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of which clusters.
    pub clusters: BTreeSet<ClusterName>,
    /// Which hours, as far as they count.
    pub hours: HourRange,
}

/// How far it is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// How many hours are recorded.
    pub recorded: usize,
    /// What is neither recorded nor lost, by cluster.
    pub missing: BTreeMap<ClusterName, BTreeSet<Hour>>,
    /// What no metrics store has any more.
    pub lost: usize,
    /// Why hours could not be measured yet.
    pub notes: Vec<Missing>,
}

impl Progress {
    /// How many hours are missing.
    pub fn missing(&self) -> usize {
        self.missing.values().map(BTreeSet::len).sum()
    }
}

/// How far what is wanted is, as a ledger has it.
pub async fn progress(
    config: &Config,
    ledger: &Ledger,
    clock: &Clock,
    wanted: &Wanted,
) -> anyhow::Result<Progress> {
    let everything = Scope::everything();
    let timeline = ledger.timeline(&everything).await.context("reading which clusters were observed")?;
    let settled = settled_until(clock.now(), config.history.settle);
    let mut progress = Progress::default();
    let is_wanted =
        |note: &Missing| wanted.clusters.contains(&note.cluster) && wanted.hours.contains(note.hour);
    progress.notes = ledger.missing(&everything).await.context("reading which hours are missing")?;
    progress.notes.retain(is_wanted);
    for cluster in config.clusters.iter().filter(|cluster| wanted.clusters.contains(&cluster.name)) {
        let counts = hours_of(&cluster.name, config.counts(cluster), &timeline, settled);
        let (from, until) = (counts.from.max(wanted.hours.from), counts.until.min(wanted.hours.until));
        let hours = HourRange { from, until: until.max(from) };
        let recorded = ledger.recorded_hours(&everything, &cluster.name, hours).await;
        let recorded = recorded.context("reading which hours are recorded")?;
        let is_lost = |hour: &Hour| {
            let mine = progress.notes.iter().filter(|note| note.cluster == cluster.name);
            mine.filter(|note| note.lost_since.is_some()).any(|note| note.hour == *hour)
        };
        let absent = hours.iter().filter(|hour| !recorded.contains(hour));
        let (lost, missing): (Vec<Hour>, Vec<Hour>) = absent.partition(is_lost);
        progress.recorded += recorded.len();
        progress.lost += lost.len();
        progress.missing.insert(cluster.name.clone(), missing.into_iter().collect());
    }
    Ok(progress)
}

/// The jobs that measure.
#[derive(Debug)]
pub struct Backfill {
    observer: Observer,
    historian: Historian,
    keeper: PodKeeper,
    sampler: Sampler,
}

impl Backfill {
    /// For some clusters of a configuration; nothing is asked of them yet.
    pub fn new(config: &Config, shared: &Shared, wanted: &Wanted) -> anyhow::Result<Self> {
        let mut clusters: Vec<Cluster> = super::connect(config)?;
        clusters.retain(|cluster| wanted.clusters.contains(&cluster.name));
        let (shared, settle) = (shared.clone(), config.history.settle);
        let (known, looks) = (KnownPast::default(), Looks::default());
        let observer = Observer {
            shared: shared.clone(),
            clusters: clusters.clone(),
            rules: config.tenancy.clone(),
            observed: Vec::new(),
            memory: Memory::default(),
            looks: looks.clone(),
            settle,
            watched: Watched::default(),
        };
        let historian = Historian {
            shared: shared.clone(),
            clusters: clusters.clone(),
            known: known.clone(),
            learned: Bell::new(),
        };
        let keeper = PodKeeper {
            shared: shared.clone(),
            clusters: clusters.iter().filter(|cluster| cluster.pods.is_some()).cloned().collect(),
            settle,
            listed: Bell::new(),
            observe: Bell::new(),
            looks: looks.clone(),
            unwritten: Unwritten::default(),
        };
        let stop = shared.supervisor.stopping();
        let sampler = Sampler {
            shared,
            clusters,
            settle,
            concurrency: config.history.concurrency,
            pause: config.history.pause,
            only: Some(wanted.hours),
            past: known,
            looks,
            retentions: Retentions::default(),
            observe: Bell::new(),
            recorded: Bell::new(),
            stop,
        };
        Ok(Self { observer, historian, keeper, sampler })
    }

    /// Learns who is there, and who owned what before.
    pub async fn prepare(&self) -> anyhow::Result<()> {
        self.observer.run().await.context("observing")?;
        self.historian.run().await.context("asking who owned what before")?;
        self.keeper.run().await.context("listing pods")?;
        Ok(())
    }

    /// Measures what is due of these hours; of the whole of them once what is live.
    pub async fn measure(&self, only: HourRange) -> anyhow::Result<()> {
        Sampler { only: Some(only), ..self.sampler.clone() }.run().await.map(drop)
    }
}
