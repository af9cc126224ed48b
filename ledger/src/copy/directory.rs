//! Into a directory: under another name first, which no daemon opens, then under its own.

use std::fs::File;
use std::path::{Path, PathBuf};

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteJournalMode, SqlitePoolOptions};

use super::{Copied, CopyError, archived, prove, rows, same};
use crate::archive::Archive;
use crate::backend::{Pools, refusal};
use crate::error::LedgerError;
use crate::location::Location;
use crate::open::directory::{DATABASE, check_directory, lock, options};
use crate::open::{migrate, upgrade};
use crate::tables::Table;
use crate::transaction::Transaction;
use crate::{Ledger, files, inspect};

/// A database file, page by page: the same file, without what was deleted from it.
pub(super) async fn of_file(
    source: &Ledger,
    readers: &SqlitePool,
    path: &Path,
    archive: Option<&Archive>,
    tables: &[Table],
) -> Result<Copied, CopyError> {
    let making = Making::begin(path)?;
    let mut reader = readers.acquire().await.map_err(refusal)?;
    upgrade::vacuum(&mut reader, &making.part).await?;
    drop(reader);
    let pool = making.open(false).await?;
    // What the ledger is about to write elsewhere, its copy is not.
    sqlx::query("DELETE FROM archive_intents").execute(&pool).await.map_err(refusal)?;
    let pools = Pools::Sqlite { writer: pool.clone(), readers: pool };
    let mut copy = Transaction::new(pools.begin_read().await?);
    archived::copy(&mut copy, source.inner.archive.as_ref(), archive).await?;
    let inspection = prove(&mut copy, archive, tables).await?;
    // Nothing was written since: then both must say the same.
    let mut now = source.read().await?;
    let compared = source.writes(&mut now).await? == source.writes(&mut copy).await?;
    if compared {
        same(inspect::digest(&mut now, tables).await?.1, &inspection)?;
    }
    drop((copy, now));
    pools.close().await;
    making.finish()?;
    Ok(Copied { inspection, compared })
}

/// Row by row, from another kind of database.
pub(super) async fn of_rows(
    source: &Ledger,
    path: &Path,
    archive: Option<&Archive>,
    tables: &[Table],
) -> Result<Copied, CopyError> {
    let making = Making::begin(path)?;
    let pool = making.open(true).await?;
    migrate(|step| step.sqlite, &pool, &Location::directory(path)).await?;
    let pools = Pools::Sqlite { writer: pool.clone(), readers: pool };
    let mut into = Transaction::new(pools.begin_write().await?);
    let mut from = source.read().await?;
    archived::copy(&mut from, source.inner.archive.as_ref(), archive).await?;
    let digest = rows::copy(&mut from, &mut into, tables).await?;
    let inspection = prove(&mut into, archive, tables).await?;
    same(digest, &inspection)?;
    into.commit().await?;
    pools.close().await;
    making.finish()?;
    Ok(Copied { inspection, compared: true })
}

/// A ledger that is being made in a directory, which nobody else can use meanwhile.
struct Making {
    part: PathBuf,
    whole: PathBuf,
    _lock: File,
}

impl Making {
    /// Makes the directory if it is not there; what an earlier run left unfinished is removed.
    fn begin(path: &Path) -> Result<Self, CopyError> {
        match std::fs::create_dir(path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(CopyError::File { path: path.to_owned(), error });
            }
            _ => check_directory(path)?,
        }
        let lock = lock(path)?;
        let whole = path.join(DATABASE);
        // A log without its database would be taken for the log of the new one.
        let there = |of| std::fs::metadata(beside(&whole, of)).is_ok_and(|file| file.len() > 0);
        if ["", "-journal", "-wal"].into_iter().any(there) {
            return Err(CopyError::NotEmpty(path.display().to_string()));
        }
        let part = files::part_of(&whole);
        for of in ["", "-journal", "-wal", "-shm"] {
            let path = beside(&part, of);
            files::clear(&path).map_err(|error| CopyError::File { path: path.clone(), error })?;
        }
        Ok(Self { part, whole, _lock: lock })
    }

    /// Its durability is that of the finished file.
    async fn open(&self, create: bool) -> Result<SqlitePool, LedgerError> {
        let options = options(&self.part)
            .journal_mode(SqliteJournalMode::Delete)
            .foreign_keys(false)
            .create_if_missing(create);
        SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(refusal)
    }

    fn finish(self) -> Result<(), CopyError> {
        let kept = files::sync_file(&self.part).and_then(|()| files::publish(&self.part, &self.whole));
        kept.map_err(|error| CopyError::File { path: self.whole.clone(), error })
    }
}

/// A file that the database keeps beside its own.
fn beside(database: &Path, of: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(of);
    name.into()
}
