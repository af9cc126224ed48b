//! Into a PostgreSQL database: schema and rows in one transaction, so that there is a ledger or there is none.

use sqlx::postgres::PgConnectOptions;

use super::{Copied, CopyError, archived, prove, rows, same};
use crate::Ledger;
use crate::archive::Archive;
use crate::backend::{Running, refusal};
use crate::location::Location;
use crate::open::server::{Found, connect, look};
use crate::open::{at, migrate};
use crate::tables::Table;
use crate::transaction::Transaction;

pub(super) async fn of_rows(
    source: &Ledger,
    options: &PgConnectOptions,
    target: &Location,
    archive: Option<&Archive>,
    tables: &[Table],
) -> Result<Copied, CopyError> {
    let pool = connect(options, target).await?;
    if look(&pool, target).await? != Found::Nothing {
        return Err(CopyError::NotEmpty(target.to_string()));
    }
    let mut making = pool.begin().await.map_err(|error| at(target, refusal(error)))?;
    migrate(|step| step.postgres, &mut making, target).await?;
    let mut into = Transaction::new(Running::Postgres(making));
    let mut from = source.read().await?;
    archived::copy(&mut from, source.inner.archive.as_ref(), archive).await?;
    let digest = rows::copy(&mut from, &mut into, tables).await?;
    let inspection = prove(&mut into, archive, tables).await?;
    same(digest, &inspection)?;
    into.commit().await?;
    pool.close().await;
    Ok(Copied { inspection, compared: true })
}
