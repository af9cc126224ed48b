//! What the digests of a close are of. What they cover never changes: what is added later is added behind it.

use defray_pricing::digest::Digest;
use defray_pricing::restatement::Delta;

use super::{CloseRecord, PinnedHour, RenderedFile};
use crate::backend::{Value, args};
use crate::columns::{push_charge, push_key, push_money, push_money_or, push_quantity};
use crate::instant::micros;
use crate::{LedgerError, MonthRecord, controls};

/// Of values as they rest in the database: each with its kind, so that no two sequences are alike.
pub(super) fn of(values: &[Value]) -> Digest {
    let fields: Vec<Vec<u8>> = values.iter().map(Value::canonical).collect();
    Digest::of_fields(fields.iter().map(Vec::as_slice))
}

/// Of everything a month came to.
pub(super) fn of_month(month: &MonthRecord) -> Result<Digest, LedgerError> {
    let all = &month.statements;
    let mut values = args!["month", all.currency.code(), count(all.statements.len())?];
    for statement in &all.statements {
        values.extend(args![statement.cost_center.as_str(), statement.tenant.as_str()]);
        push_money(&mut values, statement.exact)?;
        push_money(&mut values, statement.amount)?;
        let converted = statement.reporting.and_then(|reporting| reporting.converted);
        values.push(Value::from(statement.reporting.map(|reporting| reporting.currency.to_string())));
        values.push(Value::from(converted.map(|converted| converted.rate.to_string())));
        push_money_or(&mut values, converted.map(|converted| converted.amount))?;
        values.push(Value::from(count(statement.lines.len())?));
        for line in &statement.lines {
            push_key(&mut values, &line.key);
            push_quantity(&mut values, line.quantity);
            values.push(Value::from(line.unit_price.map(|price| price.to_string())));
            push_money(&mut values, line.exact)?;
            push_money(&mut values, line.rounding)?;
            push_money(&mut values, line.amount)?;
            push_money_or(&mut values, line.reporting)?;
        }
    }
    values.push(Value::from(count(all.month_level.len())?));
    for charge in &all.month_level {
        push_charge(&mut values, charge)?;
    }
    values.push(Value::from(count(month.coverage.len())?));
    for (cluster, coverage) in &month.coverage {
        values.extend(args![cluster.as_str(), whole(coverage.minutes)?, whole(coverage.of)?]);
    }
    values.push(Value::from(count(month.book_versions.len())?));
    values.extend(month.book_versions.iter().map(|label| Value::from(label.as_str())));
    if let Some(control) = &month.control {
        values.extend(controls::values(control)?);
    }
    Ok(of(&values))
}

pub(super) fn of_hours(hours: &[PinnedHour]) -> Result<Digest, LedgerError> {
    let mut values = args!["hours", count(hours.len())?];
    for pinned in hours {
        let PinnedHour { cluster, hour, revision, digest } = pinned;
        values.extend(args![cluster.as_str(), hour.index(), *revision, *digest]);
    }
    Ok(of(&values))
}

pub(super) fn of_deltas(deltas: &[Delta]) -> Result<Digest, LedgerError> {
    let mut values = args!["deltas", count(deltas.len())?];
    for delta in deltas {
        push_key(&mut values, &delta.key);
        push_money(&mut values, delta.amount)?;
    }
    Ok(of(&values))
}

/// Of one file: its name, its length and the SHA-256 of its bytes.
pub(super) fn of_file(
    version: (&str, u32),
    name: &str,
    at_close: bool,
    length: i64,
    sha256: &[u8],
) -> Digest {
    let values = args!["file", version.0, version.1, name, i64::from(at_close), length, sha256.to_vec()];
    of(&values)
}

/// Of all files of a close, by their digests in the order of their names.
pub(super) fn of_files(files: &[(String, Digest)]) -> Result<Digest, LedgerError> {
    let mut values = args!["files", count(files.len())?];
    values.extend(files.iter().flat_map(|(name, digest)| args![name.as_str(), *digest]));
    Ok(of(&values))
}

/// Of a whole close; `digest` itself is no part of it.
pub(super) fn of_close(record: &CloseRecord) -> Result<Digest, LedgerError> {
    let mut values = args![
        "close",
        record.period.to_string(),
        record.version,
        whole(record.seq)?,
        micros(record.at),
        record.by.as_str(),
        record.how.as_str(),
        record.forced.as_deref(),
        record.reason.as_deref(),
        record.zone.as_str(),
        record.engine_version,
        record.hours_missing,
    ];
    push_money_or(&mut values, record.total)?;
    values.extend(args![
        record.inputs,
        record.book_digest,
        record.ownership,
        record.hours,
        record.statements,
        record.deltas,
        record.files,
        record.previous
    ]);
    // Closes from before there were any keep their digest.
    if record.hours_lost > 0 {
        values.push(record.hours_lost.into());
    }
    Ok(of(&values))
}

pub(super) fn whole(number: u64) -> Result<i64, LedgerError> {
    i64::try_from(number).map_err(|_| LedgerError::Encode(format!("{number} is too much to be stored")))
}

pub(super) fn count(length: usize) -> Result<i64, LedgerError> {
    i64::try_from(length).map_err(|_| LedgerError::Encode(format!("{length} is too much to be stored")))
}

impl RenderedFile {
    pub(super) fn length(&self) -> Result<i64, LedgerError> {
        count(self.content.len())
    }
}
