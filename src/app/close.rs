//! Closing without a daemon: what the command line does where nobody else holds the ledger.

use std::sync::Arc;

use anyhow::Context;
use defray_ledger::Ledger;
use defray_pricing::book::{PriceBook, Problem, Source};
use defray_reports::Definitions;
use tokio::sync::watch;

use super::NotStarted;
use crate::clock::Clock;
use crate::closing::{Again, Closer};
use crate::config::Config;
use crate::jobs::{Bell, CloseKeeper, KnownPast, Looks, Sampler, Shared, Told};
use crate::rerate::Rerate;
use crate::supervise::Supervisor;
use crate::telemetry::Telemetry;

/// Takes over a ledger to close or restate a month in it, and connects to what measures.
pub async fn keeper(
    config: &Config,
    ledger: Ledger,
    book: PriceBook,
    sources: &[Source],
) -> Result<CloseKeeper, NotStarted> {
    let clusters = super::connect(config)?;
    super::build::one_zone(&ledger, config.billing.zone).await?;
    let guard = ledger.acquire().await.context("taking over the right to write the ledger")?;
    // A restatement is rated from it: what it comes to can be explained only from files that are kept.
    ledger.put_book(&guard, book.digest, sources).await.context("remembering the price book")?;
    let (supervisor, metrics) = (Supervisor::new(), Telemetry::new().metrics);
    supervisor.listen_for_signals().context("listening for signals")?;
    let shared = Shared { ledger, guard, clock: Clock::wall(), metrics, supervisor };
    let (_, book) = watch::channel(Arc::new(book));
    let closer = super::build::closer(config, &clusters, &shared, book, false).map_err(|p| wrong(&p))?;
    let history = &config.history;
    let sampler = Sampler {
        shared: shared.clone(),
        clusters,
        settle: history.settle,
        concurrency: history.concurrency,
        pause: history.pause,
        past: KnownPast::default(),
        retentions: crate::jobs::Retentions::default(),
        only: None,
        looks: Looks::default(),
        observe: Bell::new(),
        recorded: Bell::new(),
        stop: shared.supervisor.stopping(),
    };
    let told = Told::default();
    Ok(CloseKeeper { shared, closer, sampler, after_days: None, closed: Bell::new(), told })
}

/// Looks at a ledger beside whoever holds it: plans and writes nothing.
pub fn onlooker(rerate: Rerate, book: PriceBook, demo: bool) -> anyhow::Result<Closer> {
    let (_, book) = watch::channel(Arc::new(book));
    let definitions = Arc::new(Definitions::built_in().map_err(|problems| wrong(&problems))?);
    Ok(Closer { rerate, guard: None, book, definitions, again: Again::default(), demo, turn: Arc::default() })
}

fn wrong(problems: &[Problem]) -> anyhow::Error {
    let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("a report definition of this program is wrong: {}", list.join("; "))
}
