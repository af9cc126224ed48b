//! Row by row, from either database into either.

use defray_pricing::digest::Digest;
use sqlx::AssertSqlSafe;

use crate::backend::{Running, args};
use crate::error::LedgerError;
use crate::inspect::{Sum, page};
use crate::tables::Table;
use crate::transaction::Transaction;

/// Puts every row into tables that a migration has just made; says the digest of what was read.
///
/// Triggers guard what is recorded against those who would change it. Here it comes to be: they rest until it is
/// whole, within the one transaction that makes it so.
pub(super) async fn copy(
    from: &mut Transaction,
    into: &mut Transaction,
    tables: &[Table],
) -> Result<Digest, LedgerError> {
    let server = matches!(into.running(), Running::Postgres(_));
    let resting = rest(into, tables, server).await?;
    for table in tables.iter().rev() {
        into.execute(AssertSqlSafe(format!("DELETE FROM {}", table.name)), args![]).await?;
    }
    let mut sum = Sum::default();
    for table in tables.iter().filter(|table| table.is_copied()) {
        let target = table.into(server);
        if table.is_content() {
            sum.begin(table);
        }
        let mut after = None;
        loop {
            let rows = page(from, table, after.as_deref()).await?;
            let Some(last) = rows.last() else { break };
            after = Some(table.key_of(last));
            if table.is_content() {
                sum.add_all(&rows);
            }
            into.insert(&target, rows).await?;
        }
        if let Some(sql) = table.renumber().filter(|_| server) {
            into.fetch(sql, args![]).await?;
        }
    }
    for sql in resting {
        into.execute(AssertSqlSafe(sql), args![]).await?;
    }
    Ok(sum.digest)
}

/// Lets the triggers of every table rest; says how they are woken.
async fn rest(tx: &mut Transaction, tables: &[Table], server: bool) -> Result<Vec<String>, LedgerError> {
    let mut waking = Vec::new();
    if server {
        for Table { name, .. } in tables {
            tx.execute(AssertSqlSafe(format!("ALTER TABLE {name} DISABLE TRIGGER USER")), args![]).await?;
            waking.push(format!("ALTER TABLE {name} ENABLE TRIGGER USER"));
        }
        return Ok(waking);
    }
    for mut row in tx.fetch("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'", args![]).await? {
        let (name, sql) = (row.text()?, row.text()?);
        tx.execute(AssertSqlSafe(format!("DROP TRIGGER {name}")), args![]).await?;
        waking.push(sql);
    }
    Ok(waking)
}
