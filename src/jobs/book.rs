//! Watches the files of the price book. A wrong book never takes the place of a good one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use defray_ledger::Scope;
use defray_pricing::book::{PriceBook, Problem, Seen, Source};
use defray_pricing::time::{Hour, HourRange};
use tokio::sync::watch;

use super::{Bell, Shared};

/// How long another book must have stood in its files: one that is being written may be right by half.
const STEADY: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 1000 });

/// How many hours back what exists is looked for: what ran yesterday is there today.
const LOOK_BACK: i64 = 24;

/// How many places the short form of a refusal names.
const PLACES: usize = 3;

/// The book as its files are now.
pub type ReadBook = dyn Fn() -> Result<(PriceBook, Vec<Source>), Vec<Problem>> + Send + Sync;

/// Keeps the price book in force.
#[derive(Clone)]
pub struct BookKeeper {
    /// What it works with.
    pub shared: Shared,
    /// Reads the files.
    pub read: Arc<ReadBook>,
    /// The book in force.
    pub in_force: watch::Sender<Arc<PriceBook>>,
    /// Rung when another book came into force.
    pub changed: Bell,
}

impl std::fmt::Debug for BookKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BookKeeper").field("in_force", &self.in_force.borrow().digest).finish_non_exhaustive()
    }
}

impl BookKeeper {
    /// Reads the files and puts the book in force if it is another one and right.
    pub async fn run(&self) -> anyhow::Result<String> {
        let before = Arc::clone(&self.in_force.borrow());
        let read = match self.read().await? {
            Ok((book, sources)) if book.digest != before.digest => {
                tokio::time::sleep(STEADY).await;
                match self.read().await? {
                    Ok((again, _)) if again.digest != book.digest => {
                        return Ok("the files of the price book are being written".to_owned());
                    }
                    Ok(_) => match self.unfit(&before, &book).await? {
                        problems if problems.is_empty() => Ok((book, sources)),
                        problems => Err(problems),
                    },
                    Err(problems) => Err(problems),
                }
            }
            read => read,
        };
        let problems = read.as_ref().err().map_or(0, Vec::len);
        self.shared.metrics.price_book_problems.set(i64::try_from(problems).unwrap_or(i64::MAX));
        let (book, sources) = read.map_err(|problems| refused(&problems))?;
        let digest = book.digest;
        // Remembered before it is used: every amount can be explained from files that are kept.
        self.shared.ledger.put_book(&self.shared.guard, digest, &sources).await?;
        if before.digest == digest {
            return Ok(format!("price book {digest} is in force"));
        }
        self.in_force.send_replace(Arc::new(book));
        self.changed.ring();
        tracing::info!(book.digest = %digest, "another price book is in force");
        Ok(format!("price book {digest} came into force"))
    }

    async fn read(&self) -> anyhow::Result<Result<(PriceBook, Vec<Source>), Vec<Problem>>> {
        let read = Arc::clone(&self.read);
        Ok(self.shared.supervisor.blocking("read price book", move || read()).await?)
    }

    /// What keeps a book that is right by itself from taking the place of the one in force: another currency,
    /// and that something which exists would lose its price.
    async fn unfit(&self, before: &PriceBook, book: &PriceBook) -> anyhow::Result<Vec<Problem>> {
        if let Some(problem) = book.other_currency(before.currency) {
            return Ok(vec![problem]);
        }
        let (seen, from) = self.seen().await.context("looking for what exists and needs a price")?;
        let Some(from) = from else { return Ok(Vec::new()) };
        let unpriced = |book: &PriceBook| book.unpriced_from(&seen, from);
        // What the book in force does not price either is no reason to refuse what else the other one mends.
        let known: BTreeSet<String> = unpriced(before).into_iter().map(|problem| problem.message).collect();
        Ok(unpriced(book).into_iter().filter(|problem| !known.contains(&problem.message)).collect())
    }

    /// What was used in the last recorded day of each cluster, and from when that is.
    async fn seen(&self) -> anyhow::Result<(Seen, Option<Hour>)> {
        let (ledger, everything) = (&self.shared.ledger, Scope::everything());
        let (mut seen, mut latest) = (Seen::default(), None);
        for cluster in ledger.clusters(&everything).await? {
            let Some(range) = ledger.recorded_range(&everything, &cluster).await? else { continue };
            let from = Hour::from_index(range.until.index().saturating_sub(LOOK_BACK)).max(range.from);
            for usage in ledger.usage(&everything, HourRange { from, until: range.until }).await? {
                if usage.cluster == cluster {
                    seen.add_usage(&usage);
                }
            }
            latest = latest.max(Some(range.until.previous()));
        }
        Ok((seen, latest))
    }
}

/// First in short, for who may not see what the files say; then every problem.
fn refused(problems: &[Problem]) -> anyhow::Error {
    let place = |problem: &Problem| match problem.line {
        Some(line) => format!("{}:{line}", problem.file),
        None => problem.file.clone(),
    };
    let places: BTreeSet<String> = problems.iter().map(place).collect();
    let more = places.len().saturating_sub(PLACES);
    let mut named: Vec<String> = places.into_iter().take(PLACES).collect();
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(
        "the price book is wrong and the last good one stays in force ({}): {}",
        named.join(", "),
        list.join("; ")
    )
}
