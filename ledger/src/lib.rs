//! What is remembered: measured hours, who owned what, charges, statements, deliveries.
//!
//! Nothing recorded is ever changed: a hour measured differently is a new revision. Every read takes a
//! [`Scope`], every write a [`WriteGuard`]. One path of SQL serves SQLite in a directory of its own and
//! PostgreSQL.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

mod archive;
mod backend;
mod books;
mod chain;
mod charges;
mod closes;
mod codec;
mod columns;
mod controls;
mod copy;
mod error;
mod files;
mod guard;
mod hours;
mod inspect;
mod instant;
mod location;
mod months;
mod open;
mod outbox;
mod ownership;
mod pods;
mod scope;
mod tables;
mod transaction;

pub use archive::{ArchiveError, ArchivePlace, ArchivedDay};
pub use charges::{ChargeDay, DailyAmount, DailyTotal};
pub use closes::{
    CloseFile, CloseRecord, Closed, ClosedHow, ClosedMonth, Closing, FrozenOwnership, PinnedHour,
    RenderedFile, Restating, UnknownClosedHow,
};
pub use copy::{Copied, CopyError};
pub use error::{LedgerError, OpenError};
pub use guard::WriteGuard;
pub use hours::{HourEntry, Missing, Recorded, RecordedHour};
pub use inspect::{Fault, Inspection};
pub use location::{Location, LocationError};
pub use months::{Coverage, MonthRecord, PeriodEntry, PeriodState, UnknownState};
pub use outbox::{
    Delivery, DeliveryCount, DeliveryEntry, DeliveryState, DisabledEndpoint, LatestRevision, Outcome,
    UnknownDeliveryState,
};
pub use ownership::{Assumed, Changes, Found, Observation};
pub use pods::{PodChange, PodFact, SeenPod};
pub use scope::Scope;

use backend::{Pools, args};
use transaction::Transaction;

/// An open ledger. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    pools: Pools,
    /// Where settled days are.
    archive: Option<archive::Archive>,
    /// Keeps a second daemon out of the directory.
    _lock: Option<File>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.inner.pools {
            Pools::Sqlite { .. } => "Ledger(SQLite)",
            Pools::Postgres(_) => "Ledger(PostgreSQL)",
        })
    }
}

impl Ledger {
    /// Takes over the right to write: whoever had it is refused from now on.
    pub async fn acquire(&self) -> Result<WriteGuard, LedgerError> {
        let mut tx = Transaction::new(self.inner.pools.begin_write().await?);
        let row = tx
            .fetch_one("UPDATE ledger_head SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch", args![])
            .await?;
        let epoch = row.ok_or_else(|| LedgerError::Corrupt("its head is gone".to_owned()))?.int()?;
        tx.commit().await?;
        Ok(WriteGuard::new(epoch))
    }

    /// Writes and commits something of no meaning: whether the ledger can be written.
    pub async fn health(&self) -> Result<(), LedgerError> {
        let mut tx = Transaction::new(self.inner.pools.begin_write().await?);
        tx.execute("UPDATE ledger_head SET writes = writes + 1 WHERE id = 1", args![]).await?;
        tx.commit().await
    }

    /// Follows the whole chain of every cluster and of closes, and reads every blob and file; says how many revisions
    /// of hours held.
    pub async fn verify(&self, scope: &Scope) -> Result<u64, LedgerError> {
        scope.whole("the chain of recorded hours")?;
        let mut tx = self.read().await?;
        closes::verify(&mut tx, chain::Reach::All).await?;
        chain::verify(&mut tx, self.inner.archive.as_ref(), chain::Reach::All).await
    }

    /// Finishes what is under way and closes every connection.
    pub async fn close(&self) {
        self.inner.pools.close().await;
    }

    /// One snapshot for everything that is read in it.
    pub(crate) async fn read(&self) -> Result<Transaction, LedgerError> {
        self.inner.pools.begin_read().await.map(Transaction::new)
    }

    /// A transaction for what anybody may add under a key of its own.
    pub(crate) async fn append(&self) -> Result<Transaction, LedgerError> {
        self.inner.pools.begin_write().await.map(Transaction::new)
    }

    /// A transaction that only the holder of the newest guard gets; on PostgreSQL the row it touches
    /// makes writers take turns.
    pub(crate) async fn write(&self, guard: &WriteGuard) -> Result<Transaction, LedgerError> {
        let mut tx = Transaction::new(self.inner.pools.begin_write().await?);
        let touched = tx
            .execute(
                "UPDATE ledger_head SET writes = writes + 1 WHERE id = 1 AND epoch = $1",
                args![guard.epoch()],
            )
            .await?;
        if touched == 1 { Ok(tx) } else { Err(LedgerError::Fenced { held: guard.epoch() }) }
    }
}
