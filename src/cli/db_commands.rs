//! What the commands about a ledger as a whole take.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ReportSource;

/// What can be done with a ledger as a whole.
#[derive(Debug, Subcommand)]
pub(super) enum Db {
    /// Copy the ledger into a directory, while the daemon may be running
    #[command(after_long_help = "\
Copies all of the ledger as of one moment into a directory, whatever database it lives in, looks through the whole
copy, and holds it against its source. The copy is a ledger like any other: every command that reads one reads it
with --data. The directory is made if it is not there; where a ledger is already, nothing is written.

Example:
  defray db backup /backup/defray-2026-11-21 --config defray.yaml")]
    Backup(Backup),
    /// Put a backup where a ledger is to live
    #[command(after_long_help = "\
Copies a backup to the place that the configuration names, a directory or a PostgreSQL database, in which there is
nothing yet. It becomes a ledger only when all of it is there and has been looked through; interrupted, it is
begun anew. A backup that an older release made is restored with that release; or its directory is copied to where the
ledger is to live, and the daemon's next start brings it forward.

Example:
  defray db restore /backup/defray-2026-11-21 --config defray.yaml")]
    Restore(Restore),
    /// Look through everything the ledger holds
    #[command(after_long_help = "\
Checks the pages of the database, that nothing refers to what is not there, the chain over recorded hours, the rows
of every hour and the charges of every day against their digests, and that parts add up to wholes. Names every place
that does not hold; the exit code is then 1. Changes nothing; a daemon may be running on the ledger meanwhile.

Two ledgers that say the same have the same digest of all rows, whatever databases they live in.

Example:
  defray db verify --config defray.yaml")]
    Verify(Verify),
    /// Move the ledger to another directory or database
    #[command(after_long_help = "\
Copies the ledger, row by row or page by page, to a place where there is nothing yet, from any kind of place to any,
and holds every row of the copy against the source. Stop the daemon first: one that still runs on a PostgreSQL ledger
is refused from then on. What is at the old place stays there; point the configuration at the new one. Interrupted,
it is begun anew: until it is whole there is no ledger at the new place.

Examples:
  defray db move --config defray.yaml --to postgres://defray@db.example/ledger
  defray db move --config defray.yaml --to-config defray-on-postgres.yaml")]
    Move(Move),
}

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The directory the copy goes into
    #[arg(value_name = "DIRECTORY")]
    pub(super) to: PathBuf,
    #[command(flatten)]
    pub(super) of: ReportSource,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The directory the backup is in
    #[arg(value_name = "DIRECTORY")]
    pub(super) from: PathBuf,
    #[command(flatten)]
    pub(super) into: ReportSource,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    pub(super) of: ReportSource,
}

#[derive(Debug, Args)]
pub(super) struct Move {
    #[command(flatten)]
    pub(super) of: ReportSource,
    #[command(flatten)]
    pub(super) target: Target,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Target {
    /// The new place: a data directory, or a `sqlite:` or `postgres:` address without a password
    #[arg(long, value_name = "LOCATION")]
    pub(super) to: Option<String>,
    /// A configuration that names the new place
    #[arg(long, value_name = "FILE")]
    pub(super) to_config: Option<PathBuf>,
}
