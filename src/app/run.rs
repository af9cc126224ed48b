//! Every task the daemon runs, in one place.

use std::sync::Arc;
use std::time::Duration;

use crate::http;
use crate::jobs::{
    Archivist, Bell, BookKeeper, CloseKeeper, Historian, Job, KnownPast, Looks, Memory, Observer, PodKeeper,
    Rater, Remarks, Retentions, Sampler, Told, Unwritten, Watched, drive,
};
use crate::supervise::{Ended, OnError};

use super::App;

/// How long a shutdown may take: less than the half minute that Kubernetes grants.
const DRAIN: Duration = Duration::from_secs(25);
/// How often hours are looked for that are due.
const SAMPLE_EVERY: Duration = Duration::from_secs(30);
/// How often the files of the price book are looked at.
const BOOK_EVERY: Duration = Duration::from_secs(30);
/// How often everything is listed even if no watch saw anything.
const OBSERVE_EVERY: Duration = Duration::from_hours(1);
/// How often it is looked whether pods must be listed: once for every hour that has settled.
const PODS_EVERY: Duration = Duration::from_secs(30);
/// How often it is looked whether the past of a cluster is known; each is asked for once.
const PAST_EVERY: Duration = Duration::from_hours(1);
/// How often it is looked whether anything must be rated anew, even if nobody rang.
const RATE_EVERY: Duration = Duration::from_mins(5);
/// How often it is looked whether a report is due or waits to be sent again.
const PUSH_EVERY: Duration = Duration::from_mins(1);
/// How often it is looked whether days have settled.
const ARCHIVE_EVERY: Duration = Duration::from_mins(15);
/// How often it is looked whether a month is due to be closed.
const CLOSE_EVERY: Duration = Duration::from_mins(5);
/// How long after a failure a job runs again.
const RETRY: Duration = Duration::from_secs(15);

/// The bells by which one job wakes another.
#[derive(Debug, Clone, Default)]
struct Bells {
    observe: Bell,
    past: Bell,
    pods: Bell,
    sample: Bell,
    rate: Bell,
    computed: Bell,
    close: Bell,
    push: Bell,
}

impl App {
    /// Runs until the supervisor is asked to stop, or something fails that it cannot do without.
    pub async fn run(self) -> Result<(), Ended> {
        let supervisor = self.supervisor();
        let ledger = self.ledger();
        self.start();
        let ended = supervisor.wait(DRAIN).await;
        // Last of all: whatever was still running has written what it had to.
        ledger.close().await;
        ended
    }

    fn start(self) {
        let bells = Bells { push: self.push.clone(), ..Bells::default() };
        let looks = Looks::default();
        self.start_book(&bells);
        self.start_observe(&bells, &looks);
        self.start_pods(&bells, &looks);
        let past = KnownPast::default();
        self.start_past(&bells, &past);
        let sampler = self.sampler(&bells, past, looks);
        self.start_sample(&bells, &sampler);
        self.start_rate(&bells);
        self.start_close(&bells, sampler);
        self.start_push(&bells);
        self.start_archive();
        // After every job has said that it is waited for: who asks earlier would be told that all is well.
        self.start_http();
    }

    fn job(&self, name: &'static str, every: Duration, bell: &Bell, essential: bool) -> Job {
        if essential {
            self.board.expect(name);
        }
        Job { name, every, retry: RETRY.min(every), bell: bell.clone(), essential }
    }

    fn start_http(&self) {
        let supervisor = self.supervisor();
        let (listener, routes, owner) = (Arc::clone(&self.listener), self.routes.clone(), supervisor.clone());
        supervisor.spawn("http", OnError::Stop, move |_| {
            http::serve(Arc::clone(&listener), routes.clone(), owner.clone())
        });
    }

    fn start_book(&self, bells: &Bells) {
        let keeper = BookKeeper {
            shared: self.shared.clone(),
            read: Arc::clone(&self.read_book),
            in_force: self.book.clone(),
            changed: bells.rate.clone(),
        };
        let job = self.job("book", BOOK_EVERY, &Bell::new(), false);
        let (board, shared) = (self.board.clone(), self.shared.clone());
        self.shared.supervisor.spawn("book", OnError::Stop, move |stop| {
            let keeper = keeper.clone();
            drive(job.clone(), board.clone(), shared.clone(), stop, move || {
                let keeper = keeper.clone();
                async move { keeper.run().await }
            })
        });
    }

