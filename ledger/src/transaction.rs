//! A transaction that cannot commit half of itself.
//!
//! After a failed statement both databases answer a commit with success: PostgreSQL has rolled back
//! silently, SQLite has kept the statements before. So a failure poisons the transaction, and commit
//! refuses. Dropped, it rolls back.

use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::backend::{Fields, Row, Running, Value, dispatch, refusal};
use crate::error::LedgerError;

/// Placeholders per statement stay under the limit of either database.
const PLACEHOLDERS: usize = 8_000;

pub(crate) struct Transaction {
    running: Running,
    poisoned: bool,
}

/// Binds and runs one statement; expands once per backend.
macro_rules! run {
    ($transaction:ident, $sql:ident, $values:ident, $how:ident) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match value {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
            };
        }
        query.$how(&mut **$transaction).await.map_err(refusal)
    }};
}

impl Transaction {
    pub(crate) const fn new(running: Running) -> Self {
        Self { running, poisoned: false }
    }

    /// What it is underneath, where both do not mean the same.
    pub(crate) const fn running(&self) -> &Running {
        &self.running
    }

    /// Runs a statement; says how many rows it touched.
    pub(crate) async fn execute(
        &mut self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> Result<u64, LedgerError> {
        self.enter()?;
        let touched = dispatch!(&mut self.running, Running, transaction => {
            run!(transaction, sql, values, execute)?.rows_affected()
        });
        self.poisoned = false;
        Ok(touched)
    }

    /// Every row of an answer.
    pub(crate) async fn fetch(
        &mut self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> Result<Vec<Fields>, LedgerError> {
        self.enter()?;
        let rows: Vec<Row> = match &mut self.running {
            Running::Sqlite(transaction) => {
                run!(transaction, sql, values, fetch_all)?.into_iter().map(Row::Sqlite).collect()
            }
            Running::Postgres(transaction) => {
                run!(transaction, sql, values, fetch_all)?.into_iter().map(Row::Postgres).collect()
            }
        };
        self.poisoned = false;
        Ok(rows.into_iter().map(Fields::new).collect())
    }

    /// The only row of an answer, if there is one.
    pub(crate) async fn fetch_one(
        &mut self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> Result<Option<Fields>, LedgerError> {
        Ok(self.fetch(sql, values).await?.into_iter().next())
    }

    /// Inserts many rows in few statements. `into` is `table (columns)`, which no user has a part in.
    pub(crate) async fn insert(&mut self, into: &str, rows: Vec<Vec<Value>>) -> Result<(), LedgerError> {
        let width = rows.first().map_or(1, Vec::len).max(1);
        let per_statement = PLACEHOLDERS.checked_div(width).unwrap_or(1).clamp(1, 100);
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<Vec<Value>> = rows.by_ref().take(per_statement).collect();
            let sql = format!("INSERT INTO {into} VALUES {}", tuples(chunk.len(), width));
            self.execute(AssertSqlSafe(sql), chunk.into_iter().flatten().collect()).await?;
        }
        Ok(())
    }

    /// Makes it last, unless a statement failed.
    pub(crate) async fn commit(self) -> Result<(), LedgerError> {
        if self.poisoned {
            return Err(LedgerError::Poisoned);
        }
        dispatch!(self.running, Running, transaction => transaction.commit().await).map_err(refusal)
    }

    /// Poisoned until the statement is known to have succeeded: a cancelled one counts as failed.
    fn enter(&mut self) -> Result<(), LedgerError> {
        if self.poisoned {
            return Err(LedgerError::Poisoned);
        }
        self.poisoned = true;
        Ok(())
    }
}

/// `($1, $2), ($3, $4)`
fn tuples(rows: usize, width: usize) -> String {
    let mut sql = String::new();
    let mut n = 0_usize;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..width {
            n = n.saturating_add(1);
            if column > 0 {
                sql.push_str(", ");
            }
            sql.push('$');
            sql.push_str(&n.to_string());
        }
        sql.push(')');
    }
    sql
}

#[cfg(test)]
mod tests {
    use crate::backend::args;
    use crate::{Ledger, LedgerError, Location};

    /// The database itself would answer this commit with success and keep the first statement.
    #[tokio::test]
    async fn a_failed_statement_forbids_the_commit() {
        let home = tempfile::TempDir::new().unwrap();
        let ledger = Ledger::open(&Location::directory(home.path())).await.unwrap();
        let guard = ledger.acquire().await.unwrap();
        let mut tx = ledger.write(&guard).await.unwrap();
        let insert = "INSERT INTO disabled_endpoints (sink, endpoint, reason, at) VALUES ('s', 'e', 'r', $1)";
        tx.execute(insert, args![1_i64]).await.unwrap();
        tx.execute(insert, args![2_i64]).await.unwrap_err();
        let next = tx.execute("DELETE FROM disabled_endpoints", args![]).await.unwrap_err();
        assert!(matches!(next, LedgerError::Poisoned), "{next}");
        let commit = tx.commit().await.unwrap_err();
        assert!(matches!(commit, LedgerError::Poisoned), "{commit}");
        assert!(ledger.disabled(&crate::Scope::everything()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn many_rows_go_in_whatever_their_number() {
        let home = tempfile::TempDir::new().unwrap();
        let ledger = Ledger::open(&Location::directory(home.path())).await.unwrap();
        let guard = ledger.acquire().await.unwrap();
        for rows in [0_i64, 1, 99, 100, 101, 2_000] {
            let mut tx = ledger.write(&guard).await.unwrap();
            let values = (0..rows).map(|n| args!["s", format!("{rows}-{n}"), "r", n]).collect();
            tx.insert("disabled_endpoints (sink, endpoint, reason, at)", values).await.unwrap();
            let mut count =
                tx.fetch_one("SELECT COUNT(*) FROM disabled_endpoints", args![]).await.unwrap().unwrap();
            assert_eq!(count.int().unwrap(), rows);
        }
    }
}
