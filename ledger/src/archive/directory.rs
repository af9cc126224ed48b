//! An archive in a local directory. A file is whole and on the disk before it has its name.

use std::io;
use std::path::Path;

use bytes::Bytes;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

pub(super) async fn put(root: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let path = root.join(name);
    let folder = path.parent().unwrap_or(root);
    make(folder, root).await?;
    let part = crate::files::part_of(&path);
    let mut file = File::create(&part).await?;
    file.write_all(content).await?;
    file.sync_all().await?;
    fs::rename(&part, &path).await?;
    sync(folder).await
}

/// Makes the folders below the root, and their names last.
async fn make(folder: &Path, root: &Path) -> io::Result<()> {
    if fs::metadata(folder).await.is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    fs::create_dir_all(folder).await?;
    for parent in folder.ancestors().take_while(|parent| parent.starts_with(root)) {
        sync(parent).await?;
    }
    match root.parent() {
        Some(above) => sync(above).await,
        None => Ok(()),
    }
}

async fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder).await?.sync_all().await
}

pub(super) async fn get(root: &Path, name: &str) -> io::Result<Option<Bytes>> {
    match fs::read(root.join(name)).await {
        Ok(bytes) => Ok(Some(Bytes::from(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) async fn remove(root: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(root.join(name)).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