    fn start_observe(&self, bells: &Bells, looks: &Looks) {
        let now = self.shared.clock.now();
        let watched = Watched::default();
        for cluster in self.clusters.iter().filter(|cluster| !cluster.has_ended(now)) {
            let (cluster, bell, watched) = (cluster.clone(), bells.observe.clone(), watched.clone());
            let clock = self.shared.clock.clone();
            self.shared.supervisor.spawn("watch", OnError::Restart, move |stop| {
                let (cluster, bell, watched) = (cluster.clone(), bell.clone(), watched.clone());
                let clock = clock.clone();
                async move {
                    loop {
                        let kinds = tokio::select! {
                            changed = cluster.observe.changed() => changed?,
                            () = stop.cancelled() => return Ok(()),
                        };
                        watched.told(&cluster.name, &kinds, clock.now());
                        bell.ring();
                    }
                }
            });
        }
        let observer = Observer {
            shared: self.shared.clone(),
            clusters: self.clusters.clone(),
            rules: self.config.tenancy.clone(),
            // Pods are listed and hours measured after it, and looking into the past begins with the first.
            observed: vec![bells.past.clone(), bells.pods.clone(), bells.sample.clone()],
            memory: Memory::default(),
            looks: looks.clone(),
            settle: self.config.history.settle,
            watched,
        };
        let job = self.job("observe", OBSERVE_EVERY, &bells.observe, true);
        let (board, shared) = (self.board.clone(), self.shared.clone());
        self.shared.supervisor.spawn("observe", OnError::Stop, move |stop| {
            let observer = observer.clone();
            drive(job.clone(), board.clone(), shared.clone(), stop, move || {
                let observer = observer.clone();
                async move { observer.run().await }
            })
        });
    }

    /// Only where pods of any cluster are listed: measuring waits for it.
    fn start_pods(&self, bells: &Bells, looks: &Looks) {
        let clusters: Vec<_> =
            self.clusters.iter().filter(|cluster| cluster.pods.is_some()).cloned().collect();
        if clusters.is_empty() {
            return;
        }
        let (shared, settle) = (self.shared.clone(), self.config.history.settle);
        let (listed, observe, looks) = (bells.sample.clone(), bells.observe.clone(), looks.clone());
        let unwritten = Unwritten::default();
        let keeper = PodKeeper { shared, clusters, settle, listed, observe, looks, unwritten };
        let now = self.shared.clock.now();
        for cluster in keeper.clusters.iter().filter(|cluster| !cluster.has_ended(now)) {
            let (keeper, cluster) = (keeper.clone(), cluster.clone());
            self.shared.supervisor.spawn("watch pods", OnError::Stop, move |stop| {
                let (keeper, cluster) = (keeper.clone(), cluster.clone());
                async move { keeper.follow(&cluster, stop).await }
            });
        }
        let job = self.job("pods", PODS_EVERY, &bells.pods, true);
        let (board, shared) = (self.board.clone(), self.shared.clone());
        self.shared.supervisor.spawn("pods", OnError::Stop, move |stop| {
            let keeper = keeper.clone();
            drive(job.clone(), board.clone(), shared.clone(), stop, move || {
                let keeper = keeper.clone();
                async move { keeper.run().await }
            })
        });
    }

    fn start_past(&self, bells: &Bells, past: &KnownPast) {
        let historian = Historian {
            shared: self.shared.clone(),
            clusters: self.clusters.clone(),
            known: past.clone(),
            learned: bells.sample.clone(),
        };
        let job = self.job("past", PAST_EVERY, &bells.past, false);
        let (board, shared) = (self.board.clone(), self.shared.clone());
        self.shared.supervisor.spawn("past", OnError::Stop, move |stop| {
            let historian = historian.clone();
            drive(job.clone(), board.clone(), shared.clone(), stop, move || {
                let historian = historian.clone();
                async move { historian.run().await }
            })
        });
    }

