//! Where a configuration stands: what relative paths and variables mean.

use std::path::{Path, PathBuf};

use super::Environment;

/// What a reader needs besides the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) folder: &'a Path,
    pub(super) environment: &'a Environment,
}

impl Place<'_> {
    /// A path as the file means it.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.folder.join(written)
    }
}
