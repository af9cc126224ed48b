//! A copy of a ledger beside it, made before its schema is brought forward.
//!
//! There is no way back from a migration, but there is one to the release before it: on this copy. It is a
//! ledger directory like any other, named after its schema, the moment of its last write and its count of
//! writes. A start that fails in a migration and is tried again makes no second one.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::{SCHEMA, at};
use crate::backend::refusal;
use crate::error::OpenError;
use crate::location::Location;
use crate::{LedgerError, files};

/// Where the copies are, below the ledger's directory.
const COPIES: &str = "backups";
/// How many of them are kept; older ones are removed once a new one is there.
const KEPT: usize = 3;

/// Copies the ledger if this release would change its schema.
pub(super) async fn keep(directory: &Path, database: &Path, location: &Location) -> Result<(), OpenError> {
    let look = SqliteConnectOptions::new().filename(database).read_only(true).disable_statement_logging();
    let mut connection = look.connect().await.map_err(|error| at(location, refusal(error)))?;
    let kept = copy(&mut connection, directory, database).await.map_err(|error| at(location, error));
    // It was only read: how it ends changes nothing.
    drop(connection.close().await);
    kept
}

async fn copy(
    connection: &mut SqliteConnection,
    directory: &Path,
    database: &Path,
) -> Result<(), LedgerError> {
    let (applied, schema, writes): (i64, i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COALESCE(MAX(version), 0), (SELECT writes FROM ledger_head) FROM _sqlx_migrations \
         WHERE success AND version <= $1",
    )
    .bind(SCHEMA)
    .fetch_one(&mut *connection)
    .await
    .map_err(refusal)?;
    if applied >= SCHEMA {
        return Ok(());
    }
    let copies = directory.join(COPIES);
    std::fs::create_dir_all(&copies).map_err(unkept)?;
    let before = list(&copies)?;
    if before.iter().any(|copy| (copy.schema, copy.writes) == (schema, writes)) {
        return Ok(());
    }
    let part = copies.join("new.part");
    files::clear(&part).map_err(unkept)?;
    std::fs::create_dir(&part).map_err(unkept)?;
    let file = part.join(super::directory::DATABASE);
    vacuum(connection, &file).await?;
    files::sync_file(&file).and_then(|()| files::sync_directory(&part)).map_err(unkept)?;
    let whole = copies.join(format!("schema-{schema}-{}-{writes}", written(database)?.format(STAMP)));
    files::publish(&part, &whole).and_then(|()| files::sync_directory(directory)).map_err(unkept)?;
    let mut all = list(&copies)?;
    all.sort_by(|a, b| (b.schema, &b.stamp, b.writes).cmp(&(a.schema, &a.stamp, a.writes)));
    for old in all.iter().skip(KEPT) {
        files::clear(&old.path).map_err(unkept)?;
    }
    Ok(())
}

/// Copies a database whole, as of one moment; others may go on writing it.
pub(crate) async fn vacuum(connection: &mut SqliteConnection, into: &Path) -> Result<(), LedgerError> {
    let into = into
        .to_str()
        .ok_or_else(|| LedgerError::Encode(format!("the path {} is no Unicode", into.display())))?;
    sqlx::query("VACUUM INTO $1").bind(into).execute(connection).await.map_err(refusal)?;
    Ok(())
}

const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// When the database was last written: what is in its log came after what is in its file.
fn written(database: &Path) -> Result<DateTime<Utc>, LedgerError> {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let file = std::fs::metadata(database).map_err(unkept)?;
    let log = std::fs::metadata(log).ok().filter(|log| log.len() > 0);
    let newest = log.as_ref().unwrap_or(&file).modified().map_err(unkept)?;
    Ok(newest.into())
}

/// A copy that was made before.
struct Copy {
    path: PathBuf,
    schema: i64,
    stamp: String,
    writes: i64,
}

fn list(copies: &Path) -> Result<Vec<Copy>, LedgerError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(copies).map_err(unkept)? {
        let entry = entry.map_err(unkept)?;
        let name = entry.file_name();
        let mut words =
            name.to_str().and_then(|name| name.strip_prefix("schema-")).unwrap_or("").splitn(3, '-');
        let copy = (|| {
            let schema = words.next()?.parse().ok()?;
            let stamp = words.next()?.to_owned();
            Some(Copy { path: entry.path(), schema, stamp, writes: words.next()?.parse().ok()? })
        })();
        found.extend(copy);
    }
    Ok(found)
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in every map_err")]
fn unkept(error: std::io::Error) -> LedgerError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => LedgerError::DiskFull,
        std::io::ErrorKind::ReadOnlyFilesystem => LedgerError::ReadOnly,
        _ => LedgerError::Database(format!("the copy before the upgrade cannot be made: {error}")),
    }
}
