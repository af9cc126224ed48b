//! The ledger itself: a copy of it, its return, a look through it, another place for it.

use std::path::Path;

use anyhow::Context;
use defray_ledger::{Copied, CopyError, Inspection, Ledger, Location, OpenError, Scope};

use super::db_commands::Db;
use super::{Failure, ReportSource, output, stored};
use crate::config::Config;

impl Db {
    /// Where the ledger is.
    pub(super) fn source(&self) -> &ReportSource {
        match self {
            Self::Backup(arguments) => &arguments.of,
            Self::Restore(arguments) => &arguments.into,
            Self::Verify(arguments) => &arguments.of,
            Self::Move(arguments) => &arguments.of,
        }
    }

    /// The configuration of another place, where one is named.
    pub(super) fn other(&self) -> Option<&Path> {
        match self {
            Self::Move(arguments) => arguments.target.to_config.as_deref(),
            Self::Backup(_) | Self::Restore(_) | Self::Verify(_) => None,
        }
    }
}

/// Runs one of the commands.
pub(super) async fn run(
    command: &Db,
    config: Option<&Config>,
    other: Option<&Config>,
) -> Result<(), Failure> {
    let location = place(command.source(), config)?;
    match command {
        Db::Backup(arguments) => {
            let ledger = beside(&location).await?;
            let copied = ledger.copy_to(&Location::directory(&arguments.to)).await;
            ledger.close().await;
            say("backed up", &arguments.to.display().to_string(), &copied.map_err(failure)?)
        }
        Db::Restore(arguments) => {
            let ledger = beside(&backup(&arguments.from, &location)).await?;
            let copied = ledger.copy_to(&location).await;
            ledger.close().await;
            say("restored", &location.to_string(), &copied.map_err(failure)?)
        }
        Db::Verify(_) => verify(&location).await,
        Db::Move(arguments) => {
            let target = match (other, &arguments.target.to) {
                (Some(other), _) => other.ledger.location.clone(),
                (None, to) => stored::location(to.as_deref().unwrap_or_default())?,
            };
            let copied = move_to(&location, &target).await?;
            say("moved", &target.to_string(), &copied)
        }
    }
}

fn place(from: &ReportSource, config: Option<&Config>) -> Result<Location, Failure> {
    match config {
        Some(config) => Ok(config.ledger.location.clone()),
        None => stored::location(from.data.as_deref().unwrap_or_default()),
    }
}

/// A backup holds its settled days; a copy that was made before an upgrade leaves them where the ledger's are.
fn backup(from: &Path, ledger: &Location) -> Location {
    let backup = Location::directory(from);
    match ledger.archive() {
        Some(archive) if !from.join("archive").is_dir() => backup.with_archive(archive),
        _ => backup,
    }
}

async fn beside(location: &Location) -> Result<Ledger, Failure> {
    Ok(Ledger::open_beside(location).await.with_context(|| format!("opening the ledger at {location}"))?)
}

/// Nobody writes it any more: a directory is locked, and a daemon on a server is refused from now on.
async fn move_to(from: &Location, target: &Location) -> Result<Copied, Failure> {
    let held = if from.is_shared() { "" } else { " (a daemon that runs on it must be stopped first)" };
    let ledger =
        Ledger::open_existing(from).await.with_context(|| format!("opening the ledger at {from}{held}"))?;
    ledger.acquire().await.context("taking over the right to write the ledger")?;
    let copied = ledger.copy_to(target).await;
    ledger.close().await;
    copied.map_err(failure)
}

async fn verify(location: &Location) -> Result<(), Failure> {
    let ledger = Ledger::open_to_inspect(location)
        .await
        .with_context(|| format!("opening the ledger at {location}"))?;
    let inspection = ledger.inspect(&Scope::everything()).await;
    ledger.close().await;
    let inspection = inspection.with_context(|| format!("reading the ledger at {location}"))?;
    output::to_stdout(|out| {
        for fault in &inspection.faults {
            writeln!(out, "WRONG {}: {}", fault.place, fault.reason)?;
        }
        let sound = if inspection.faults.is_empty() { "ok    " } else { "looked at: " };
        Ok(writeln!(out, "{sound}{}", told(&inspection))?)
    })?;
    match inspection.faults.len() {
        0 => Ok(()),
        wrong => Err(Failure::Work(anyhow::anyhow!(
            "{wrong} things in the ledger at {location} do not hold; do not write to it: restore the last backup, \
             and hours that the metrics store still holds are measured again"
        ))),
    }
}

fn told(inspection: &Inspection) -> String {
    let Inspection { rows, revisions, pruned, days, months, digest, .. } = inspection;
    let pruned = if *pruned > 0 { format!(" ({pruned} by digest only)") } else { String::new() };
    let digest = digest.map(|digest| format!("; digest of all rows {digest}")).unwrap_or_default();
    format!(
        "{revisions} revisions of hours{pruned}, {days} days, {months} months, {rows} rows in all{digest}"
    )
}

fn say(done: &str, place: &str, copied: &Copied) -> Result<(), Failure> {
    let held = if copied.compared {
        "every row is held against its source"
    } else {
        "the ledger was written meanwhile; the copy is whole as of one moment"
    };
    output::to_stdout(|out| {
        Ok(writeln!(
            out,
            "{done} to {place}: {}\n{held}, and everything in the copy holds",
            told(&copied.inspection)
        )?)
    })?;
    Ok(())
}

/// A place that cannot be taken is the person's; the rest is work that failed.
fn failure(error: CopyError) -> Failure {
    match error {
        CopyError::NotEmpty(_) | CopyError::Place(OpenError::NotALedger { .. }) => {
            Failure::Usage(error.into())
        }
        error => Failure::Work(error.into()),
    }
}
