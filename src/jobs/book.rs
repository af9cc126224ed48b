//! Watches the files of the price book. A wrong book never takes the place of a good one.

use std::sync::Arc;

use defray_pricing::book::{PriceBook, Problem, Source};
use tokio::sync::watch;

use super::{Bell, Shared};

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
        let read = Arc::clone(&self.read);
        let result = self.shared.supervisor.blocking("read price book", move || read()).await?;
        let problems = result.as_ref().err().map_or(0, Vec::len);
        self.shared.metrics.price_book_problems.set(i64::try_from(problems).unwrap_or(i64::MAX));
        let (book, sources) = result.map_err(|problems| {
            let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!(
                "the price book is wrong and the last good one stays in force: {}",
                list.join("; ")
            )
        })?;
        let digest = book.digest;
        // Remembered before it is used: every amount can be explained from files that are kept.
        self.shared.ledger.put_book(&self.shared.guard, digest, &sources).await?;
        if self.in_force.borrow().digest == digest {
            return Ok(format!("price book {digest} is in force"));
        }
        self.in_force.send_replace(Arc::new(book));
        self.changed.ring();
        tracing::info!(book.digest = %digest, "another price book is in force");
        Ok(format!("price book {digest} came into force"))
    }
}
