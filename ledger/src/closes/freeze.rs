//! Freezing a version that was just written, in the transaction that wrote it.

use defray_pricing::digest::Digest;
use defray_pricing::restatement::Delta;
use defray_pricing::time::Period;

use super::{CloseRecord, ClosedMonth, Closing, FrozenOwnership, PinnedHour, digest, files, read};
use crate::backend::{Value, args};
use crate::codec::ownership as codec;
use crate::columns::{key_columns, push_key, push_money, push_money_or};
use crate::instant::{instant, micros};
use crate::transaction::Transaction;
use crate::{LedgerError, MonthRecord, Scope};

/// The newest close; before the first, none.
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) digest: Digest,
}

pub(super) async fn head(tx: &mut Transaction) -> Result<Head, LedgerError> {
    match tx.fetch_one("SELECT seq, digest FROM close_head WHERE id = 1", args![]).await? {
        None => Ok(Head { seq: 0, digest: Digest::from_bytes([0; 32]) }),
        Some(mut row) => Ok(Head { seq: row.number("close")?, digest: row.digest()? }),
    }
}

/// What makes a version more than a close.
#[derive(Default)]
pub(super) struct Restated {
    pub(super) reason: Option<String>,
    pub(super) deltas: Vec<Delta>,
}

/// Ownership in the form it is stored in: packing it is work that no writer should wait for.
pub(super) struct Packed {
    digest: Digest,
    blob: Vec<u8>,
}

impl Packed {
    pub(super) fn new(period: Period, ownership: &FrozenOwnership) -> Result<Self, LedgerError> {
        let rows = codec::rows(ownership)?;
        Ok(Self { digest: codec::digest(&rows), blob: codec::write(&period.to_string(), &rows)? })
    }
}

/// Freezes a version whose month is written and still open in this transaction.
pub(super) async fn freeze(
    tx: &mut Transaction,
    version: u32,
    month: &MonthRecord,
    closing: Closing,
    ownership: Packed,
    restated: Restated,
) -> Result<ClosedMonth, LedgerError> {
    let period = month.statements.period.to_string();
    let Closing { at, by, how, forced, zone, engine_version, hours, files: rendered, ownership: _ } = closing;
    let files = rendered.iter().map(|file| {
        let name = format!("{}{}", files::view(&Scope::everything()), file.name);
        let sha256 = files::sha256(&file.content);
        let digest = digest::of_file((&period, version), &name, true, file.length()?, &sha256);
        Ok((name, digest))
    });
    let mut named: Vec<(String, Digest)> = files.collect::<Result<_, LedgerError>>()?;
    named.sort();
    let hours = recorded(tx, hours).await?;
    let Head { seq, digest: previous } = head(tx).await?;
    let seq = seq.checked_add(1).ok_or(defray_pricing::Overflow("closes"))?;
    let mut record = CloseRecord {
        period: month.statements.period,
        version,
        seq,
        // As it will be read back.
        at: instant(micros(at))?,
        by,
        how,
        forced,
        reason: restated.reason,
        zone: zone.name().to_owned(),
        engine_version,
        hours_missing: month.hours_missing,
        hours_lost: month.hours_lost,
        total: Some(month.statements.amount),
        inputs: month.inputs,
        book_digest: month.book_digest,
        ownership: ownership.digest,
        hours: digest::of_hours(&hours)?,
        statements: digest::of_month(month)?,
        deltas: digest::of_deltas(&restated.deltas)?,
        files: digest::of_files(&named)?,
        previous,
        digest: previous,
    };
    record.digest = digest::of_close(&record)?;
    insert(tx, &period, &record).await?;
    attach(tx, (&period, version), &hours, ownership, &restated.deltas).await?;
    for file in &rendered {
        files::put(tx, (&period, version), &files::view(&Scope::everything()), file, true).await?;
    }
    let state = if version == 1 { "closed" } else { "restated" };
    tx.execute(
        "UPDATE months SET state = $3 WHERE period = $1 AND version = $2",
        args![period.as_str(), version, state],
    )
    .await?;
    tx.execute(
        "INSERT INTO close_head (id, seq, digest) VALUES (1, $1, $2) \
         ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, digest = excluded.digest",
        args![digest::whole(seq)?, record.digest],
    )
    .await?;
    // What was written is what will be read: not a word of it is taken on trust.
    let frozen = read::one(tx, &period, version).await?;
    let frozen = frozen.filter(|ClosedMonth(read)| *read == record);
    frozen.ok_or_else(|| LedgerError::Corrupt(format!("{period} version {version} reads other than written")))
}

/// The revisions as they are recorded, in their order.
async fn recorded(tx: &mut Transaction, mut hours: Vec<PinnedHour>) -> Result<Vec<PinnedHour>, LedgerError> {
    hours.sort();
    for pinned in &hours {
        let row = tx
            .fetch_one(
                "SELECT digest FROM hours WHERE cluster = $1 AND hour = $2 AND revision = $3",
                args![pinned.cluster.as_str(), pinned.hour.index(), pinned.revision],
            )
            .await?;
        let recorded = row.map(|mut row| row.digest()).transpose()?;
        if recorded != Some(pinned.digest) {
            let PinnedHour { cluster, hour, revision, .. } = pinned;
            return Err(LedgerError::Unknown(format!(
                "revision {revision} of {cluster} {hour} of that content"
            )));
        }
    }
    Ok(hours)
}

async fn insert(tx: &mut Transaction, period: &str, record: &CloseRecord) -> Result<(), LedgerError> {
    let mut row = args![
        period,
        record.version,
        digest::whole(record.seq)?,
        micros(record.at),
        record.by.as_str(),
        record.how.as_str(),
        record.forced.as_deref(),
        record.reason.as_deref(),
        record.zone.as_str(),
        record.engine_version,
        record.hours_missing,
    ];
    push_money_or(&mut row, record.total)?;
    row.extend(args![
        record.inputs,
        record.book_digest,
        record.ownership,
        record.hours,
        record.statements,
        record.deltas,
        record.files,
        record.previous,
        record.digest,
        record.hours_lost
    ]);
    tx.insert(
        "closes (period, version, seq, closed_at, closed_by, how, forced_reason, restate_reason, zone, \
         engine_version, hours_missing, total_units, total_nanos, total_attos, inputs, book_digest, \
         ownership_digest, hours_digest, statements_digest, deltas_digest, files_digest, previous, digest, \
         hours_lost)",
        vec![row],
    )
    .await
}

async fn attach(
    tx: &mut Transaction,
    (period, version): (&str, u32),
    hours: &[PinnedHour],
    ownership: Packed,
    deltas: &[Delta],
) -> Result<(), LedgerError> {
    let pins = hours
        .iter()
        .map(|pinned| args![period, version, pinned.cluster.as_str(), pinned.hour.index(), pinned.revision]);
    tx.insert("close_hours (period, version, cluster, hour, revision)", pins.collect()).await?;
    tx.execute(
        "INSERT INTO close_ownership (period, version, blob_digest, content) VALUES ($1, $2, $3, $4)",
        args![period, version, Digest::of(&ownership.blob), ownership.blob],
    )
    .await?;
    let mut rows: Vec<Vec<Value>> = Vec::with_capacity(deltas.len());
    for (n, delta) in (0_i64..).zip(deltas) {
        let mut row = args![period, version, n];
        push_key(&mut row, &delta.key);
        push_money(&mut row, delta.amount)?;
        rows.push(row);
    }
    tx.insert(
        concat!(
            "close_deltas (period, version, n, ",
            key_columns!(),
            ", amount_units, amount_nanos, amount_attos)"
        ),
        rows,
    )
    .await
}
