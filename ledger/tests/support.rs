//! A ledger of either kind, empty, for one test; and things to put into it.

use chrono::{DateTime, NaiveDate, Utc};
use defray_ledger::{Ledger, Location, OpenError};
use tempfile::TempDir;

pub(crate) mod filled;
pub(crate) mod postgres;
pub(crate) mod things;

/// Asks one rule of both databases.
macro_rules! both {
    ($($(#[$doc:meta])* async fn $name:ident($home:ident: &Home) $body:block)*) => {
        $($(#[$doc])* async fn $name($home: &$crate::support::Home) $body)*

        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let home = $crate::support::Home::directory();
                super::$name(&home).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let home = $crate::support::Home::server().await;
                super::$name(&home).await;
            })*
        }
    };
}
pub(crate) use both;

/// Where a test's ledger lives.
pub(crate) enum Home {
    Directory(TempDir),
    Server(String),
}

impl Home {
    pub(crate) fn directory() -> Self {
        Self::Directory(TempDir::new().unwrap())
    }

    pub(crate) async fn server() -> Self {
        Self::Server(postgres::database().await)
    }

    pub(crate) fn location(&self) -> Location {
        match self {
            Self::Directory(path) => Location::directory(path.path()),
            Self::Server(address) => Location::parse(address).unwrap(),
        }
    }

    pub(crate) async fn open(&self) -> Ledger {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn try_open(&self) -> Result<Ledger, OpenError> {
        Ledger::open(&self.location()).await
    }

    /// Goes behind the ledger's back, as a faulty disk or a curious administrator would.
    pub(crate) async fn tamper(&self, sqlite: &'static str, postgres: &'static str) {
        match self {
            Self::Directory(path) => {
                let options =
                    sqlx::sqlite::SqliteConnectOptions::new().filename(path.path().join("ledger.db"));
                let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
                sqlx::raw_sql(sqlite).execute(&pool).await.unwrap();
                pool.close().await;
            }
            Self::Server(address) => {
                let pool = sqlx::PgPool::connect(address).await.unwrap();
                sqlx::raw_sql(postgres).execute(&pool).await.unwrap();
                pool.close().await;
            }
        }
    }

    /// The one number that a query answers with.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        match self {
            Self::Directory(path) => {
                let options =
                    sqlx::sqlite::SqliteConnectOptions::new().filename(path.path().join("ledger.db"));
                let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
            }
            Self::Server(address) => {
                let pool = sqlx::PgPool::connect(address).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
            }
        }
    }

    /// Leaves behind what a daemon leaves that was killed while it wrote a file of its archive.
    pub(crate) async fn announce(&self, digest: &str, day: &str, since: DateTime<Utc>) {
        let since = since.timestamp_micros();
        let (sqlite, postgres) = (format!("x'{digest}'"), format!("'\\x{digest}'"));
        let sql = |digest: &str| {
            format!("INSERT INTO archive_intents (digest, day, since) VALUES ({digest}, '{day}', {since})")
        };
        self.tamper(String::leak(sql(&sqlite)), String::leak(sql(&postgres))).await;
    }

    pub(crate) async fn tamper_same(&self, sql: &'static str) {
        self.tamper(sql, sql).await;
    }

    /// Whether the database itself refuses a statement, and what it says.
    pub(crate) async fn refusal(&self, sql: &'static str) -> String {
        match self {
            Self::Directory(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(path.path().join("ledger.db"))
                    .pragma("recursive_triggers", "ON");
                let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
                sqlx::raw_sql(sql).execute(&pool).await.unwrap_err().to_string()
            }
            Self::Server(address) => {
                let pool = sqlx::PgPool::connect(address).await.unwrap();
                sqlx::raw_sql(sql).execute(&pool).await.unwrap_err().to_string()
            }
        }
    }
}

pub(crate) fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}
