//! Files that are there after a power cut: what is in them, and that they are there at all.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Makes the content of a file last.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes the names in a directory last.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Gives something finished its name, for good. Both names are in one directory.
pub(crate) fn publish(part: &Path, whole: &Path) -> io::Result<()> {
    std::fs::rename(part, whole)?;
    whole.parent().map_or(Ok(()), sync_directory)
}

/// The name beside it under which something is made; nobody takes it for finished.
pub(crate) fn part_of(whole: &Path) -> PathBuf {
    let mut name = whole.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".part");
    whole.with_file_name(name)
}

/// Removes what a run that was killed left behind.
pub(crate) fn clear(path: &Path) -> io::Result<()> {
    let removed = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
