//! What a ledger is made of: its tables, in an order in which rows may be put into them.
//!
//! Whoever adds a table by a migration names it here; its columns and its key are read from the schema. Both
//! databases have the same tables with the same columns: a test holds them side by side.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::backend::{Fields, Value, refusal};
use crate::error::LedgerError;

/// Every table, whatever it refers to before it.
const TABLES: [&str; 36] = [
    HEAD,
    "chain_heads",
    "hours",
    "hour_blobs",
    "archive_files",
    "archived_hours",
    INTENTS,
    "hour_coverage",
    "missing_hours",
    "observed_clusters",
    "spans",
    "pods",
    "pod_lists",
    "charge_days",
    "day_charges",
    "day_totals",
    "day_pools",
    "months",
    "month_books",
    "month_coverage",
    "statements",
    "statement_lines",
    "month_charges",
    "month_totals",
    "month_pools",
    "closes",
    "close_head",
    "close_hours",
    "close_ownership",
    "close_deltas",
    "close_files",
    "pruned_hours",
    "pruned_files",
    "books",
    "outbox",
    "disabled_endpoints",
];

/// Who may write and how often somebody did: of this one database, and no part of what is remembered.
const HEAD: &str = "ledger_head";

/// What a daemon was about to write into its archive: a copy of the ledger must not think that it was about to.
const INTENTS: &str = "archive_intents";

/// Rows of a page; of a table that holds files, fewer.
const PAGE: i64 = 500;
const PAGE_OF_FILES: i64 = 32;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Text,
    Bytes,
}

/// A table as this release knows it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: String,
    columns: Vec<(String, Kind)>,
    /// Its key's columns, in order.
    key: Vec<usize>,
    /// Whether the database numbers its rows.
    numbered: bool,
    /// What its rows refer to.
    references: Vec<Reference>,
}

/// Columns of a table that must be found in another.
#[derive(Debug, Clone)]
struct Reference {
    table: String,
    columns: Vec<(String, String)>,
}

/// Every table of this release's schema, which an empty database is given to read it from.
pub(crate) async fn all() -> Result<Vec<Table>, LedgerError> {
    let mut connection = memory().await?;
    let mut tables = Vec::with_capacity(TABLES.len());
    for name in TABLES {
        tables.push(describe(&mut connection, name).await?);
    }
    connection.close().await.map_err(refusal)?;
    Ok(tables)
}

async fn memory() -> Result<SqliteConnection, LedgerError> {
    let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.map_err(refusal)?;
    for step in &crate::open::STEPS {
        sqlx::raw_sql(step.sqlite).execute(&mut connection).await.map_err(refusal)?;
    }
    Ok(connection)
}

async fn describe(connection: &mut SqliteConnection, name: &str) -> Result<Table, LedgerError> {
    let found: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid")
            .bind(name)
            .fetch_all(&mut *connection)
            .await
            .map_err(refusal)?;
    let mut columns = Vec::with_capacity(found.len());
    let mut key: Vec<(i64, usize)> = Vec::new();
    for (at, (column, kind, place)) in found.into_iter().enumerate() {
        let kind = match kind.as_str() {
            "INTEGER" => Kind::Int,
            "TEXT" => Kind::Text,
            "BLOB" => Kind::Bytes,
            other => return Err(LedgerError::Encode(format!("{name}.{column} is {other}"))),
        };
        columns.push((column, kind));
        if place > 0 {
            key.push((place, at));
        }
    }
    key.sort_unstable();
    if key.is_empty() {
        return Err(LedgerError::Encode(format!("the table {name} has no key")));
    }
    let (numbered,): (bool,) =
        sqlx::query_as("SELECT sql LIKE '%AUTOINCREMENT%' FROM sqlite_schema WHERE name = $1")
            .bind(name)
            .fetch_one(&mut *connection)
            .await
            .map_err(refusal)?;
    let referred: Vec<(i64, String, String, String)> = sqlx::query_as(
        "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list($1) ORDER BY id, seq",
    )
    .bind(name)
    .fetch_all(connection)
    .await
    .map_err(refusal)?;
    let mut references: Vec<(i64, Reference)> = Vec::new();
    for (id, table, from, to) in referred {
        match references.last_mut() {
            Some((last, reference)) if *last == id => reference.columns.push((from, to)),
            _ => references.push((id, Reference { table, columns: vec![(from, to)] })),
        }
    }
    let references = references.into_iter().map(|(_, reference)| reference).collect();
    let key = key.into_iter().map(|(_, at)| at).collect();
    Ok(Table { name: name.to_owned(), columns, key, numbered, references })
}

