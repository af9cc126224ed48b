//! Made-up numbers and measured ones never share a ledger.

use anyhow::Context;
use defray_ledger::{Ledger, Scope};
use defray_pricing::names::ClusterName;

use crate::demo::Platform;

/// Whether a ledger holds the demo. Its mark is the first thing the demo writes: its cluster, observed since
/// the first moment of its story to the microsecond, in the past, which no cluster that is measured can be.
pub async fn is_demo(ledger: &Ledger) -> anyhow::Result<bool> {
    let platform = Platform::new().context("the demo's time zone")?;
    let timeline = ledger.timeline(&Scope::everything()).await.context("reading who was observed")?;
    let first = platform.observations().first().map(|(at, _)| *at);
    let since = timeline.observed_since.get(&platform.cluster()).copied();
    Ok(since.is_some() && since == first)
}

/// Refuses to push made-up numbers to a real receiver.
pub async fn refuse_demo(ledger: &Ledger, location: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        !is_demo(ledger).await?,
        "the ledger at {location} holds the demo's made-up numbers; they are pushed nowhere: name the ledger of \
         the daemon in ledger.location"
    );
    Ok(())
}

/// Refuses to run the demo over what was measured, and the daemon over what was made up.
pub(super) async fn keep_apart(ledger: &Ledger, location: &str, demo: bool) -> anyhow::Result<()> {
    let made_up = is_demo(ledger).await?;
    if !demo {
        anyhow::ensure!(
            !made_up,
            "the ledger at {location} holds the demo's made-up numbers; nothing that is measured may be added \
             to them: name an empty directory or database in ledger.location"
        );
        return Ok(());
    }
    let clusters = ledger.clusters(&Scope::everything()).await.context("reading whose the ledger is")?;
    let demos = Platform::new().context("the demo's time zone")?.cluster();
    let others: Vec<&str> =
        clusters.iter().filter(|name| !made_up || **name != demos).map(ClusterName::as_str).collect();
    anyhow::ensure!(
        others.is_empty(),
        "the ledger at {location} holds what was measured of {}; the demo would mix made-up numbers into it: \
         name an empty directory with --data, or leave --data out",
        others.join(", ")
    );
    Ok(())
}
