//! The bytes of every file of a closed version that was ever sent. The first writer wins, and nothing replaces it.

use defray_pricing::digest::Digest;
use sha2::{Digest as _, Sha256};

use super::{ClosedMonth, digest};
use crate::backend::{Fields, args};
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, Scope};

/// A file as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// What it is called among the files of its version.
    pub name: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// What is known of a file that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFile {
    /// What it is called among the files of its version.
    pub name: String,
    /// Whether the version was closed with it; if not, it was kept before it was first sent.
    pub at_close: bool,
    /// How many bytes.
    pub length: u64,
    /// Of its bytes.
    pub sha256: [u8; 32],
}

impl Ledger {
    /// The files that are kept of a version, as this reader sees it, in the order of their names.
    pub async fn close_files(
        &self,
        scope: &Scope,
        version: &ClosedMonth,
    ) -> Result<Vec<CloseFile>, LedgerError> {
        let view = view(scope);
        let rows = self
            .read()
            .await?
            .fetch(
                "SELECT name, at_close, length, sha256, digest FROM close_files \
                 WHERE period = $1 AND version = $2 ORDER BY name",
                args![version.period.to_string(), version.version],
            )
            .await?;
        let mut files = Vec::new();
        for mut row in rows {
            let (file, _) = file(version, &mut row)?;
            if let Some(name) = file.name.strip_prefix(&view).map(str::to_owned) {
                files.push(CloseFile { name, ..file });
            }
        }
        Ok(files)
    }

    /// A file that is kept of a version, and its bytes.
    pub async fn close_file(
        &self,
        scope: &Scope,
        version: &ClosedMonth,
        name: &str,
    ) -> Result<Option<(CloseFile, Vec<u8>)>, LedgerError> {
        let mut tx = self.read().await?;
        load(&mut tx, version, &view(scope), name).await
    }

    /// Keeps a file before it is first sent. Where one is kept already, that one is it, whatever this one says:
    /// what is returned is what is sent. It takes no guard: whoever serves may have to keep a file, and whoever is
    /// first is right.
    pub async fn keep_file(
        &self,
        scope: &Scope,
        version: &ClosedMonth,
        file: RenderedFile,
    ) -> Result<(CloseFile, Vec<u8>), LedgerError> {
        let view = view(scope);
        let mut tx = self.append().await?;
        put(&mut tx, (&version.period.to_string(), version.version), &view, &file, false).await?;
        let kept = load(&mut tx, version, &view, &file.name).await?;
        tx.commit().await?;
        kept.ok_or_else(|| LedgerError::Corrupt("a file is gone that was just written".to_owned()))
    }
}

/// What a reader's files are kept under: two readers that see different tenants never share one.
pub(super) fn view(scope: &Scope) -> String {
    scope.seen().map_or_else(
        || "all/".to_owned(),
        |tenants| {
            let names = Digest::of_fields(tenants.iter().map(|tenant| tenant.as_str().as_bytes()));
            format!("tenants/{names}/")
        },
    )
}

pub(super) fn sha256(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

pub(super) async fn put(
    tx: &mut Transaction,
    version: (&str, u32),
    view: &str,
    file: &RenderedFile,
    at_close: bool,
) -> Result<(String, Digest), LedgerError> {
    let (name, length) = (format!("{view}{}", file.name), file.length()?);
    let sha256 = sha256(&file.content);
    let digest = digest::of_file(version, &name, at_close, length, &sha256);
    tx.execute(
        "INSERT INTO close_files (period, version, name, at_close, length, sha256, digest, content) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (period, version, name) DO NOTHING",
        args![
            version.0,
            version.1,
            name.as_str(),
            i64::from(at_close),
            length,
            sha256.to_vec(),
            digest,
            file.content.clone()
        ],
    )
    .await?;
    Ok((name, digest))
}

/// A row of `name, at_close, length, sha256, digest`, proven to be what was written.
pub(super) fn file(version: &ClosedMonth, row: &mut Fields) -> Result<(CloseFile, Digest), LedgerError> {
    let (name, at_close, length, sha256, digest) =
        (row.text()?, row.int()?, row.int()?, row.bytes()?, row.digest()?);
    let damaged = || {
        let ClosedMonth(record) = version;
        LedgerError::Corrupt(format!(
            "the file {name} of {} version {} does not match its digest",
            record.period, record.version
        ))
    };
    let whose = version.period.to_string();
    let expected = digest::of_file((&whose, version.version), &name, at_close == 1, length, &sha256);
    let sha256: [u8; 32] = sha256.try_into().map_err(|_| damaged())?;
    let length = u64::try_from(length).map_err(|_| damaged())?;
    if expected != digest {
        return Err(damaged());
    }
    Ok((CloseFile { name, at_close: at_close == 1, length, sha256 }, digest))
}

async fn load(
    tx: &mut Transaction,
    version: &ClosedMonth,
    view: &str,
    name: &str,
) -> Result<Option<(CloseFile, Vec<u8>)>, LedgerError> {
    let row = tx
        .fetch_one(
            "SELECT name, at_close, length, sha256, digest, content FROM close_files \
             WHERE period = $1 AND version = $2 AND name = $3",
            args![version.period.to_string(), version.version, format!("{view}{name}")],
        )
        .await?;
    let Some(mut row) = row else { return Ok(None) };
    let (mut found, _) = file(version, &mut row)?;
    let content = row.bytes()?;
    check(version, &found, &content)?;
    name.clone_into(&mut found.name);
    Ok(Some((found, content)))
}

/// The bytes are those that were sent.
pub(super) fn check(version: &ClosedMonth, file: &CloseFile, content: &[u8]) -> Result<(), LedgerError> {
    if sha256(content) == file.sha256 {
        return Ok(());
    }
    let (period, version) = (version.period, version.version);
    Err(LedgerError::Corrupt(format!("the file {} of {period} version {version} was altered", file.name)))
}
