//! A ledger whole in another place: backup, restore and move are all this.
//!
//! What is copied is one moment of the ledger; a daemon may go on writing it. The copy is looked through and held
//! against its source before it becomes a ledger: until then there is none in its place, whatever happens.

use std::path::PathBuf;

use defray_pricing::digest::Digest;

use crate::archive::Archive;
use crate::backend::{Pools, args};
use crate::error::OpenError;
use crate::inspect::{self, Fault, Inspection};
use crate::location::{Location, Place};
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, tables};

mod archived;
mod directory;
mod rows;
mod server;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// What a look through all of the copy found there, nothing wrong among it.
    pub inspection: Inspection,
    /// Whether its digest was held against the source's. A source that was written meanwhile has another by now.
    pub compared: bool,
}

/// Why there is no copy. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Something is there already.
    #[error("there is a ledger at {0} already, and nothing is ever written over one; name an empty place")]
    NotEmpty(String),
    /// The place cannot be used.
    #[error(transparent)]
    Place(#[from] OpenError),
    /// The copy cannot be written.
    #[error("writing {}: {error}; nothing was kept", path.display())]
    File {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The source cannot be read, or the copy not be written.
    #[error("copying the ledger: {0}; nothing was kept")]
    Ledger(#[from] LedgerError),
    /// There is nowhere to put them.
    #[error(
        "settled days of the ledger are in an archive, and the new place has none; name one in a configuration \
         (ledger.archive) and the configuration with --to-config"
    )]
    NoArchive,
    /// What was copied does not hold.
    #[error(
        "what was copied does not hold, and nothing was kept: {}; look at the source with `defray db verify`",
        list(.0)
    )]
    Faulty(Vec<Fault>),
    /// The copy does not say what its source says.
    #[error(
        "the copy does not say what its source says ({copy} instead of {source_digest}); nothing was kept"
    )]
    Differs {
        /// Of all rows of the source.
        source_digest: Digest,
        /// Of all rows of the copy.
        copy: Digest,
    },
}

fn list(faults: &[Fault]) -> String {
    let said: Vec<String> =
        faults.iter().take(3).map(|fault| format!("{}: {}", fault.place, fault.reason)).collect();
    let more = faults.len().saturating_sub(said.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", said.join("; "))
}

impl Ledger {
    /// Copies all of it to a place where there is no ledger yet.
    pub async fn copy_to(&self, target: &Location) -> Result<Copied, CopyError> {
        let tables = tables::all().await?;
        let archive = target.archive().map(|place| place.open());
        let archive = archive.as_ref();
        match (&target.place, &self.inner.pools) {
            (Place::Directory(path), Pools::Sqlite { readers, .. }) => {
                directory::of_file(self, readers, path, archive, &tables).await
            }
            (Place::Directory(path), Pools::Postgres(_)) => {
                directory::of_rows(self, path, archive, &tables).await
            }
            (Place::Server(options), _) => server::of_rows(self, options, target, archive, &tables).await,
        }
    }

    /// How often it was written.
    async fn writes(&self, tx: &mut Transaction) -> Result<i64, LedgerError> {
        let row = tx.fetch_one("SELECT writes FROM ledger_head WHERE id = 1", args![]).await?;
        row.ok_or_else(|| LedgerError::Corrupt("its head is gone".to_owned()))?.int()
    }
}

/// Looks through a copy that is not yet a ledger.
async fn prove(
    tx: &mut Transaction,
    archive: Option<&Archive>,
    tables: &[tables::Table],
) -> Result<Inspection, CopyError> {
    let inspection = inspect::inspect(tx, archive, tables).await?;
    if inspection.faults.is_empty() { Ok(inspection) } else { Err(CopyError::Faulty(inspection.faults)) }
}

/// Holds what a copy says against what was read of its source.
fn same(source: Digest, inspection: &Inspection) -> Result<(), CopyError> {
    match inspection.digest {
        Some(copy) if copy == source => Ok(()),
        copy => Err(CopyError::Differs {
            source_digest: source,
            copy: copy.unwrap_or_else(|| Digest::from_bytes([0; 32])),
        }),
    }
}
