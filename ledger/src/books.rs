//! Price books, under their digest: what was charged can be explained from the files it came from.

use defray_pricing::book::Source;
use defray_pricing::digest::Digest;

use crate::{Ledger, LedgerError, Scope, WriteGuard};

impl Ledger {
    /// Remembers the files of a price book; says whether they were new.
    pub async fn put_book(
        &self,
        _guard: &WriteGuard,
        _digest: Digest,
        _files: &[Source],
    ) -> Result<bool, LedgerError> {
        Err(LedgerError::NotYet("put_book"))
    }

    /// The files of a price book.
    pub async fn book(&self, _scope: &Scope, _digest: Digest) -> Result<Option<Vec<Source>>, LedgerError> {
        Err(LedgerError::NotYet("book"))
    }
}
