//! A ledger in a PostgreSQL database.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

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
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options.clone())
        .await
        .map_err(|error| OpenError::Unreachable {
            location: location.to_string(),
            reason: error.to_string(),
        })?;
    let tables = |sql: &'static str| {
        let pool = pool.clone();
        async move {
            let counted: Result<(i64,), sqlx::Error> = sqlx::query_as(sql).fetch_one(&pool).await;
            counted.map(|(count,)| count).map_err(|error| at(location, refusal(error)))
        }
    };
    let heads = tables(
        "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'ledger_head'",
    )
    .await?;
    let foreign = tables(
        "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename <> '_sqlx_migrations'",
    )
    .await?;
    if heads == 0 && foreign > 0 {
        let reason = "it holds other tables".to_owned();
        return Err(OpenError::NotALedger { location: location.to_string(), reason });
    }
    let pools = Pools::Postgres(pool.clone());
    if heads == 0 && want != Want::Current {
        return Err(OpenError::Absent(location.to_string()));
    }
    if heads > 0 {
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
