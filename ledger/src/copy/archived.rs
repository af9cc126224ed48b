//! The files of settled days, from one archive to another.

use defray_pricing::digest::Digest;

use super::CopyError;
use crate::archive::{Archive, FileName};
use crate::backend::args;
use crate::error::LedgerError;
use crate::transaction::Transaction;

/// Files whose entries are read at once.
const PAGE: i64 = 500;

/// Brings every file that is entered in a ledger to where its copy will look for it. What is there already under
/// the same digest is the same.
pub(super) async fn copy(
    tx: &mut Transaction,
    source: Option<&Archive>,
    target: Option<&Archive>,
) -> Result<(), CopyError> {
    let mut after = Digest::from_bytes([0; 32]);
    loop {
        let rows = tx
            .fetch(
                "SELECT f.digest, f.day FROM archive_files f WHERE f.digest > $1 AND NOT EXISTS \
                 (SELECT 1 FROM pruned_files p WHERE p.digest = f.digest) ORDER BY f.digest LIMIT $2",
                args![after, PAGE],
            )
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let source = source.ok_or(LedgerError::NoArchive)?;
        let target = target.ok_or(CopyError::NoArchive)?;
        if source.is(target) {
            return Ok(());
        }
        for mut row in rows {
            let file = FileName { digest: row.digest()?, day: row.text()? };
            after = file.digest;
            target.put(&file, &source.fetch(&file).await?).await?;
        }
    }
}
