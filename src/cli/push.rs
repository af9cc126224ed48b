//! Pushes by hand what the daemon pushes by its schedule.

use std::time::Duration;

use anyhow::Context;
use defray_ledger::Ledger;

use super::{Failure, output};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::jobs::Shared;
use crate::supervise::Supervisor;
use crate::telemetry::Telemetry;

/// Makes the next revision of every report that changed, and sends what waits.
pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    if config.push.webhooks.is_empty() {
        let mend = "describe one in the configuration, under push.webhooks";
        return Err(Failure::Usage(anyhow::anyhow!("no destination is configured; {mend}")));
    }
    let location = &config.ledger.location;
    let ledger = Ledger::open(location).await.with_context(|| format!("opening the ledger at {location}"))?;
    let guard = ledger.acquire().await.context("taking over the right to write the ledger")?;
    let supervisor = Supervisor::new();
    supervisor.listen_for_signals().context("listening for signals")?;
    let metrics = Telemetry::new().metrics;
    let shared = Shared { ledger: ledger.clone(), guard, clock: Clock::wall(), metrics, supervisor };
    let pusher = app::pusher(config, Duration::ZERO, false, &shared)?;
    let outcome = pusher.run().await;
    ledger.close().await;
    let done = outcome.context("pushing")?;
    output::to_stdout(|out| Ok(writeln!(out, "{done}")?))?;
    Ok(())
}
