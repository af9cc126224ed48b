//! What time it is, to a job that must not work with a clock that went back.

use super::Shared;
use crate::rerate::Present;

impl Shared {
    /// A moment that no recorded hour contradicts.
    pub(super) async fn present(&self) -> anyhow::Result<Present> {
        Present::of(&self.ledger, &self.clock).await
    }
}
