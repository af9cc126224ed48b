//! Pushes by hand what the daemon pushes by its schedule.

use anyhow::Context;
use defray_ledger::{Ledger, OpenError};

use super::{Failure, daemon, output};
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
    // Taking over the right to write would stop a daemon that shares the database: it is asked instead.
    if location.is_shared()
        && let Ok(address) = daemon::push(config).await
    {
        return asked(address);
    }
    let ledger = match Ledger::open_existing(location).await {
        Ok(ledger) => ledger,
        // Who holds the ledger pushes; most likely it is the daemon of this configuration.
        Err(locked @ OpenError::Locked { .. }) => {
            let address = daemon::push(config).await.with_context(|| locked.to_string())?;
            return asked(address);
        }
        Err(error) => {
            let error = anyhow::Error::new(error).context(format!("opening the ledger at {location}"));
            return Err(Failure::Work(error));
        }
    };
    app::refuse_demo(&ledger, &location.to_string()).await?;
    let guard = ledger.acquire().await.context("taking over the right to write the ledger")?;
    let supervisor = Supervisor::new();
    supervisor.listen_for_signals().context("listening for signals")?;
    let metrics = Telemetry::new().metrics;
    let stopping = supervisor.stopping();
    let shared = Shared { ledger: ledger.clone(), guard, clock: Clock::wall(), metrics, supervisor };
    let pusher = app::pusher(config, false, &shared)?;
    pusher.ask(None);
    let outcome = pusher.run().await;
    let waiting = pusher.count().await;
    ledger.close().await;
    let done = outcome.context("pushing")?;
    let waiting = waiting.context("counting what waits")?;
    output::to_stdout(|out| Ok(writeln!(out, "{done}")?))?;
    if stopping.is_cancelled() {
        let left = format!("stopped before all was done: {waiting} reports wait, and more may be due");
        return Err(anyhow::anyhow!("{left}; push again, or let the daemon send them").into());
    }
    if waiting > 0 {
        let left = format!("{waiting} reports wait for their next try");
        return Err(anyhow::anyhow!("{left}; push again later, or let the daemon send them").into());
    }
    Ok(())
}

fn asked(address: std::net::SocketAddr) -> Result<(), Failure> {
    let said = format!("the daemon at {address} holds the ledger and was asked to push now");
    Ok(output::to_stdout(|out| Ok(writeln!(out, "{said}; its log says what comes of it")?))?)
}
