//! Opening a ledger: find out what is there, bring the schema forward, verify the tail of the chain.

use std::sync::Arc;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};

use crate::backend::{Pools, args};
use crate::chain::{self, Reach};
use crate::error::{LedgerError, OpenError};
use crate::location::{Location, Place};
use crate::transaction::Transaction;
use crate::{Inner, Ledger, closes};

pub(crate) mod directory;
pub(crate) mod server;
pub(crate) mod upgrade;

/// A step of the schema: its number, what it brings, and how in each database.
pub(crate) struct Step {
    version: i64,
    brings: &'static str,
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// Forward only: a released migration is never edited.
macro_rules! steps {
    ($(($version:literal, $brings:literal)),+) => {
        [$(Step {
            version: $version,
            brings: $brings,
            sqlite: include_str!(concat!("../migrations/sqlite/000", $version, "_", $brings, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/000", $version, "_", $brings, ".sql")),
        }),+]
    };
}

pub(crate) const STEPS: [Step; 8] = steps![
    (1, "ledger"),
    (2, "pods"),
    (3, "recovery"),
    (4, "reporting"),
    (5, "closes"),
    (6, "archive"),
    (7, "retention"),
    (8, "lost_hours")
];

/// The schema this release writes: the last of the steps.
pub(crate) const SCHEMA: i64 = 8;

/// What may be done to have a ledger of this release's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// Make it, or bring it forward.
    Current,
    /// Nothing.
    AsItIs,
    /// Nothing, and nothing may be written either: another holds it.
    Beside,
}

impl Ledger {
    /// Opens a ledger, makes it where there is none, and brings its schema forward.
    pub async fn open(location: &Location) -> Result<Self, OpenError> {
        Self::open_as(location, Want::Current).await
    }

    /// Opens a ledger to read it: where there is none, none is made, and an older one stays as it is.
    pub async fn open_existing(location: &Location) -> Result<Self, OpenError> {
        Self::open_as(location, Want::AsItIs).await
    }

    /// Opens a ledger to look at it while a daemon may be writing it: nothing is made, locked or written, and
    /// each read sees one moment of it.
    pub async fn open_beside(location: &Location) -> Result<Self, OpenError> {
        Self::open_as(location, Want::Beside).await
    }

    /// Opens a ledger to find out what is wrong with it: as [`Ledger::open_beside`], but nothing of what it holds
    /// is held against anything yet.
    pub async fn open_to_inspect(location: &Location) -> Result<Self, OpenError> {
        Self::open_unproven(location, Want::Beside).await
    }

    async fn open_as(location: &Location, want: Want) -> Result<Self, OpenError> {
        let ledger = Self::open_unproven(location, want).await?;
        ledger.prove(want).await.map_err(|error| at(location, error))?;
        Ok(ledger)
    }

    async fn open_unproven(location: &Location, want: Want) -> Result<Self, OpenError> {
        let (pools, lock) = match &location.place {
            Place::Directory(path) => directory::open(path, location, want).await?,
            Place::Server(options) => (server::open(options, location, want).await?, None),
        };
        let archive = location.archive().map(|place| place.open());
        Ok(Self { inner: Arc::new(Inner { pools, archive, _lock: lock }) })
    }

    /// It can be written, if it may be, and what it holds is what was recorded.
    async fn prove(&self, want: Want) -> Result<(), LedgerError> {
        if want != Want::Beside {
            self.health().await?;
        }
        let mut tx = Transaction::new(self.inner.pools.begin_read().await?);
        closes::verify(&mut tx, Reach::Tail).await?;
        chain::verify(&mut tx, None, Reach::Tail).await?;
        Ok(())
    }
}

/// A refusal of the database while opening, with where it was.
pub(crate) fn at(location: &Location, error: LedgerError) -> OpenError {
    let location = location.to_string();
    match error {
        LedgerError::DiskFull => OpenError::DiskFull(location),
        LedgerError::ReadOnly => OpenError::NotWritable {
            path: location.into(),
            reason: "the database file or its server is read-only".to_owned(),
        },
        LedgerError::Corrupt(reason) => OpenError::Corrupt { location, reason },
        other => OpenError::Other { location, reason: other.to_string() },
    }
}

/// What the least reader must know, from a ledger that has its tables.
async fn check_schema(tx: &mut Transaction, location: &Location) -> Result<(), OpenError> {
    let row = tx
        .fetch_one("SELECT min_reader FROM ledger_head WHERE id = 1", args![])
        .await
        .map_err(|error| at(location, error))?;
    let Some(mut row) = row else {
        let reason = "its head is gone".to_owned();
        return Err(OpenError::Corrupt { location: location.to_string(), reason });
    };
    let found = row.int().map_err(|error| at(location, error))?;
    if found > SCHEMA {
        return Err(OpenError::NewerSchema { location: location.to_string(), found, known: SCHEMA });
    }
    Ok(())
}

/// Refuses a ledger that this release would first have to bring forward.
async fn check_current(tx: &mut Transaction, location: &Location) -> Result<(), OpenError> {
    let row = tx
        .fetch_one("SELECT MAX(version) FROM _sqlx_migrations WHERE success", args![])
        .await
        .map_err(|error| at(location, error))?;
    let found = row.map(|mut row| row.int_or()).transpose().map_err(|error| at(location, error))?;
    let found = found.flatten().unwrap_or(0);
    if found < SCHEMA {
        return Err(OpenError::OlderSchema { location: location.to_string(), found, known: SCHEMA });
    }
    Ok(())
}

/// Each migration runs in a transaction. One that this release does not know was made by a newer one
/// that says this release may still read; see `min_reader`.
pub(crate) async fn migrate<'a, A>(
    sql: impl Fn(&Step) -> &'static str,
    database: A,
    location: &Location,
) -> Result<(), OpenError>
where
    A: sqlx::Acquire<'a>,
    <A::Connection as std::ops::Deref>::Target: Migrate,
{
    let migration = |step: &Step| {
        let sql = sql(step).into_sql_str();
        Migration::new(step.version, step.brings.into(), MigrationType::Simple, sql, false)
    };
    let mut migrator = Migrator::with_migrations(STEPS.iter().map(migration).collect());
    migrator.set_ignore_missing(true);
    migrator.run(database).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error)
        | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
            at(location, crate::backend::refusal(error))
        }
        other => OpenError::Other { location: location.to_string(), reason: other.to_string() },
    })
}

/// Only to begin a transaction before there is a ledger.
async fn begin(pools: &Pools, location: &Location) -> Result<Transaction, OpenError> {
    pools.begin_read().await.map(Transaction::new).map_err(|error| at(location, error))
}
