//! Where an archive is, as it is configured.

use std::fmt;
use std::path::PathBuf;

use super::Archive;

/// Where settled days go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivePlace(PathBuf);

/// The text names no place an archive can be in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Another scheme. What follows it is not repeated: it may hold a key.
    #[error("an archive is a directory or file:///directory, not a text that begins with `{0}`")]
    Scheme(String),
    /// Relative paths depend on where the daemon was started.
    #[error("`file://{0}` is not an absolute path; write three slashes: file:///var/lib/defray/archive")]
    Relative(String),
}

impl ArchivePlace {
    /// Reads `file:///absolute/directory`.
    pub fn parse(url: &str) -> Result<Self, ArchiveError> {
        let Some(path) = url.strip_prefix("file://") else {
            return Err(ArchiveError::Scheme(url.chars().take_while(|c| *c != ':').take(16).collect()));
        };
        if path.starts_with('/') {
            Ok(Self::directory(path))
        } else {
            Err(ArchiveError::Relative(path.to_owned()))
        }
    }

    /// A directory.
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn open(&self) -> Archive {
        Archive::new(self.0.clone(), self.to_string())
    }
}

impl fmt::Display for ArchivePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file://{}", self.0.display())
    }
}
