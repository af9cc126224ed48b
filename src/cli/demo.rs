//! The demo: a made-up platform through the real pipeline.

use std::path::PathBuf;

use anyhow::Context;

use super::{Demo, Failure, output};
use crate::app;

/// Runs the demo until it is stopped.
pub(super) async fn run(arguments: &Demo) -> Result<(), Failure> {
    // Removed when it is dropped, whatever way this ends.
    let temporary = match &arguments.data {
        Some(_) => None,
        None => {
            Some(tempfile::Builder::new().prefix("defray-demo-").tempdir().context("making a directory")?)
        }
    };
    let data: PathBuf = match (&arguments.data, &temporary) {
        (Some(data), _) => {
            std::fs::create_dir_all(data).with_context(|| format!("making {}", data.display()))?;
            data.canonicalize().with_context(|| format!("finding {}", data.display()))?
        }
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => PathBuf::new(),
    };
    output::to_stdout(|out| {
        writeln!(out, "defray demo: a made-up platform of fifteen tenants; every number is made up.")?;
        Ok(writeln!(out, "Working through three months of it in {} ...", data.display())?)
    })?;
    let app = app::demo(&data, arguments.listen).await?;
    let (address, board, supervisor) = (app.address()?, app.board(), app.supervisor());
    supervisor.listen_for_signals().context("listening for signals")?;
    let stopping = supervisor.stopping();
    let ready = async {
        tokio::select! {
            () = board.ready() => output::to_stdout(|out| {
                Ok(writeln!(out, "Ready. Open http://{address}/ in a browser; Ctrl-C ends the demo.")?)
            }),
            () = stopping.cancelled() => Ok(()),
        }
    };
    let (ended, said) = tokio::join!(app.run(), ready);
    if let Some(temporary) = temporary {
        temporary.close().context("removing the demo's directory")?;
    }
    ended?;
    Ok(said?)
}
