//! Settled days as files outside the database, in a directory.
//!
//! A file is named after the digest of its content and never changed. It is known by the catalogue in the
//! database; what else lies in the same place is not the ledger's and is left alone.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use defray_pricing::digest::Digest;

use crate::error::LedgerError;

mod directory;
mod place;
mod settle;
mod sweep;

pub use place::{ArchiveError, ArchivePlace};
pub use settle::ArchivedDay;

/// How much of what was read last is kept at hand: the hours of a day are read one after another.
const AT_HAND: usize = 64 << 20;

/// Where settled days go. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Archive(Arc<Inner>);

struct Inner {
    root: PathBuf,
    name: String,
    at_hand: Mutex<Vec<(Digest, Bytes)>>,
}

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileName {
    /// The day whose hours it holds, in UTC.
    pub(crate) day: String,
    /// Of its content.
    pub(crate) digest: Digest,
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hours/{}/{}.parquet", self.day, self.digest)
    }
}

impl Archive {
    fn new(root: PathBuf, name: String) -> Self {
        Self(Arc::new(Inner { root, name, at_hand: Mutex::new(Vec::new()) }))
    }

    /// Writes a file, so that it is there after a power cut, and reads it back.
    pub(crate) async fn put(&self, file: &FileName, content: &[u8]) -> Result<(), LedgerError> {
        let name = file.to_string();
        directory::put(&self.0.root, &name, content).await.map_err(|error| self.failed(file, &error))?;
        self.fetch(file).await.map(|_| ())
    }

    /// Reads a file and proves that it is what was written.
    pub(crate) async fn get(&self, file: &FileName) -> Result<Bytes, LedgerError> {
        let known =
            self.at_hand().iter().find(|(digest, _)| *digest == file.digest).map(|(_, bytes)| bytes.clone());
        if let Some(bytes) = known {
            return Ok(bytes);
        }
        let bytes = self.fetch(file).await?;
        let mut at_hand = self.at_hand();
        at_hand.push((file.digest, bytes.clone()));
        while at_hand.len() > 1 && at_hand.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > AT_HAND {
            at_hand.remove(0);
        }
        Ok(bytes)
    }

    /// Reads a file from where it is.
    pub(crate) async fn fetch(&self, file: &FileName) -> Result<Bytes, LedgerError> {
        let name = file.to_string();
        let bytes = directory::get(&self.0.root, &name)
            .await
            .map_err(|error| self.failed(file, &error))?
            .ok_or_else(|| LedgerError::NotArchived { file: name.clone(), archive: self.0.name.clone() })?;
        if Digest::of(&bytes) == file.digest {
            return Ok(bytes);
        }
        Err(LedgerError::Corrupt(format!(
            "the file {name} of the archive {} does not match its digest",
            self.0.name
        )))
    }

    /// Removes a file; that it is not there is well.
    pub(crate) async fn remove(&self, file: &FileName) -> Result<(), LedgerError> {
        let name = file.to_string();
        self.at_hand().retain(|(digest, _)| *digest != file.digest);
        directory::remove(&self.0.root, &name).await.map_err(|error| self.failed(file, &error))
    }

    /// Whether it is the same place.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }

    fn failed(&self, file: &FileName, error: &std::io::Error) -> LedgerError {
        let (file, archive) = (file.to_string(), self.0.name.clone());
        LedgerError::Archive { file, archive, reason: error.to_string() }
    }

    fn at_hand(&self) -> std::sync::MutexGuard<'_, Vec<(Digest, Bytes)>> {
        self.0.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}
