//! Who may write: every write takes a guard, whose epoch its transaction checks.

/// The right to write, until somebody else acquires it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteGuard {
    epoch: i64,
}

impl WriteGuard {
    pub(crate) const fn new(epoch: i64) -> Self {
        Self { epoch }
    }

    /// The fencing number: a write with an older one is refused.
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }
}
