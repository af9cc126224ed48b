//! Watches the files of the price book. A wrong book never takes the place of a good one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use defray_ledger::Scope;
use defray_pricing::book::{PriceBook, Problem, Seen, Source};
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::{OwnershipIndex, TenancyRules, Timeline};
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

/// Which clusters were measured in which hours.
type Measured = BTreeMap<Hour, BTreeSet<ClusterName>>;

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
        let seen = self.seen().await.context("looking for what exists and needs a price")?;
        let Some((seen, from)) = seen else { return Ok(Vec::new()) };
        let unpriced = |book: &PriceBook| unpriced(book, &seen, from);
        // What the book in force does not price either is no reason to refuse what else the other one mends.
        let known: BTreeSet<String> = unpriced(before).into_iter().map(|problem| problem.message).collect();
        Ok(unpriced(book).into_iter().filter(|problem| !known.contains(&problem.message)).collect())
    }

    /// What was there in the last recorded day, and the last hour of it. A cluster that has no hour in it is gone
    /// for all that is known here, and its prices may go too.
    async fn seen(&self) -> anyhow::Result<Option<(Seen, Hour)>> {
        let (ledger, everything) = (&self.shared.ledger, Scope::everything());
        let Some((_, latest)) = ledger.latest_hour(&everything).await? else { return Ok(None) };
        let until = latest.next();
        let range = HourRange { from: Hour::from_index(until.index().saturating_sub(LOOK_BACK)), until };
        let (mut seen, mut measured) = (Seen::default(), Measured::new());
        for usage in ledger.usage(&everything, range).await? {
            seen.add_usage(&usage);
            measured.entry(usage.hour).or_default().insert(usage.cluster);
        }
        let timeline = ledger.timeline(&everything).await?;
        let owned = move || with_owned(seen, &timeline, &measured);
        Ok(Some((self.shared.supervisor.blocking("look for what is owned", owned).await?, latest)))
    }
}

/// Adds the services and the dedicated pools of the clusters in the hours that were measured. What they are, resources
/// and nodes alone say; the rules of tenancy say whose, which no price asks for.
fn with_owned(mut seen: Seen, timeline: &Timeline, measured: &Measured) -> Seen {
    let rules = TenancyRules::default();
    let index = OwnershipIndex::new(timeline, &rules);
    for (hour, clusters) in measured {
        let mut owners = index.at(*hour);
        owners.tenants.retain(|(cluster, _), _| clusters.contains(cluster));
        owners.dedicated.retain(|(cluster, _), _| clusters.contains(cluster));
        owners.namespaces.clear();
        seen.add_owners(&owners);
    }
    seen
}

/// What exists and has no price in a book from an hour on. What is charged all the same, if perhaps not as it is
/// meant, keeps no book out.
fn unpriced(book: &PriceBook, seen: &Seen, from: Hour) -> Vec<Problem> {
    // An hour of each edition is enough, for all of them are held against the same.
    let hours: BTreeSet<Hour> =
        book.editions.iter().map(|edition| edition.effective_from.max(from)).collect();
    let charged: BTreeSet<Problem> = hours
        .into_iter()
        .flat_map(|hour| book.check(seen, HourRange { from: hour, until: hour.next() }))
        .filter(|misfit| !misfit.blocks_close)
        .map(|misfit| misfit.problem)
        .collect();
    let mut unpriced = book.unpriced_from(seen, from);
    unpriced.retain(|problem| !charged.contains(problem));
    unpriced
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
