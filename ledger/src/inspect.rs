//! Everything a ledger holds, held against what it says of itself: pages, references, the chain over hours,
//! digests of files, control totals. What does not hold is told, place by place, and the look goes on.

use defray_pricing::digest::Digest;

use crate::archive::Archive;
use crate::backend::{Running, Value, args};
use crate::chain::Reach;
use crate::tables::Table;
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, Scope, closes, tables};

mod amounts;
mod hours;

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: String,
    /// What does not hold.
    pub reason: String,
}

/// What was looked at, and what of it does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Rows of every table.
    pub rows: u64,
    /// Revisions of hours, in the chain.
    pub revisions: u64,
    /// How many of them are there by their digest only.
    pub pruned: u64,
    /// Days of charges.
    pub days: u64,
    /// Versions of months.
    pub months: u64,
    /// Of every row of every table, in the order of their keys: two ledgers that say the same have the same,
    /// whatever database they are in. None where a row cannot be read.
    pub digest: Option<Digest>,
    /// What does not hold.
    pub faults: Vec<Fault>,
}

impl Ledger {
    /// Looks at everything, as of one moment.
    pub async fn inspect(&self, scope: &Scope) -> Result<Inspection, LedgerError> {
        scope.whole("an inspection of the ledger")?;
        let tables = tables::all().await?;
        inspect(&mut self.read().await?, self.inner.archive.as_ref(), &tables).await
    }
}

pub(crate) async fn inspect(
    tx: &mut Transaction,
    archive: Option<&Archive>,
    tables: &[Table],
) -> Result<Inspection, LedgerError> {
    let mut faults = Vec::new();
    pages(tx, &mut faults).await?;
    references(tx, tables, &mut faults).await?;
    let (revisions, pruned) = hours::inspect(tx, archive, &mut faults).await?;
    found(closes::verify(tx, Reach::All).await, &mut faults, || "the closed months".to_owned())?;
    let days = amounts::days(tx, &mut faults).await?;
    let months = amounts::months(tx, &mut faults).await?;
    let summed = found(digest(tx, tables).await, &mut faults, || "the rows of all tables".to_owned())?;
    let (rows, digest) = summed.map_or((0, None), |(rows, digest)| (rows, Some(digest)));
    Ok(Inspection { rows, revisions, pruned, days, months, digest, faults })
}

/// The digest of every row, and how many there are.
pub(crate) async fn digest(tx: &mut Transaction, tables: &[Table]) -> Result<(u64, Digest), LedgerError> {
    let mut sum = Sum::default();
    for table in tables.iter().filter(|table| table.is_content()) {
        sum.begin(table);
        let mut after: Option<Vec<Value>> = None;
        loop {
            let rows = page(tx, table, after.as_deref()).await?;
            sum.add_all(&rows);
            match rows.last() {
                Some(last) => after = Some(table.key_of(last)),
                None => break,
            }
        }
    }
    Ok((sum.rows, sum.digest))
}

/// The rows of a table after a key, as many as are read at once.
pub(crate) async fn page(
    tx: &mut Transaction,
    table: &Table,
    after: Option<&[Value]>,
) -> Result<Vec<Vec<Value>>, LedgerError> {
    let rows = tx.fetch(table.select(after.is_some()), after.unwrap_or_default().to_vec()).await?;
    rows.into_iter().map(|mut row| table.read(&mut row)).collect()
}

/// A digest of rows that is carried on row by row.
pub(crate) struct Sum {
    pub(crate) digest: Digest,
    pub(crate) rows: u64,
}

impl Default for Sum {
    fn default() -> Self {
        Self { digest: Digest::from_bytes([0; 32]), rows: 0 }
    }
}

impl Sum {
    pub(crate) fn begin(&mut self, table: &Table) {
        self.digest = Digest::of_fields([self.digest.as_bytes().as_slice(), table.name.as_bytes()]);
    }

    pub(crate) fn add_all(&mut self, rows: &[Vec<Value>]) {
        for row in rows {
            self.add(row);
        }
    }

    fn add(&mut self, row: &[Value]) {
        let cells: Vec<Vec<u8>> = row.iter().map(Value::canonical).collect();
        let before = self.digest;
        let cells = cells.iter().map(Vec::as_slice);
        self.digest = Digest::of_fields(std::iter::once(before.as_bytes().as_slice()).chain(cells));
        self.rows = self.rows.saturating_add(1);
    }
}

/// What the database itself finds in its files. PostgreSQL checks its pages as it reads them, if its cluster has
/// data checksums; everything is read here.
async fn pages(tx: &mut Transaction, faults: &mut Vec<Fault>) -> Result<(), LedgerError> {
    if !matches!(tx.running(), Running::Sqlite(_)) {
        return Ok(());
    }
    for mut row in tx.fetch("PRAGMA integrity_check(20)", args![]).await? {
        let reason = row.text()?;
        if reason != "ok" {
            faults.push(Fault { place: "the database file".to_owned(), reason });
        }
    }
    Ok(())
}

async fn references(
    tx: &mut Transaction,
    tables: &[Table],
    faults: &mut Vec<Fault>,
) -> Result<(), LedgerError> {
    for table in tables {
        for (other, sql) in table.dangling() {
            let count = tx.fetch_one(sql, args![]).await?.map_or(Ok(0), |mut row| row.int())?;
            if count > 0 {
                let reason = format!("{count} rows refer to rows of {other} that are not there");
                faults.push(Fault { place: format!("the table {}", table.name), reason });
            }
        }
    }
    Ok(())
}

/// Damage is a finding, and the look goes on; that the database cannot be asked is an error.
fn found<T>(
    result: Result<T, LedgerError>,
    faults: &mut Vec<Fault>,
    place: impl FnOnce() -> String,
) -> Result<Option<T>, LedgerError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ (LedgerError::NotArchived { .. } | LedgerError::NoArchive)) => {
            faults.push(Fault { place: place(), reason: error.to_string() });
            Ok(None)
        }
        Err(LedgerError::Corrupt(reason)) => {
            let place = place();
            let reason = reason.strip_prefix(&format!("{place}: ")).map(str::to_owned).unwrap_or(reason);
            faults.push(Fault { place, reason });
            Ok(None)
        }
        Err(other) => Err(other),
    }
}
