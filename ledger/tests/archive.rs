//! Settled days outside the database: the same ledger, wherever the rows of its hours are.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use defray_ledger::{ArchivePlace, CopyError, Ledger, LedgerError, Location, Missing, Scope, WriteGuard};
use defray_pricing::names::ClusterName;
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::UsageHour;

use crate::support::Home;
use crate::support::filled::filled;
use crate::support::things::{all, cluster, first, now, recorded};

const EVERYTHING: Scope = Scope::everything();

/// Where a ledger lives and where its settled days go; the second as the files that are really there.
pub(crate) struct Place {
    home: Home,
    archive: ArchivePlace,
    folder: PathBuf,
    _keep: tempfile::TempDir,
}

/// Asks one rule of both databases.
macro_rules! with_archive {
    ($($(#[$doc:meta])* async fn $name:ident($place:ident: &Place) $body:block)*) => {
        $($(#[$doc])* async fn $name($place: &Place) $body)*
        with_archive!(@ sqlite, Home::directory(); $($name)*);
        with_archive!(@ postgres, Home::server().await; $($name)*);
    };
    (@ $database:ident, $home:expr; $($name:ident)*) => {
        mod $database {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let place = Place::new($home);
                super::$name(&place).await;
            })*
        }
    };
}

impl Place {
    fn new(home: Home) -> Self {
        let keep = tempfile::TempDir::new().unwrap();
        let folder = keep.path().join("archive");
        Self { home, archive: ArchivePlace::directory(&folder), folder, _keep: keep }
    }

    fn location(&self) -> Location {
        self.home.location().with_archive(self.archive.clone())
    }

    async fn open(&self) -> Ledger {
        Ledger::open(&self.location()).await.unwrap()
    }

    /// Every file in the archive, as a thief or a fault would find them.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
            }
        }
        files.retain(|file| file.extension().is_some_and(|end| end == "parquet"));
        files.sort();
        files
    }
}

fn at(n: i64) -> Hour {
    Hour::from_index(first().index() + n)
}

/// Everything before the third day.
fn settled() -> Hour {
    at(48)
}

async fn settle(ledger: &Ledger, guard: &WriteGuard) -> u64 {
    let mut revisions = 0;
    while let Some(day) = ledger.archive_next(guard, settled(), now()).await.unwrap() {
        revisions += day.revisions;
    }
    revisions
}

async fn usage(ledger: &Ledger) -> Vec<UsageHour> {
    ledger.usage(&EVERYTHING, all()).await.unwrap()
}

/// How many revisions have their rows in the database.
async fn kept(place: &Place) -> i64 {
    place.home.count("SELECT COUNT(*) FROM hour_blobs").await
}

