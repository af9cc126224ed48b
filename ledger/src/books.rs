//! Price books, under their digest: what was charged can be explained from the files it came from.

use defray_pricing::book::Source;
use defray_pricing::digest::Digest;

use crate::backend::args;
use crate::{Ledger, LedgerError, Scope, WriteGuard};

impl Ledger {
    /// Remembers the files of a price book; says whether they were new.
    pub async fn put_book(
        &self,
        guard: &WriteGuard,
        digest: Digest,
        files: &[Source],
    ) -> Result<bool, LedgerError> {
        let mut tx = self.write(guard).await?;
        let known = tx.fetch_one("SELECT COUNT(*) FROM books WHERE digest = $1", args![digest]).await?;
        if let Some(mut row) = known
            && row.int()? > 0
        {
            // The digest is of what the book says: the first files that said it are kept.
            return Ok(false);
        }
        let rows = (0_i64..)
            .zip(files)
            .map(|(n, file)| args![digest, n, file.name.as_str(), file.text.as_str()])
            .collect();
        tx.insert("books (digest, n, name, text)", rows).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The files of a price book.
    pub async fn book(&self, scope: &Scope, digest: Digest) -> Result<Option<Vec<Source>>, LedgerError> {
        scope.whole("a price book")?;
        let rows = self
            .read()
            .await?
            .fetch("SELECT name, text FROM books WHERE digest = $1 ORDER BY n", args![digest])
            .await?;
        let files: Vec<Source> = rows
            .into_iter()
            .map(|mut row| Ok(Source { name: row.text()?, text: row.text()? }))
            .collect::<Result<_, LedgerError>>()?;
        Ok(if files.is_empty() { None } else { Some(files) })
    }
}
