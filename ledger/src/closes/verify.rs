//! Following the chain of closes, and what each of them holds.

use defray_pricing::digest::Digest;

use super::freeze::{Head, head};
use super::{ClosedMonth, digest, files, read};
use crate::backend::args;
use crate::chain::Reach;
use crate::transaction::Transaction;
use crate::{LedgerError, Scope, months};

/// Proves that every close follows from the one before and, where all is to be read, that what hangs from each is
/// what it was closed with; says how many closes held.
pub(crate) async fn verify(tx: &mut Transaction, reach: Reach) -> Result<u64, LedgerError> {
    let closes = read::all(tx).await?;
    let mut at = Head { seq: 0, digest: Digest::from_bytes([0; 32]) };
    for closed in &closes {
        let ClosedMonth(record) = closed;
        let what = |what: &str| {
            LedgerError::Corrupt(format!("the close of {} version {}: {what}", record.period, record.version))
        };
        if record.seq != at.seq.saturating_add(1) || record.previous != at.digest {
            return Err(what("it does not follow from the one before"));
        }
        if digest::of_close(record)? != record.digest {
            return Err(what("it does not match its digest"));
        }
        at = Head { seq: record.seq, digest: record.digest };
        if matches!(reach, Reach::All) {
            contents(tx, closed).await?;
        }
    }
    let recorded = head(tx).await?;
    if recorded.seq != at.seq || recorded.digest != at.digest {
        return Err(LedgerError::Corrupt("the chain of closes does not end in its recorded head".to_owned()));
    }
    let unclosed = tx
        .fetch_one(
            "SELECT m.period FROM months m WHERE m.state <> 'open' AND NOT EXISTS \
             (SELECT 1 FROM closes c WHERE c.period = m.period AND c.version = m.version) LIMIT 1",
            args![],
        )
        .await?;
    if let Some(mut row) = unclosed {
        return Err(LedgerError::Corrupt(format!(
            "{} is closed, but no close of it is recorded",
            row.text()?
        )));
    }
    Ok(at.seq)
}

async fn contents(tx: &mut Transaction, closed: &ClosedMonth) -> Result<(), LedgerError> {
    let ClosedMonth(record) = closed;
    let (period, everything) = (record.period.to_string(), Scope::everything());
    let what = |what: &str| {
        LedgerError::Corrupt(format!("the close of {period} version {}: {what}", record.version))
    };
    let month = months::load(tx, &everything, record.period, record.version).await?;
    let month = month.ok_or_else(|| what("its statements are gone"))?;
    if digest::of_month(&month)? != record.statements || month.inputs != record.inputs {
        return Err(what("its statements do not match their digest"));
    }
    if digest::of_hours(&read::pinned(tx, &period, record.version).await?)? != record.hours {
        return Err(what("the hours it was made from do not match their digest"));
    }
    read::ownership(tx, closed).await?;
    let deltas = read::deltas(tx, &everything, &period, record.version).await?;
    if digest::of_deltas(&deltas)? != record.deltas {
        return Err(what("the lines it changed do not match their digest"));
    }
    let names = tx
        .fetch(
            "SELECT name, at_close, length, sha256, digest FROM close_files \
             WHERE period = $1 AND version = $2 ORDER BY name",
            args![period.as_str(), record.version],
        )
        .await?;
    let mut at_close = Vec::new();
    for mut row in names {
        let (file, digest) = files::file(closed, &mut row)?;
        // One after the other: a month's files together may be more than memory.
        let content = tx
            .fetch_one(
                "SELECT content FROM close_files WHERE period = $1 AND version = $2 AND name = $3",
                args![period.as_str(), record.version, file.name.as_str()],
            )
            .await?;
        files::check(closed, &file, &content.ok_or_else(|| what("a file is gone"))?.bytes()?)?;
        if file.at_close {
            at_close.push((file.name, digest));
        }
    }
    if digest::of_files(&at_close)? != record.files {
        return Err(what("the files it was closed with do not match their digest"));
    }
    Ok(())
}
