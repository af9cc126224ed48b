//! SQLite and PostgreSQL through one path: concrete pools in a two-arm enum, the same SQL for both.
//!
//! Only whole numbers, text and bytes cross: that is what both mean the same by.

use defray_pricing::digest::Digest;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::sqlite::{SqliteError, SqlitePool, SqliteRow};
use sqlx::{Postgres, Row as _, Sqlite};

use crate::error::LedgerError;

/// The same code for whichever backend it is.
macro_rules! dispatch {
    ($target:expr, $enum:ident, $inner:ident => $body:expr) => {
        match $target {
            $enum::Sqlite($inner) => $body,
            $enum::Postgres($inner) => $body,
        }
    };
}
pub(crate) use dispatch;

/// The connections: SQLite has one writer and several readers.
#[derive(Debug)]
pub(crate) enum Pools {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres(PgPool),
}

impl Pools {
    pub(crate) async fn begin_write(&self) -> Result<Running, LedgerError> {
        match self {
            Self::Sqlite { writer, .. } => writer.begin_with("BEGIN IMMEDIATE").await.map(Running::Sqlite),
            Self::Postgres(pool) => pool.begin().await.map(Running::Postgres),
        }
        .map_err(refusal)
    }

    /// One snapshot for everything that is read in it.
    pub(crate) async fn begin_read(&self) -> Result<Running, LedgerError> {
        match self {
            Self::Sqlite { readers, .. } => readers.begin().await.map(Running::Sqlite),
            Self::Postgres(pool) => pool
                .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .await
                .map(Running::Postgres),
        }
        .map_err(refusal)
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                // The writer last: closing it brings the log into the file.
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A database transaction of either backend.
pub(crate) enum Running {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// What is bound to a placeholder. The optional ones keep their type where they are null, which
/// PostgreSQL asks for.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    /// The same bytes for the same value, and for no other.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        match self {
            Self::Int(None) | Self::Text(None) | Self::Bytes(None) => vec![0],
            Self::Int(Some(int)) => [&[1], int.to_le_bytes().as_slice()].concat(),
            Self::Text(Some(text)) => [&[2], text.as_bytes()].concat(),
            Self::Bytes(Some(bytes)) => [&[3], bytes.as_slice()].concat(),
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(str::to_owned))
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}

impl From<Digest> for Value {
    fn from(value: Digest) -> Self {
        Self::Bytes(Some(value.as_bytes().to_vec()))
    }
}

/// Placeholders' values, in order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::backend::Value::from($value)),*] };
}
pub(crate) use args;

/// A row of either backend.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Reads a row's columns from left to right.
pub(crate) struct Fields {
    row: Row,
    next: usize,
}

impl Fields {
    pub(crate) const fn new(row: Row) -> Self {
        Self { row, next: 0 }
    }

    fn step(&mut self) -> usize {
        let at = self.next;
        self.next = self.next.saturating_add(1);
        at
    }

    pub(crate) fn int_or(&mut self) -> Result<Option<i64>, LedgerError> {
        let at = self.step();
        dispatch!(&self.row, Row, row => row.try_get(at)).map_err(refusal)
    }

    pub(crate) fn text_or(&mut self) -> Result<Option<String>, LedgerError> {
        let at = self.step();
        dispatch!(&self.row, Row, row => row.try_get(at)).map_err(refusal)
    }

    pub(crate) fn bytes_or(&mut self) -> Result<Option<Vec<u8>>, LedgerError> {
        let at = self.step();
        dispatch!(&self.row, Row, row => row.try_get(at)).map_err(refusal)
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, LedgerError> {
        let at = self.step();
        dispatch!(&self.row, Row, row => row.try_get(at)).map_err(refusal)
    }

    pub(crate) fn int(&mut self) -> Result<i64, LedgerError> {
        let at = self.step();
        dispatch!(&self.row, Row, row => row.try_get(at)).map_err(refusal)
    }

    pub(crate) fn text(&mut self) -> Result<String, LedgerError> {
        let at = self.step();
        dispatch!(&self.row, Row, row => row.try_get(at)).map_err(refusal)
    }

    /// A whole number that must fit.
    pub(crate) fn number<N: TryFrom<i64>>(&mut self, what: &str) -> Result<N, LedgerError> {
        let value = self.int()?;
        N::try_from(value).map_err(|_| LedgerError::Corrupt(format!("{what} {value} is out of range")))
    }

    /// A text that must parse.
    pub(crate) fn parse<T>(&mut self, what: &str) -> Result<T, LedgerError>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.text()?;
        text.parse().map_err(|error| LedgerError::Corrupt(format!("{what} `{text}`: {error}")))
    }

    pub(crate) fn digest(&mut self) -> Result<Digest, LedgerError> {
        let bytes = self.bytes()?;
        <[u8; 32]>::try_from(bytes.as_slice())
            .map(Digest::from_bytes)
            .map_err(|_| LedgerError::Corrupt(format!("a digest of {} bytes", bytes.len())))
    }
}

/// `SQLite`'s primary result code, if it was `SQLite` that refused.
pub(crate) fn sqlite_code(error: &sqlx::Error) -> Option<i64> {
    let database = error.as_database_error()?;
    database.try_downcast_ref::<SqliteError>()?;
    let extended: i64 = database.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// What the database said, in our words.
#[expect(clippy::needless_pass_by_value, reason = "it stands in every map_err")]
pub(crate) fn refusal(error: sqlx::Error) -> LedgerError {
    const READ_ONLY: i64 = 8;
    const CORRUPT: i64 = 11;
    const FULL: i64 = 13;
    const NOT_A_DATABASE: i64 = 26;
    match sqlite_code(&error) {
        Some(READ_ONLY) => return LedgerError::ReadOnly,
        Some(FULL) => return LedgerError::DiskFull,
        Some(CORRUPT | NOT_A_DATABASE) => return LedgerError::Corrupt(error.to_string()),
        _ => {}
    }
    let code = error.as_database_error().and_then(|database| database.code().map(|code| code.to_string()));
    match (code.as_deref(), &error) {
        (Some("53100"), _) => LedgerError::DiskFull,
        (Some("25006"), _) => LedgerError::ReadOnly,
        (_, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
            LedgerError::Corrupt(error.to_string())
        }
        _ => LedgerError::Database(error.to_string()),
    }
}
