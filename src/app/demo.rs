//! The demo: a made-up platform behind the two seams, everything else as it is for any cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Utc};
use defray_ledger::{Assumed, LedgerError, Location, RecordedHour, Scope};
use defray_pricing::book::{PriceBook, Problem};
use defray_pricing::time::{BillingZone, Hour, HourRange};
use defray_pricing::usage::UsageHour;
use futures::future::BoxFuture;

use crate::clock::Clock;
use crate::config::{Config, History, LedgerPlace};
use crate::demo::Platform;
use crate::jobs::{
    Cluster, Known, Measure, MeasuredHour, NotMeasured, ObjectKind, Observe, Observed, Shared,
};
use crate::rerate::{Counts, Ground};

use super::{App, NotStarted, Setup};

/// How many hours are recorded in one transaction.
const BATCH: usize = 24 * 7;

/// Builds the demo over a directory and fills it with what a cluster would have told over three months.
/// A directory that was filled before is only completed.
pub async fn demo(data: &Path, listen: SocketAddr) -> Result<App, NotStarted> {
    let platform = Arc::new(Platform::new().context("the demo's time zone")?);
    let app = App::build(setup(&platform, data, listen)?).await?;
    fill(&platform, &app.shared()).await?;
    Ok(app)
}

/// What counts in a ledger that holds the demo, what time it is there, and its billing zone.
pub fn demo_ground() -> anyhow::Result<(Ground, Clock, BillingZone)> {
    let platform = Platform::new().context("the demo's time zone")?;
    let ground = Ground {
        clusters: [(platform.cluster(), counts(&platform))].into(),
        tenancy: platform.rules(),
        settle: History::default().settle,
        forms: BTreeMap::new(),
    };
    Ok((ground, Clock::fixed(platform.clock_at()), platform.zone()))
}

fn setup(platform: &Arc<Platform>, data: &Path, listen: SocketAddr) -> Result<Setup, NotStarted> {
    let mut config = Config::example().map_err(NotStarted::Problems)?;
    config.billing.zone = platform.zone();
    // Its first months are closed: a visitor sees what is final beside what still moves.
    config.billing.close_after_days = Some(3);
    config.ledger = LedgerPlace::at(Location::directory(data));
    config.http.listen = listen;
    config.tenancy = platform.rules();
    let sources = platform.price_book();
    let zone = platform.zone();
    let cluster = Cluster {
        name: platform.cluster(),
        counts: counts(platform),
        accepted: BTreeSet::new(),
        measure: Arc::clone(platform) as Arc<dyn Measure>,
        observe: Arc::clone(platform) as Arc<dyn Observe>,
        pods: None,
    };
    Ok(Setup {
        config,
        clock: Clock::fixed(platform.clock_at()),
        clusters: vec![cluster],
        read_book: Arc::new(move || -> Result<_, Vec<Problem>> {
            Ok((PriceBook::parse(&sources, zone)?, sources.clone()))
        }),
        demo: true,
    })
}

fn counts(platform: &Platform) -> Counts {
    Counts { since: Some(platform.range().from), until: None }
}

/// The past, faster than the jobs would catch up on it: many hours a transaction.
async fn fill(platform: &Arc<Platform>, shared: &Shared) -> anyhow::Result<()> {
    let (ledger, guard, cluster) = (&shared.ledger, &shared.guard, platform.cluster());
    for (at, observation) in platform.observations() {
        match ledger.observe(guard, &cluster, at, &observation).await {
            // Taken in by an earlier start.
            Ok(_) | Err(LedgerError::ClockWentBack { .. }) => {}
            Err(error) => return Err(error).context("taking in the demo's ownership"),
        }
    }
    let recorded = ledger.recorded_hours(&Scope::everything(), &cluster, platform.range()).await?;
    let lost = platform.lost();
    let due: Vec<Hour> =
        platform.range().iter().filter(|hour| !lost.contains(*hour) && !recorded.contains(hour)).collect();
    for batch in due.chunks(BATCH) {
        let (batch, from) = (batch.to_vec(), Arc::clone(platform));
        let measure = move || batch.into_iter().map(|hour| from.usage(hour)).collect::<Vec<UsageHour>>();
        let usage = shared.supervisor.blocking("make up usage", measure).await?;
        let measured_at = shared.clock.now();
        let hours = usage.into_iter().map(|usage| RecordedHour { usage, measured_at }).collect();
        ledger.record(guard, hours).await.context("recording the demo's hours")?;
    }
    Ok(())
}

impl Measure for Platform {
    fn measure(&self, hour: Hour, _known: Known) -> BoxFuture<'_, Result<MeasuredHour, NotMeasured>> {
        Box::pin(async move {
            if self.lost().contains(hour) {
                let reason = "the demo's metrics store was down and kept nothing of this hour".to_owned();
                return Err(NotMeasured::because(reason));
            }
            Ok(self.usage(hour).into())
        })
    }

    fn clock(&self) -> BoxFuture<'_, Option<DateTime<Utc>>> {
        Box::pin(std::future::ready(Some(self.clock_at())))
    }

    fn assumed(&self, _before: HourRange) -> BoxFuture<'_, Result<Assumed, NotMeasured>> {
        Box::pin(async { Ok(Assumed::default()) })
    }
}

impl Observe for Platform {
    fn observe(&self) -> BoxFuture<'_, anyhow::Result<Observed>> {
        Box::pin(async {
            let last = self.observations().pop().context("the demo shows nothing")?;
            Ok(Observed { observation: last.1, ..Observed::default() })
        })
    }

    fn changed(&self) -> BoxFuture<'_, anyhow::Result<BTreeSet<ObjectKind>>> {
        Box::pin(std::future::pending())
    }
}
