//! Closing months and restating them: what is in the way, what it would write, and writing it.
//!
//! One place for the schedule, the interface and the command line. What is written is what was looked at: a close
//! names the digest of the month it saw, a restatement the version it was planned against and what it would write.

use std::sync::Arc;

use defray_ledger::{ClosedHow, LedgerError, WriteGuard};
use defray_pricing::book::PriceBook;
use defray_pricing::time::Period;
use defray_reports::{Definitions, Month};
use tokio::sync::{Mutex, watch};

use crate::rerate::{NotAgain, Rerate};

mod again;
mod close;
mod obstacles;
mod restate;
mod waiting;

pub use again::{Again, NotAgainMeasured};
pub use obstacles::{Look, Obstacle};
pub use restate::Restatement;

/// Closes and restates. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Closer {
    /// Rates months again.
    pub rerate: Rerate,
    /// The right to write; none for who only looks.
    pub guard: Option<WriteGuard>,
    /// The price book in force.
    pub book: watch::Receiver<Arc<PriceBook>>,
    /// How reports look.
    pub definitions: Arc<Definitions>,
    /// Which hours were measured again before a close.
    pub again: Again,
    /// Whether every number is made up.
    pub demo: bool,
    /// Held by whoever closes or restates: one at a time.
    pub turn: Arc<Mutex<()>>,
}

/// Who wants a month closed or restated, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// Who: as the request proved it, or the user of the machine.
    pub by: String,
    /// By hand or by schedule.
    pub how: ClosedHow,
    /// Why, even though hours are missing or could not be measured again.
    pub forced: Option<String>,
}

/// Why a month was not closed or restated. Nothing was written then.
#[derive(Debug, thiserror::Error)]
pub enum NotClosed {
    /// Something is in the way; all of it is told.
    #[error("{period} cannot be closed yet: {}", in_words(obstacles))]
    InTheWay {
        /// The period.
        period: Period,
        /// What.
        obstacles: Vec<Obstacle>,
    },
    /// It was closed before.
    #[error("{0} is closed already; it changes only by a restatement")]
    Already(Period),
    /// It still moves.
    #[error(
        "{0} is not closed; what is open is computed anew by itself, and only what is closed is restated"
    )]
    StillOpen(Period),
    /// What would be written is not what was shown.
    #[error("what a restatement of {0} would write is no longer what was shown; look at the plan again")]
    AnotherPlan(Period),
    /// It is only looked at.
    #[error("nothing can be written here: whoever holds the ledger closes and restates")]
    OnlyLooking,
    /// A reason is empty.
    #[error("give a reason: it is kept with the month for whoever asks later")]
    NoReason,
    /// A restatement would make things worse.
    #[error("{period} cannot be restated: {}", in_words(obstacles))]
    Worse {
        /// The period.
        period: Period,
        /// What is wrong with it.
        obstacles: Vec<Obstacle>,
    },
    /// It could not be rated.
    #[error(transparent)]
    NotAgain(#[from] NotAgain),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Anything else.
    #[error("{0:#}")]
    Other(anyhow::Error),
}

fn in_words(obstacles: &[Obstacle]) -> String {
    let told: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
    told.join("; ")
}

/// A reason that says something.
fn reason(text: &str) -> Result<String, NotClosed> {
    let text = text.trim();
    if text.is_empty() { Err(NotClosed::NoReason) } else { Ok(text.to_owned()) }
}

impl Closer {
    /// Every report that a version is closed with, in its final words.
    async fn rendered(
        &self,
        month: Month,
        record: defray_ledger::MonthRecord,
    ) -> Result<(Vec<defray_ledger::RenderedFile>, defray_ledger::MonthRecord), NotClosed> {
        let definitions = Arc::clone(&self.definitions);
        let work = move || {
            let reports = crate::shipped::Report::always();
            let files = reports.iter().map(|report| report.rendered(&definitions, &month, &record));
            files.collect::<Result<Vec<_>, _>>().map(|files| (files, record))
        };
        let done = self.rerate.supervisor.blocking("write reports", work).await.map_err(NotAgain::from)?;
        done.map_err(|error| NotClosed::Other(error.into()))
    }
}
