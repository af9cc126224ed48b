//! A ledger in a directory of its own.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use super::{Want, at, begin, check_current, check_schema, migrate, upgrade};
use crate::backend::{Pools, refusal, sqlite_code};
use crate::error::OpenError;
use crate::location::Location;
use crate::transaction::Transaction;

pub(crate) const DATABASE: &str = "ledger.db";
const LOCK: &str = "ledger.lock";
/// `defr`, written into the file's header by the first migration.
const APPLICATION_ID: i64 = 1_684_366_962;
const READERS: u32 = 4;

pub(super) async fn open(
    path: &Path,
    location: &Location,
    want: Want,
) -> Result<(Pools, Option<File>), OpenError> {
    check_directory(path)?;
    let database = path.join(DATABASE);
    let exists = || std::fs::metadata(&database).is_ok_and(|file| file.len() > 0);
    let absent = || OpenError::Absent(location.to_string());
    // Before the lock, which is a file too.
    if want != Want::Current && !exists() {
        return Err(absent());
    }
    let lock = if want == Want::Beside { None } else { Some(lock(path)?) };
    let is_ledger = exists() && check_database(&database, location).await?;
    if want != Want::Current && !is_ledger {
        return Err(absent());
    }
    if want == Want::Current && is_ledger {
        upgrade::keep(path, &database, location).await?;
    }
    // Who only looks cannot change how it is logged: a backup is not logged at all.
    let options = match want {
        Want::Beside => options(&database).read_only(true),
        Want::Current | Want::AsItIs => options(&database).journal_mode(SqliteJournalMode::Wal),
    };
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .before_acquire(|connection, _| Box::pin(usable(connection)))
        .connect_with(options.clone().create_if_missing(want == Want::Current))
        .await
        .map_err(|error| cannot_open(path, location, error))?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(0)
        .connect_lazy_with(options.read_only(true));
    if want == Want::Current {
        migrate(|step| step.sqlite, &writer, location).await?;
    }
    let pools = Pools::Sqlite { writer, readers };
    let mut tx = begin(&pools, location).await?;
    check_schema(&mut tx, location).await?;
    check_current(&mut tx, location).await?;
    drop(tx);
    Ok((pools, lock))
}

/// What is committed is on the disk when it is acknowledged, and a damaged page is an error, not data.
pub(crate) fn options(database: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(database)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("recursive_triggers", "ON")
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .pragma("mmap_size", "0")
}

pub(crate) fn check_directory(path: &Path) -> Result<(), OpenError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(OpenError::NotADirectory(path.to_owned())),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> OpenError {
    match error.kind() {
        ErrorKind::NotFound => OpenError::DirectoryMissing(path.to_owned()),
        ErrorKind::NotADirectory => OpenError::NotADirectory(path.to_owned()),
        ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnlyFileSystem(path.to_owned()),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => OpenError::DiskFull(path.display().to_string()),
        _ => OpenError::NotWritable { path: path.to_owned(), reason: error.to_string() },
    }
}