    fn sampler(&self, bells: &Bells, past: KnownPast, looks: Looks) -> Sampler {
        let history = &self.config.history;
        Sampler {
            shared: self.shared.clone(),
            clusters: self.clusters.clone(),
            settle: history.settle,
            concurrency: history.concurrency,
            pause: history.pause,
            only: None,
            past,
            looks,
            retentions: Retentions::default(),
            observe: bells.observe.clone(),
            recorded: bells.rate.clone(),
            stop: self.shared.supervisor.stopping(),
        }
    }

    fn start_close(&self, bells: &Bells, sampler: Sampler) {
        let keeper = CloseKeeper {
            shared: self.shared.clone(),
            closer: self.closer.clone(),
            sampler,
            after_days: self.config.billing.close_after_days,
            closed: bells.push.clone(),
            told: Told::default(),
        };
        let (again, bells_after) = (self.closer.again.clone(), bells.clone());
        self.shared.supervisor.spawn("wake close", OnError::Stop, move |stop| {
            let (again, bells) = (again.clone(), bells_after.clone());
            async move {
                loop {
                    tokio::select! {
                        () = again.wanted() => {}
                        // A month that was computed anew may be sent, and may be what a close waits for.
                        () = bells.computed.rung() => bells.push.ring(),
                        () = stop.cancelled() => return Ok(()),
                    }
                    bells.close.ring();
                }
            }
        });
        let job = self.job("close", CLOSE_EVERY, &bells.close, false);
        let (board, shared) = (self.board.clone(), self.shared.clone());
        self.shared.supervisor.spawn("close", OnError::Stop, move |stop| {
            let keeper = keeper.clone();
            drive(job.clone(), board.clone(), shared.clone(), stop, move || {
                let keeper = keeper.clone();
                async move { keeper.run().await }
            })
        });
    }

    fn start_sample(&self, bells: &Bells, sampler: &Sampler) {
        let sampler = sampler.clone();
        let job = self.job("sample", SAMPLE_EVERY, &bells.sample, true);
        let (board, shared) = (self.board.clone(), self.shared.clone());
        self.shared.supervisor.spawn("sample", OnError::Stop, move |stop| {
            let sampler = sampler.clone();
            drive(job.clone(), board.clone(), shared.clone(), stop, move || {
                let sampler = sampler.clone();
                async move { sampler.run().await }
            })
        });
    }

    fn start_push(&self, bells: &Bells) {
        let Some(pusher) = self.pusher.clone() else { return };
        let job = self.job("push", PUSH_EVERY, &bells.push, false);
        let (board, shared) = (self.board.clone(), self.shared.clone());
        self.shared.supervisor.spawn("push", OnError::Stop, move |stop| {
            let pusher = pusher.clone();
            drive(job.clone(), board.clone(), shared.clone(), stop, move || {
                let pusher = pusher.clone();
                async move { pusher.run().await }
            })
        });
    }

    fn start_archive(&self) {
        let place = &self.config.ledger;
        let after_days = place.archive.as_ref().map(|archive| archive.after_days);
        if after_days.is_none() && place.prune_after_days.is_none() {
            return;
        }
        let (shared, prune_after_days) = (self.shared.clone(), place.prune_after_days);
        let archivist = Archivist { shared, after_days, prune_after_days };
        let job = self.job("archive", ARCHIVE_EVERY, &Bell::new(), false);
        let (board, shared) = (self.board.clone(), self.shared.clone());
        self.shared.supervisor.spawn("archive", OnError::Stop, move |stop| {
            let archivist = archivist.clone();
            drive(job.clone(), board.clone(), shared.clone(), stop, move || {
                let archivist = archivist.clone();
                async move { archivist.run().await }
            })
        });
    }

    fn start_rate(&self, bells: &Bells) {
        let rater = Rater {
            shared: self.shared.clone(),
            ground: super::ground(&self.config, &self.clusters),
            book: self.book.subscribe(),
            computed: bells.computed.clone(),
            remarks: Remarks::default(),
            stop: self.shared.supervisor.stopping(),
        };
        let job = self.job("rate", RATE_EVERY, &bells.rate, true);
        let (board, shared) = (self.board.clone(), self.shared.clone());
        self.shared.supervisor.spawn("rate", OnError::Stop, move |stop| {
            let rater = rater.clone();
            drive(job.clone(), board.clone(), shared.clone(), stop, move || {
                let rater = rater.clone();
                async move { rater.run().await }
            })
        });
    }
}
