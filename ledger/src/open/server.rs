//! A ledger in a PostgreSQL database.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use super::{Want, at, begin, check_current, check_schema, migrate};
use crate::backend::{Pools, refusal};
use crate::error::OpenError;
use crate::location::Location;

const CONNECTIONS: u32 = 8;

pub(super) async fn open(
    options: &PgConnectOptions,
    location: &Location,
    want: Want,
) -> Result<Pools, OpenError> {
    let pool = connect(options, location).await?;
    let found = look(&pool, location).await?;
    if found == Found::Other {
        let reason = "it holds other tables".to_owned();
        return Err(OpenError::NotALedger { location: location.to_string(), reason });
    }
    let pools = Pools::Postgres(pool.clone());
    if found == Found::Nothing && want != Want::Current {
        return Err(OpenError::Absent(location.to_string()));
    }
    if found == Found::Ledger {
        let mut tx = begin(&pools, location).await?;
        check_schema(&mut tx, location).await?;
        if want != Want::Current {
            check_current(&mut tx, location).await?;
            drop(tx);
            return Ok(pools);
        }
    }
    migrate(|step| step.postgres, &pool, location).await?;
    Ok(pools)
}

pub(crate) async fn connect(options: &PgConnectOptions, location: &Location) -> Result<PgPool, OpenError> {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options.clone())
        .await
        .map_err(|error| OpenError::Unreachable { location: location.to_string(), reason: error.to_string() })
}

/// What a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Ledger,
    Other,
}

pub(crate) async fn look(pool: &PgPool, location: &Location) -> Result<Found, OpenError> {
    let (heads, others): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*) FILTER (WHERE tablename = 'ledger_head'), \
         COUNT(*) FILTER (WHERE tablename <> '_sqlx_migrations') FROM pg_tables WHERE schemaname = current_schema()",
    )
    .fetch_one(pool)
    .await
    .map_err(|error| at(location, refusal(error)))?;
    Ok(match (heads, others) {
        (0, 0) => Found::Nothing,
        (0, _) => Found::Other,
        _ => Found::Ledger,
    })
}