with_archive! {
    /// Reading, verifying, revising: nobody can tell where the rows are, but by looking.
    async fn a_settled_day_reads_as_it_did(place: &Place) {
        filled(&place.home).await.close().await;
        let ledger = place.open().await;
        let guard = ledger.acquire().await.unwrap();
        let before = (usage(&ledger).await, ledger.hours(&EVERYTHING, &cluster(), all()).await.unwrap());
        let sound = ledger.inspect(&EVERYTHING).await.unwrap();
        assert_eq!(kept(place).await, 72);
        // 24 hours twice of one cluster, one of them measured twice; of the other only one hour is recorded.
        assert_eq!(settle(&ledger, &guard).await, 49);
        assert_eq!((kept(place).await, place.files().len()), (23, 2));
        assert_eq!(settle(&ledger, &guard).await, 0);
        ledger.close().await;
        drop(ledger);
        let ledger = place.open().await;
        let after = (usage(&ledger).await, ledger.hours(&EVERYTHING, &cluster(), all()).await.unwrap());
        assert!(before == after);
        assert_eq!(ledger.verify(&EVERYTHING).await.unwrap(), 72);
        let inspection = ledger.inspect(&EVERYTHING).await.unwrap();
        assert_eq!((inspection.faults, inspection.revisions), (vec![], sound.revisions));
        // Measured again: the same is nothing new, another is a revision in the database, which goes the same way.
        let guard = ledger.acquire().await.unwrap();
        let again = ledger.record(&guard, vec![recorded(at(5), 5), recorded(at(6), 99)]).await.unwrap();
        assert_eq!(again.iter().map(|one| (one.revision, one.changed)).collect::<Vec<_>>(), [(1, false), (2, true)]);
        let new = usage(&ledger).await;
        assert_eq!(settle(&ledger, &guard).await, 1);
        assert_eq!(usage(&ledger).await, new);
        assert_eq!(place.files().len(), 3);
        assert_eq!(ledger.verify(&EVERYTHING).await.unwrap(), 73);
    }

    /// A day of which an hour is missing stays where it can still grow; a cluster's first day begins when it does.
    async fn only_whole_days_that_are_over_go(place: &Place) {
        let ledger = place.open().await;
        let guard = ledger.acquire().await.unwrap();
        let hours = |range: std::ops::Range<i64>| range.map(|n| recorded(at(n), n)).collect::<Vec<_>>();
        ledger.record(&guard, hours(20..30)).await.unwrap();
        ledger.record(&guard, hours(31..52)).await.unwrap();
        assert_eq!(settle(&ledger, &guard).await, 4, "the first four hours are all of the first day");
        ledger.record(&guard, hours(30..31)).await.unwrap();
        assert_eq!(ledger.archive_next(&guard, at(47), now()).await.unwrap(), None, "the day is not over");
        let day = ledger.archive_next(&guard, at(48), now()).await.unwrap().unwrap();
        assert_eq!((day.cluster, day.day.as_str(), day.revisions), (cluster(), "2026-10-02", 24));
        assert_eq!(ledger.archive_next(&guard, at(71), now()).await.unwrap(), None);
        assert_eq!(ledger.missing(&EVERYTHING).await.unwrap(), [] as [Missing; 0]);
    }

    /// Missing or altered: named, never an hour without rows; and what is elsewhere can be read.
    async fn a_bad_file_is_an_error_that_names_it(place: &Place) {
        let ledger = place.open().await;
        let guard = ledger.acquire().await.unwrap();
        ledger.record(&guard, (0..60).map(|n| recorded(at(n), n)).collect()).await.unwrap();
        assert_eq!(settle(&ledger, &guard).await, 48);
        let files = place.files();
        let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
        let whole = std::fs::read(&files[0]).unwrap();
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&files[0], bytes).unwrap();
        // What was read last is at hand: somebody else's memory, as after a start.
        let fresh = Ledger::open_beside(&place.location()).await.unwrap();
        let error = fresh.usage(&EVERYTHING, all()).await.unwrap_err();
        assert!(matches!(&error, LedgerError::Corrupt(what) if what.contains(&name(&files[0]))), "{error}");
        std::fs::remove_file(&files[0]).unwrap();
        let error = fresh.usage(&EVERYTHING, all()).await.unwrap_err();
        assert!(matches!(&error, LedgerError::NotArchived { file, .. } if file.contains(&name(&files[0]))), "{error}");
        let inspection = fresh.inspect(&EVERYTHING).await.unwrap();
        assert_eq!(inspection.faults.len(), 24, "{:?}", inspection.faults.first());
        let error = fresh.verify(&EVERYTHING).await.unwrap_err();
        assert!(error.to_string().contains("put it back"), "{error}");
        let later = HourRange { from: at(24), until: at(60) };
        assert_eq!(fresh.usage(&EVERYTHING, later).await.unwrap().len(), 36);
        std::fs::write(&files[0], whole).unwrap();
        assert_eq!(fresh.verify(&EVERYTHING).await.unwrap(), 60);
    }

    /// The guard of recorded hours lets go of rows that are in a file, and of no others.
    async fn rows_leave_the_database_only_into_a_file(place: &Place) {
        let ledger = place.open().await;
        let guard = ledger.acquire().await.unwrap();
        ledger.record(&guard, (0..30).map(|n| recorded(at(n), n)).collect()).await.unwrap();
        settle(&ledger, &guard).await;
        for (sql, guarded) in [
            ("DELETE FROM hour_blobs", "recorded hour is never"),
            ("UPDATE hour_blobs SET revision = 7", "recorded hour is never"),
            ("DELETE FROM archived_hours", "recorded hour is never"),
            ("UPDATE archived_hours SET part = 0", "recorded hour is never"),
            ("DELETE FROM archive_files", "a file of the archive is never"),
            ("UPDATE archive_files SET day = 'x'", "a file of the archive is never"),
        ] {
            let said = place.home.refusal(sql).await;
            assert!(said.contains(guarded), "{sql}: {said}");
        }
        assert_eq!(kept(place).await, 6);
    }

    /// Its files go with it: from any archive into any, proven there; without one it is refused.
    async fn a_copy_has_the_settled_days_too(place: &Place) {
        filled(&place.home).await.close().await;
        let ledger = place.open().await;
        let guard = ledger.acquire().await.unwrap();
        settle(&ledger, &guard).await;
        let before = ledger.inspect(&EVERYTHING).await.unwrap();
        let backup = Home::directory();
        ledger.copy_to(&backup.location()).await.unwrap();
        let Home::Directory(folder) = &backup else { unreachable!() };
        assert!(folder.path().join("archive/hours/2026-10-01").is_dir());
        // It stands by itself, also when everything else is gone.
        std::fs::remove_dir_all(&place.folder).unwrap();
        let lying = Ledger::open_beside(&backup.location()).await.unwrap();
        assert_eq!(lying.inspect(&EVERYTHING).await.unwrap(), before);
        let back = Home::server().await;
        let error = lying.copy_to(&back.location()).await.unwrap_err();
        assert!(matches!(error, CopyError::NoArchive), "{error}");
        let copied = lying.copy_to(&back.location().with_archive(place.archive.clone())).await.unwrap();
        assert_eq!(copied.inspection, before);
        let nowhere = Ledger::open_beside(&back.location()).await.unwrap();
        let error = nowhere.usage(&EVERYTHING, all()).await.unwrap_err();
        assert!(matches!(error, LedgerError::NoArchive), "{error}");
    }

    /// What one daemon announced and never entered goes after a day; nothing else does, whoever wrote it.
    async fn the_sweep_spares_what_is_not_its_own(place: &Place) {
        let ledger = place.open().await;
        let guard = ledger.acquire().await.unwrap();
        ledger.record(&guard, (0..30).map(|n| recorded(at(n), n)).collect()).await.unwrap();
        settle(&ledger, &guard).await;
        let [file] = place.files().try_into().unwrap();
        // Announced and written, and then the daemon was killed: once of a day it entered later, once of none.
        let orphan = file.with_file_name(format!("{}.parquet", "ab".repeat(32)));
        let foreign = file.with_file_name(format!("{}.parquet", "cd".repeat(32)));
        for path in [&orphan, &foreign] {
            std::fs::copy(&file, path).unwrap();
        }
        place.home.announce(&"ab".repeat(32), "2026-10-01", now()).await;
        let own = file.file_stem().unwrap().to_str().unwrap().to_owned();
        place.home.announce(&own, "2026-10-01", now()).await;
        assert_eq!(ledger.sweep_archive(&guard, now()).await.unwrap(), 0, "not yet");
        assert_eq!(place.files().len(), 3);
        assert_eq!(ledger.sweep_archive(&guard, now() + TimeDelta::days(1)).await.unwrap(), 1);
        assert_eq!(place.files(), [file, foreign].map(|path| path));
        assert_eq!(ledger.verify(&EVERYTHING).await.unwrap(), 30);
        let fenced = ledger.acquire().await.unwrap();
        let refused = ledger.sweep_archive(&guard, now()).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Fenced { .. }), "{refused}");
        ledger.sweep_archive(&fenced, now()).await.unwrap();
    }

    /// Long after its month was closed an hour is there by its digest only, wherever its rows were; what waits for a
    /// restatement stays, and what no closed month was made from.
    async fn old_hours_of_closed_months_are_pruned(place: &Place) {
        filled(&place.home).await.close().await;
        let ledger = place.open().await;
        let guard = ledger.acquire().await.unwrap();
        let said = place.home.refusal(
            "INSERT INTO pruned_hours SELECT cluster, hour, revision FROM hours WHERE cluster = 'prod-2'",
        );
        assert!(said.await.contains("only once its month is closed"));
        settle(&ledger, &guard).await;
        ledger.record(&guard, vec![recorded(at(10), 99)]).await.unwrap();
        let september = "2026-09".parse().unwrap();
        let before = ledger.month(&EVERYTHING, september).await.unwrap();
        // Forty hours, one of them measured twice, and without the one that was measured again since.
        assert_eq!(ledger.prune(&guard, at(40)).await.unwrap(), 40);
        assert_eq!(ledger.prune(&guard, at(40)).await.unwrap(), 0);
        assert_eq!(place.files().len(), 2, "hours of both days are left");
        let error = ledger.usage(&EVERYTHING, all()).await.unwrap_err();
        assert!(matches!(error, LedgerError::Pruned { hour, .. } if hour == at(0)), "{error}");
        let left = HourRange { from: at(10), until: at(11) };
        assert_eq!(ledger.usage(&EVERYTHING, left).await.unwrap().len(), 1);
        assert_eq!(ledger.prune(&guard, at(60)).await.unwrap(), 20);
        assert_eq!((place.files().len(), kept(place).await), (1, 12));
        assert_eq!(ledger.month(&EVERYTHING, september).await.unwrap(), before);
        assert_eq!(ledger.verify(&EVERYTHING).await.unwrap(), 73);
        let inspection = ledger.inspect(&EVERYTHING).await.unwrap();
        assert_eq!((inspection.faults.as_slice(), inspection.revisions, inspection.pruned), (&[][..], 73, 60));
        let copy = Home::directory();
        assert_eq!(ledger.copy_to(&copy.location()).await.unwrap().inspection, inspection);
        ledger.close().await;
        drop(ledger);
        place.open().await;
    }

    /// Two clusters of one day are two files.
    async fn clusters_stay_apart(place: &Place) {
        let ledger = place.open().await;
        let guard = ledger.acquire().await.unwrap();
        for name in ["prod-1", "prod-2", "prod/3 ü"] {
            let mut hours: Vec<_> = (0..24).map(|n| recorded(at(n), n)).collect();
            for hour in &mut hours {
                hour.usage.cluster = ClusterName::from(name);
            }
            ledger.record(&guard, hours).await.unwrap();
        }
        let before = usage(&ledger).await;
        settle(&ledger, &guard).await;
        assert_eq!((kept(place).await, place.files().len()), (0, 3));
        assert_eq!(usage(&ledger).await, before);
    }
}

/// An archive that cannot be written is told, and the rows stay where they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_refuses_us_costs_nothing() {
    let home = Home::directory();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "no directory").unwrap();
    let ledger = Ledger::open(&home.location().with_archive(ArchivePlace::directory(&file))).await.unwrap();
    let guard = ledger.acquire().await.unwrap();
    ledger.record(&guard, (0..24).map(|n| recorded(at(n), n)).collect()).await.unwrap();
    let error = ledger.archive_next(&guard, settled(), now()).await.unwrap_err();
    assert!(matches!(error, LedgerError::Archive { .. }), "{error}");
    assert_eq!(ledger.verify(&EVERYTHING).await.unwrap(), 24);
}

#[test]
fn an_archive_is_an_absolute_directory() {
    ArchivePlace::parse("file:///var/lib/defray/archive").unwrap();
    for url in ["", "ftp://x", "file://relative", "s3://key:hush@bucket"] {
        let error = ArchivePlace::parse(url).unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
    }
}
