//! The ledger, to look at: beside a daemon that may be writing it.

use std::sync::Arc;

use anyhow::Context;
use defray_ledger::{Ledger, Location, Scope};
use defray_pricing::time::BillingZone;

use super::{Failure, ReportSource};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::rerate::Rerate;
use crate::supervise::Supervisor;

/// What is stored, and whether every number of it is made up.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) rerate: Rerate,
    pub(super) demo: bool,
}

impl Stored {
    /// Opens the ledger that the command line names.
    pub(super) async fn open(from: &ReportSource, config: Option<&Config>) -> Result<Self, Failure> {
        let location = match config {
            Some(config) => config.ledger.location.clone(),
            None => location(from.data.as_deref().unwrap_or_default())?,
        };
        let ledger = Ledger::open_beside(&location)
            .await
            .with_context(|| format!("opening the ledger at {location}"))?;
        let demo = app::is_demo(&ledger).await?;
        let (ground, clock, zone) = match config {
            _ if demo => app::demo_ground()?,
            Some(config) => (app::configured_ground(config), Clock::wall(), config.billing.zone),
            None => {
                return Err(Failure::Usage(anyhow::anyhow!(
                    "only the configuration says whose the namespaces in the ledger at {location} are and from \
                     when on its clusters count: name it with --config instead of --data"
                )));
            }
        };
        let supervisor = Supervisor::new();
        let rerate = Rerate { ledger, clock, ground: Arc::new(ground), zone, supervisor };
        Ok(Self { rerate, demo })
    }

    /// Lets go of the ledger, whatever came of the work.
    pub(super) async fn close<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        self.rerate.ledger.close().await;
        result
    }
}

/// The zone in which the months of a ledger begin, as far as the ledger knows: the demo's is known, and a closed
/// month says in which it was closed.
pub(super) async fn zone(data: &str) -> Result<Option<BillingZone>, Failure> {
    let location = location(data)?;
    let ledger =
        Ledger::open_beside(&location).await.with_context(|| format!("opening the ledger at {location}"))?;
    let zone = zone_of(&ledger).await;
    ledger.close().await;
    Ok(zone?)
}

async fn zone_of(ledger: &Ledger) -> anyhow::Result<Option<BillingZone>> {
    if app::is_demo(ledger).await? {
        return Ok(Some(app::demo_ground()?.2));
    }
    let closes = ledger.closes(&Scope::everything()).await.context("reading the closed months")?;
    let newest = closes.iter().max_by_key(|close| close.seq);
    newest.map(|close| BillingZone::new(&close.zone).context("reading a close")).transpose()
}

/// Where a ledger is, as it is written on the command line.
pub(super) fn location(data: &str) -> Result<Location, Failure> {
    if data.contains("://") {
        Location::parse(data).map_err(|error| Failure::Usage(error.into()))
    } else {
        Ok(Location::directory(data))
    }
}