/// Held as long as the ledger is open; the system lets go of it when the process ends, however it ends.
pub(crate) fn lock(path: &Path) -> Result<File, OpenError> {
    let refuse = |error: &std::io::Error| unusable(path, error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.join(LOCK))
        .map_err(|error| refuse(&error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            if file.read_to_string(&mut holder).is_err() || holder.trim().is_empty() {
                "which did not say who it is".clone_into(&mut holder);
            }
            return Err(OpenError::Locked { path: path.to_owned(), holder: holder.trim().to_owned() });
        }
        Err(TryLockError::Error(error)) => return Err(refuse(&error)),
    }
    let holder = format!("process {}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(holder.as_bytes()))
        .map_err(|error| refuse(&error))?;
    Ok(file)
}

/// Looks at a database before anything about it is changed; says whether it is a ledger already.
async fn check_database(database: &Path, location: &Location) -> Result<bool, OpenError> {
    let not_a_ledger =
        |reason: &str| OpenError::NotALedger { location: location.to_string(), reason: reason.to_owned() };
    let failed = |error: sqlx::Error| match sqlite_code(&error) {
        Some(26) => not_a_ledger("ledger.db is no SQLite database"),
        _ => at(location, refusal(error)),
    };
    let look = SqliteConnectOptions::new().filename(database).read_only(true);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(look.disable_statement_logging())
        .await
        .map_err(failed)?;
    let result = async {
        let (application,): (i64,) =
            sqlx::query_as("PRAGMA application_id").fetch_one(&pool).await.map_err(failed)?;
        let (tables,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM sqlite_schema").fetch_one(&pool).await.map_err(failed)?;
        // A daemon that died while it made the ledger leaves an empty file, or only the list of migrations.
        let (heads,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'ledger_head'")
                .fetch_one(&pool)
                .await
                .map_err(failed)?;
        if heads == 0 {
            let (foreign,): (i64,) =
                sqlx::query_as("SELECT COUNT(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations'")
                    .fetch_one(&pool)
                    .await
                    .map_err(failed)?;
            return if foreign == 0 { Ok(false) } else { Err(not_a_ledger("it holds other tables")) };
        }
        if tables > 0 && application != APPLICATION_ID {
            return Err(not_a_ledger("its application id is another's"));
        }
        Ok(true)
    }
    .await;
    let is_ledger = match result {
        Ok(is_ledger) => is_ledger,
        Err(error) => {
            pool.close().await;
            return Err(error);
        }
    };
    if is_ledger {
        let begun = pool.begin().await.map_err(failed)?;
        let mut tx = Transaction::new(crate::backend::Running::Sqlite(begun));
        check_schema(&mut tx, location).await?;
        drop(tx);
    }
    pool.close().await;
    Ok(is_ledger)
}

/// Whether a connection can begin a transaction. On a full disk SQLite rolls back by itself; the driver goes
/// on counting that transaction, so the connection could never begin another, and is given up.
async fn usable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let Ok(transaction) = connection.begin_with("BEGIN DEFERRED").await else { return Ok(false) };
    Ok(transaction.rollback().await.is_ok())
}

fn cannot_open(path: &Path, location: &Location, error: sqlx::Error) -> OpenError {
    const CANNOT_OPEN: i64 = 14;
    match sqlite_code(&error) {
        Some(CANNOT_OPEN) => OpenError::NotWritable { path: path.to_owned(), reason: error.to_string() },
        _ => at(location, refusal(error)),
    }
}

#[cfg(test)]
mod tests {
    use defray_pricing::time::Hour;
    use defray_pricing::usage::UsageHour;

    use super::*;
    use crate::backend::args;
    use crate::{Ledger, LedgerError, Scope};

    /// What a write is promised rests on these.
    #[tokio::test]
    async fn the_settings_are_what_durability_rests_on() {
        let home = tempfile::TempDir::new().unwrap();
        let ledger = Ledger::open(&Location::directory(home.path())).await.unwrap();
        let mut tx = Transaction::new(ledger.inner.pools.begin_write().await.unwrap());
        let journal = tx.fetch_one("PRAGMA journal_mode", args![]).await.unwrap().unwrap().text().unwrap();
        assert_eq!(journal, "wal");
        for (sql, wanted) in [
            ("PRAGMA synchronous", 2),
            ("PRAGMA foreign_keys", 1),
            ("PRAGMA recursive_triggers", 1),
            ("PRAGMA trusted_schema", 0),
            ("PRAGMA cell_size_check", 1),
            ("PRAGMA mmap_size", 0),
        ] {
            assert_eq!(tx.fetch_one(sql, args![]).await.unwrap().unwrap().int().unwrap(), wanted, "{sql}");
        }
    }

    /// What was acknowledged before the disk was full is there afterwards, and recording goes on.
    #[tokio::test]
    async fn a_full_disk_is_told_and_nothing_is_lost_once_there_is_space() {
        let home = tempfile::TempDir::new().unwrap();
        let ledger = Ledger::open(&Location::directory(home.path())).await.unwrap();
        let guard = ledger.acquire().await.unwrap();
        // SQLite says the same as for a disk without space: SQLITE_FULL.
        let limit = async |pages: &'static str| {
            let mut tx = Transaction::new(ledger.inner.pools.begin_write().await.unwrap());
            tx.fetch_one(pages, args![]).await.unwrap();
        };
        let hour = |n: i64| crate::RecordedHour {
            usage: UsageHour::empty("c".into(), Hour::from_index(n)),
            measured_at: chrono::DateTime::UNIX_EPOCH,
        };
        limit("PRAGMA max_page_count = 1").await;
        let mut kept = 0;
        let refused = loop {
            match ledger.record(&guard, vec![hour(kept)]).await {
                Ok(_) => kept += 1,
                Err(refused) => break refused,
            }
        };
        assert!(matches!(refused, LedgerError::DiskFull), "{refused}");
        assert!(refused.to_string().contains("free space"), "{refused}");
        let everything = Scope::everything();
        assert_eq!(ledger.verify(&everything).await.unwrap(), u64::try_from(kept).unwrap());
        limit("PRAGMA max_page_count = 1000000").await;
        ledger.record(&guard, vec![hour(kept)]).await.unwrap();
        ledger.close().await;
        drop(ledger);
        let ledger = Ledger::open(&Location::directory(home.path())).await.unwrap();
        assert_eq!(ledger.verify(&everything).await.unwrap(), u64::try_from(kept + 1).unwrap());
    }
}
