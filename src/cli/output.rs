//! Results go to the standard output, through a writer, so that a closed pipe is an error like any other.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;

use super::Failure;

/// Writes to the standard output and flushes it.
pub(super) fn to_stdout(write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    write(&mut stdout)?;
    stdout.flush().context("writing to the standard output")
}

/// How a command ends that has written its verdict: a reader that has seen enough of it does not change it.
pub(super) fn after(written: anyhow::Result<()>, verdict: Result<(), Failure>) -> Result<(), Failure> {
    match written {
        Err(error) if !is_broken_pipe(&error) => Err(error.into()),
        Ok(()) | Err(_) => verdict,
    }
}

/// Says what goes on meanwhile, where it disturbs no result.
pub(super) fn to_stderr(text: &str) -> anyhow::Result<()> {
    io::stderr().lock().write_all(text.as_bytes()).context("writing to the standard error stream")
}

/// Writes a file whole or not at all: beside it first, then in its place.
pub(super) fn to_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut name = path.file_name().context("the output is not a file name")?.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let what = || format!("writing {}", path.display());
    let file = std::fs::File::create(&part).with_context(what)?;
    let mut file = BufWriter::new(file);
    let written = write(&mut file)
        .and_then(|()| file.into_inner().map_err(|error| error.into_error().into()))
        .and_then(|file| Ok(file.sync_all()?))
        .and_then(|()| Ok(std::fs::rename(&part, path)?));
    if written.is_err() {
        // What is half written is of no use; that it cannot be removed changes nothing about the error.
        drop(std::fs::remove_file(&part));
    }
    written.with_context(what)
}

/// Whether an error is only that the reader has closed the pipe.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("october.csv");
        to_file(&path, |file| Ok(file.write_all(b"old")?)).unwrap();
        let failed = to_file(&path, |file| {
            file.write_all(b"half")?;
            anyhow::bail!("no more data")
        });
        assert!(format!("{:#}", failed.unwrap_err()).contains("october.csv: no more data"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
