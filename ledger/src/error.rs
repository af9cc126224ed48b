//! What can go wrong, each with the way to mend it.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use defray_pricing::Overflow;
use defray_pricing::names::ClusterName;
use defray_pricing::time::{Hour, Period};

/// Why a ledger cannot be opened. Every message ends with the way to mend it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing is there.
    #[error(
        "the ledger directory {0} does not exist; create it, owned by the user defray runs as, or mount the volume"
    )]
    DirectoryMissing(PathBuf),
    /// Something else is there.
    #[error("{0} is not a directory; name the directory the ledger lives in, not a file")]
    NotADirectory(PathBuf),
    /// Permissions forbid it.
    #[error(
        "the ledger directory {path} cannot be written: {reason}; make it writable for the user defray runs as"
    )]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file system is mounted read-only.
    #[error(
        "the file system of {0} is read-only; mount it read-write (a file system that became read-only by itself has usually had an IO error: check the disk)"
    )]
    ReadOnlyFileSystem(PathBuf),
    /// The disk is full.
    #[error(
        "no space is left for the ledger at {0}; free space or enlarge the volume; nothing recorded is lost"
    )]
    DiskFull(String),
    /// Another process has it.
    #[error(
        "another process holds the ledger in {path} ({holder}); stop it first: one daemon writes a directory"
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// What the other process wrote about itself.
        holder: String,
    },
    /// There is none, and none is to be made.
    #[error(
        "there is no ledger at {0}; name the directory or database that the daemon writes (ledger.location of its configuration)"
    )]
    Absent(String),
    /// An earlier release wrote it, and it is not to be changed.
    #[error(
        "the ledger at {location} was written by an older release (schema {found}, this release reads {known}); start this release's daemon on it once, which brings it forward, or read it with the release that wrote it"
    )]
    OlderSchema {
        /// Where.
        location: String,
        /// The newest migration it has.
        found: i64,
        /// What this binary knows.
        known: i64,
    },
    /// A later release wrote it.
    #[error(
        "the ledger at {location} was written by a newer release (schema {found}, this release reads up to {known}); run that release or restore the backup taken before the upgrade"
    )]
    NewerSchema {
        /// Where.
        location: String,
        /// What a reader must know at least.
        found: i64,
        /// What this binary knows.
        known: i64,
    },
    /// Some other database.
    #[error(
        "what is at {location} is not a ledger of defray ({reason}); name an empty directory or database, or the right one"
    )]
    NotALedger {
        /// Where.
        location: String,
        /// What was found.
        reason: String,
    },
    /// It is damaged.
    #[error(
        "the ledger at {location} is damaged: {reason}; do not write to it: restore the last backup, and hours that the metrics store still holds are measured again"
    )]
    Corrupt {
        /// Where.
        location: String,
        /// What does not hold.
        reason: String,
    },
    /// The server does not answer.
    #[error(
        "the database at {location} cannot be reached: {reason}; check address, credentials and that it runs"
    )]
    Unreachable {
        /// Where, without credentials.
        location: String,
        /// What was said.
        reason: String,
    },
    /// Anything else the database said.
    #[error("the ledger at {location} cannot be opened: {reason}")]
    Other {
        /// Where.
        location: String,
        /// What was said.
        reason: String,
    },
}

