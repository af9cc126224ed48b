//! Files that were announced and never entered: a daemon was stopped between the two.
//!
//! Only what this ledger announced is ever removed. Whatever else lies in the same place, the files of another
//! ledger or of a restored one among it, is spared.

use chrono::{DateTime, Utc};

use super::FileName;
use crate::backend::args;
use crate::instant::micros;
use crate::{Ledger, LedgerError, WriteGuard};

impl Ledger {
    /// Removes files that were announced before a moment and never entered; says how many.
    pub async fn sweep_archive(&self, guard: &WriteGuard, before: DateTime<Utc>) -> Result<u64, LedgerError> {
        let archive = self.archive()?;
        let mut swept = 0_u64;
        loop {
            // Nobody else can enter the file meanwhile: writers take turns.
            let mut tx = self.write(guard).await?;
            let orphan = tx
                .fetch_one(
                    "SELECT i.digest, i.day FROM archive_intents i WHERE i.since < $1 AND NOT EXISTS \
                     (SELECT 1 FROM archive_files f WHERE f.digest = i.digest) ORDER BY i.digest LIMIT 1",
                    args![micros(before)],
                )
                .await?;
            let Some(mut row) = orphan else { return Ok(swept) };
            let file = FileName { digest: row.digest()?, day: row.text()? };
            archive.remove(&file).await?;
            tx.execute("DELETE FROM archive_intents WHERE digest = $1", args![file.digest]).await?;
            tx.commit().await?;
            swept = swept.saturating_add(1);
        }
    }
}