impl Table {
    /// Whether what it holds is remembered, and not only about this one database.
    pub(crate) fn is_content(&self) -> bool {
        self.name != HEAD && self.name != INTENTS
    }

    /// Whether a copy of the ledger has it.
    pub(crate) fn is_copied(&self) -> bool {
        self.name != INTENTS
    }

    fn names(&self, columns: impl Iterator<Item = usize>) -> String {
        let names: Vec<&str> =
            columns.filter_map(|at| self.columns.get(at)).map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    pub(crate) fn page(&self) -> i64 {
        let holds_files = self.columns.iter().any(|(_, kind)| *kind == Kind::Bytes);
        if holds_files { PAGE_OF_FILES } else { PAGE }
    }

    /// A page of rows in the order of the key, after the key's values if any are bound.
    pub(crate) fn select(&self, after: bool) -> AssertSqlSafe<String> {
        let (columns, key) = (self.names(0..self.columns.len()), self.names(self.key.iter().copied()));
        let beyond = if after {
            let places: Vec<String> = (1..=self.key.len()).map(|n| format!("${n}")).collect();
            format!(" WHERE ({key}) > ({})", places.join(", "))
        } else {
            String::new()
        };
        AssertSqlSafe(format!(
            "SELECT {columns} FROM {}{beyond} ORDER BY {key} LIMIT {}",
            self.name,
            self.page()
        ))
    }

    /// `table (columns)`, as rows of [`Table::read`] are inserted. `server` numbers rows only where told not to.
    pub(crate) fn into(&self, server: bool) -> String {
        let own = if self.numbered && server { " OVERRIDING SYSTEM VALUE" } else { "" };
        format!("{} ({}){own}", self.name, self.names(0..self.columns.len()))
    }

    /// Lets PostgreSQL go on numbering after the rows that were put in.
    pub(crate) fn renumber(&self) -> Option<AssertSqlSafe<String>> {
        let (column, _) = self.numbered.then(|| self.key.first().and_then(|at| self.columns.get(*at)))??;
        let name = &self.name;
        Some(AssertSqlSafe(format!(
            "SELECT setval(pg_get_serial_sequence('{name}', '{column}'), COALESCE(MAX({column}), 0) + 1, false) \
             FROM {name}"
        )))
    }

    /// All cells of a row.
    pub(crate) fn read(&self, row: &mut Fields) -> Result<Vec<Value>, LedgerError> {
        let cell = |(_, kind): &(String, Kind)| match kind {
            Kind::Int => row.int_or().map(Value::Int),
            Kind::Text => row.text_or().map(Value::Text),
            Kind::Bytes => row.bytes_or().map(Value::Bytes),
        };
        self.columns.iter().map(cell).collect()
    }

    /// The key of a row.
    pub(crate) fn key_of(&self, row: &[Value]) -> Vec<Value> {
        self.key.iter().filter_map(|at| row.get(*at)).cloned().collect()
    }

    /// Counts rows that refer to nothing; for each reference, what it refers to.
    pub(crate) fn dangling(&self) -> Vec<(&str, AssertSqlSafe<String>)> {
        let count = |reference: &Reference| {
            let alike = |(from, to): &(String, String)| format!("p.{to} = c.{from}");
            let alike: Vec<String> = reference.columns.iter().map(alike).collect();
            let filled: Vec<String> =
                reference.columns.iter().map(|(from, _)| format!("c.{from} IS NOT NULL")).collect();
            AssertSqlSafe(format!(
                "SELECT COUNT(*) FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {})",
                self.name,
                filled.join(" AND "),
                reference.table,
                alike.join(" AND ")
            ))
        };
        self.references.iter().map(|reference| (reference.table.as_str(), count(reference))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Whoever adds a table and does not name it here would leave it out of every copy.
    #[tokio::test]
    async fn every_table_of_the_schema_is_known() {
        let mut connection = memory().await.unwrap();
        let made: Vec<(String,)> = sqlx::query_as(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let made: BTreeSet<String> = made.into_iter().map(|(name,)| name).collect();
        assert_eq!(
            made,
            TABLES.map(str::to_owned).into(),
            "name new tables in TABLES, after what they refer to"
        );
    }

    #[tokio::test]
    async fn what_a_table_refers_to_comes_before_it() {
        let mut seen = BTreeSet::new();
        for table in all().await.unwrap() {
            for reference in &table.references {
                assert!(seen.contains(&reference.table), "{} before {}", table.name, reference.table);
            }
            seen.insert(table.name);
        }
    }
}