/// Why something could not be read or remembered.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another writer has taken over.
    #[error(
        "another writer has taken over the ledger (this one holds epoch {held}); this one must stop writing"
    )]
    Fenced {
        /// The epoch of the guard.
        held: i64,
    },
    /// A tenant asked for something that belongs to everyone.
    #[error("{0} is not kept per tenant and needs the scope of everything")]
    OutOfScope(&'static str),
    /// A statement of this transaction failed, so that it must not commit.
    #[error("an earlier statement of this transaction failed; nothing of it was kept")]
    Poisoned,
    /// The disk is full.
    #[error("no space is left for the ledger; free space or enlarge the volume; nothing recorded is lost")]
    DiskFull,
    /// The file system refuses writes.
    #[error("the ledger's file system has become read-only; check the disk and mount it read-write")]
    ReadOnly,
    /// Something stored does not match its digest, or cannot be read as what it is.
    #[error(
        "the ledger is damaged: {0}; restore the last backup; hours that the metrics store still holds are measured again"
    )]
    Corrupt(String),
    /// A file of the archive cannot be read or written, for now.
    #[error(
        "the file {file} of the archive {archive} cannot be read or written: {reason}; check its address, its \
         credentials and that it answers; nothing recorded is lost"
    )]
    Archive {
        /// Its name.
        file: String,
        /// Where.
        archive: String,
        /// What was said.
        reason: String,
    },
    /// A file that was entered is not there.
    #[error(
        "the file {file} is not in the archive {archive}; put it back from a backup or an older version of the \
         object: the rows of its hours are nowhere else"
    )]
    NotArchived {
        /// Its name.
        file: String,
        /// Where it should be.
        archive: String,
    },
    /// Its rows were let go of.
    #[error(
        "the rows of {cluster} {hour} are pruned, as ledger.prune_after_days of the configuration says: what is left of \
         them is their digest; a backup from before has them"
    )]
    Pruned {
        /// The cluster.
        cluster: ClusterName,
        /// The hour.
        hour: Hour,
    },
    /// Rows of an hour are in an archive that nobody named.
    #[error("the rows of settled hours are in an archive; name it (ledger.archive of the configuration)")]
    NoArchive,
    /// Ownership is observed in the order of time.
    #[error(
        "{cluster} was observed at {last}, which is later than now: the clock went back, or it was ahead then; nothing was changed. Check time synchronisation: if the clock is wrong now, set it; if it was wrong then, ownership is observed again from {last} on, or restore the backup from before"
    )]
    ClockWentBack {
        /// The cluster.
        cluster: ClusterName,
        /// The new observation.
        at: DateTime<Utc>,
        /// The one before.
        last: DateTime<Utc>,
    },
    /// Assumed ownership reaches into observed time, or names another cluster.
    #[error("assumed ownership of {cluster} is refused: {reason}")]
    BadAssumption {
        /// The cluster.
        cluster: ClusterName,
        /// Why.
        reason: String,
    },
    /// One batch holds one hour twice with different content.
    #[error("{cluster} {hour} was handed in twice with different content")]
    HourTwice {
        /// The cluster.
        cluster: ClusterName,
        /// The hour.
        hour: Hour,
    },
    /// A closed month is never replaced.
    #[error("the billing period {0} is closed; it changes only by a restatement")]
    Closed(Period),
    /// A month was computed anew after it was looked at.
    #[error("the billing period {0} was computed anew meanwhile; nothing was closed: look at it again")]
    MovedOn(Period),
    /// A restatement was planned against a version that is not the newest.
    #[error(
        "{period} has version {version} by now, and this was planned against version {planned}; nothing was \
         restated: plan again"
    )]
    AnotherVersion {
        /// The period.
        period: Period,
        /// The version it was planned against.
        planned: u32,
        /// The newest.
        version: u32,
    },
    /// A restatement would say the same.
    #[error("there is nothing to restate in {0}: every line is as it was")]
    NothingToRestate(Period),
    /// One idempotency key, two bodies.
    #[error("the delivery {report_id} revision {revision} to {sink} is already remembered with another body")]
    KeyReused {
        /// The destination.
        sink: String,
        /// The report.
        report_id: String,
        /// Its revision.
        revision: u32,
    },
    /// Nothing is kept under this name.
    #[error("the ledger holds no {0}")]
    Unknown(String),
    /// An amount or a date does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// Something could not be brought into the form it is stored in.
    #[error("cannot be stored: {0}")]
    Encode(String),
    /// The database said no.
    #[error("the ledger's database refused: {0}")]
    Database(String),
}
