//! The daemon's own observation of a cluster, from its configuration to its ledger.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use defray::app::connect;
use defray::clock::Clock;
use defray::config::{Config, Environment};
use defray::jobs::{Known, Looks, Measure, MeasuredHour, Memory, NotMeasured, Observer, Shared, Watched};
use defray::supervise::Supervisor;
use defray::telemetry::{ClusterLabel, Telemetry};
use defray_ledger::{Assumed, Ledger, Location, Scope};
use defray_pricing::ownership::Timeline;
use defray_pricing::time::{Hour, HourRange};
use futures::future::BoxFuture;
use tempfile::TempDir;

use crate::harness::folder;

/// A metrics store that knows the time and nothing else.
struct Witness(Clock);

impl Measure for Witness {
    fn measure(&self, _hour: Hour, _known: Known) -> BoxFuture<'_, Result<MeasuredHour, NotMeasured>> {
        let reason = "nothing is measured here".to_owned();
        Box::pin(std::future::ready(Err(NotMeasured::because(reason))))
    }

    fn clock(&self) -> BoxFuture<'_, Option<DateTime<Utc>>> {
        Box::pin(std::future::ready(Some(self.0.now())))
    }

    fn assumed(&self, _before: HourRange) -> BoxFuture<'_, Result<Assumed, NotMeasured>> {
        Box::pin(std::future::ready(Ok(Assumed::default())))
    }
}

/// Looks at one cluster by a clock of its own, as often as it is told to.
pub(super) struct Watcher {
    pub(super) observer: Observer,
    pub(super) config: Config,
    _folder: TempDir,
}

impl Watcher {
    /// The cluster behind a kubeconfig; these keys of its `kubernetes` section, and this `tenancy` section.
    pub(super) async fn start(kubeconfig: &Path, kubernetes: &str, tenancy: &str) -> Self {
        let text = format!(
            "price_book: [book.yaml]\ntenancy: {{{tenancy}}}\nclusters:\n- name: c\n  \
             prometheus: {{url: 'http://127.0.0.1:9'}}\n  \
             kubernetes: {{kubeconfig: '{}', {kubernetes}}}\n",
            kubeconfig.display()
        );
        let config = Config::parse("defray.yaml", &text, Path::new("/"), &Environment::empty())
            .unwrap_or_else(|told| panic!("{told:#?}"));
        let folder = folder();
        let ledger = Ledger::open(&Location::directory(folder.path())).await.unwrap();
        let guard = ledger.acquire().await.unwrap();
        let shared = Shared {
            ledger,
            guard,
            clock: Clock::fixed("2026-10-01T10:00:00Z".parse().unwrap()),
            metrics: Telemetry::new().metrics,
            supervisor: Supervisor::new(),
        };
        let mut clusters = connect(&config).unwrap();
        clusters[0].measure = Arc::new(Witness(shared.clock.clone()));
        let observer = Observer {
            shared,
            clusters,
            rules: config.tenancy.clone(),
            observed: Vec::new(),
            memory: Memory::default(),
            watched: Watched::default(),
            looks: Looks::default(),
            settle: config.history.settle,
        };
        Self { observer, config, _folder: folder }
    }

    /// Lists everything, an hour after the last time.
    pub(super) async fn look(&self) -> Timeline {
        self.observer.shared.clock.advance(std::time::Duration::from_hours(1));
        self.observer.run().await.unwrap_or_else(|error| panic!("{error:#}"));
        self.observer.shared.ledger.timeline(&Scope::everything()).await.unwrap()
    }

    pub(super) fn held_over(&self) -> i64 {
        let label = ClusterLabel { cluster: "c".to_owned() };
        self.observer.shared.metrics.tenants_held_over.get_or_create(&label).get()
    }
}
