//! A ledger whole in another place, or not at all.

use std::path::Path;

use defray_ledger::{CopyError, Inspection, Ledger, LedgerError, Location, OpenError, Scope};

use crate::support::Home;
use crate::support::filled::{delivery, filled};
use crate::support::things::{all, cluster, recorded};

const EVERYTHING: Scope = Scope::everything();

async fn inspect(ledger: &Ledger) -> Inspection {
    let inspection = ledger.inspect(&EVERYTHING).await.unwrap();
    assert_eq!(inspection.faults, []);
    inspection
}

/// Copies a filled ledger and holds the copy against it, as a reader and as a writer sees it.
async fn copies(source: &Home, target: &Home) {
    let ledger = filled(source).await;
    let before = inspect(&ledger).await;
    assert_eq!((before.revisions, before.days, before.months), (72, 2, 3));
    // Beside the daemon that has it open.
    let beside = Ledger::open_beside(&source.location()).await.unwrap();
    let copied = beside.copy_to(&target.location()).await.unwrap();
    beside.close().await;
    assert_eq!((&copied.inspection, copied.compared), (&before, true));

    let copy = target.open().await;
    assert_eq!(inspect(&copy).await, before);
    assert_eq!(
        copy.usage(&EVERYTHING, all()).await.unwrap(),
        ledger.usage(&EVERYTHING, all()).await.unwrap()
    );
    for period in ["2026-09", "2026-10"] {
        let period = period.parse().unwrap();
        let (a, b) = (
            copy.month(&EVERYTHING, period).await.unwrap(),
            ledger.month(&EVERYTHING, period).await.unwrap(),
        );
        assert_eq!(a, b);
    }
    assert_eq!(copy.timeline(&EVERYTHING).await.unwrap(), ledger.timeline(&EVERYTHING).await.unwrap());
    // What is guarded in a ledger is guarded in its copy.
    for (sql, guard) in [
        ("DELETE FROM hours", "recorded hour is never"),
        ("UPDATE statements SET amount_units = 0 WHERE period = '2026-09'", "closed month is never changed"),
        ("UPDATE outbox SET body = content_digest", "same bytes"),
    ] {
        let said = target.refusal(sql).await;
        assert!(said.contains(guard), "{sql}: {said}");
    }
    // It goes on where the ledger stood, with numbers of its own.
    let guard = copy.acquire().await.unwrap();
    let next = defray_pricing::time::Hour::from_index(all().until.index() - 1);
    copy.record(&guard, vec![recorded(next, 5)]).await.unwrap();
    assert_eq!(copy.enqueue(&guard, vec![delivery("c")]).await.unwrap(), 1);
    assert_eq!(copy.hours(&EVERYTHING, &cluster(), all()).await.unwrap().len(), 71);
    assert_ne!(inspect(&copy).await.digest, before.digest);
    assert_eq!(inspect(&ledger).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_copied_into_a_directory() {
    copies(&Home::directory(), &Home::directory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_copied_into_a_server() {
    copies(&Home::directory(), &Home::server().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_copied_into_a_directory() {
    copies(&Home::server().await, &Home::directory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_copied_into_a_server() {
    copies(&Home::server().await, &Home::server().await).await;
}

/// There and back again: the same rows, byte for byte, and a copy of a copy is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_read_where_it_lies_and_restored_from_there() {
    let (source, backup, back) = (Home::server().await, Home::directory(), Home::server().await);
    let ledger = filled(&source).await;
    let before = inspect(&ledger).await;
    ledger.copy_to(&backup.location()).await.unwrap();
    let Home::Directory(folder) = &backup else { unreachable!() };
    let files = |path: &Path| {
        std::fs::read_dir(path).unwrap().map(|file| file.unwrap().file_name()).collect::<Vec<_>>()
    };
    let lying = Ledger::open_beside(&backup.location()).await.unwrap();
    assert_eq!(inspect(&lying).await, before);
    lying.copy_to(&back.location()).await.unwrap();
    lying.close().await;
    assert_eq!(inspect(&back.open().await).await, before);
    let mut left = files(folder.path());
    left.sort();
    assert_eq!(left, ["ledger.db", "ledger.lock"], "reading leaves nothing behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_over_what_is_there() {
    let source = Home::directory();
    let ledger = filled(&source).await;
    for target in [Home::directory(), Home::server().await] {
        target.open().await.close().await;
        let error = ledger.copy_to(&target.location()).await.unwrap_err();
        assert!(matches!(error, CopyError::NotEmpty(_)), "{error}");
        assert_eq!(target.open().await.inspect(&EVERYTHING).await.unwrap().revisions, 0);
    }
    let other = Home::server().await;
    other.tamper_same("CREATE TABLE notes (x TEXT)").await;
    let error = ledger.copy_to(&other.location()).await.unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty(_)), "{error}");
    // The log of a database that somebody removed would become part of the copy.
    let Home::Directory(folder) = &Home::directory() else { unreachable!() };
    std::fs::write(folder.path().join("ledger.db-wal"), "left").unwrap();
    let error = ledger.copy_to(&Location::directory(folder.path())).await.unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty(_)), "{error}");
    let error = ledger.copy_to(&Location::directory("/nowhere/at/all")).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
}

/// A copy that was killed, and one of a ledger that is damaged: no ledger is there, and the next one succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_copy_is_no_ledger() {
    let source = Home::directory();
    let ledger = filled(&source).await;
    let damage = "UPDATE chain_heads SET seq = seq + 1";
    for target in [Home::directory(), Home::server().await] {
        if let Home::Directory(folder) = &target {
            for left in ["ledger.db.part", "ledger.db.part-journal", "ledger.db.part-wal"] {
                std::fs::write(folder.path().join(left), "half of it").unwrap();
            }
        }
        source.tamper_same(damage).await;
        let error = ledger.copy_to(&target.location()).await.unwrap_err();
        assert!(matches!(&error, CopyError::Faulty(faults) if faults.len() == 2), "{error}");
        let absent = Ledger::open_existing(&target.location()).await.unwrap_err();
        assert!(matches!(absent, OpenError::Absent(_)), "{absent}");
        source.tamper_same("UPDATE chain_heads SET seq = seq - 1").await;
        ledger.copy_to(&target.location()).await.unwrap();
        assert_eq!(inspect(&target.open().await).await, inspect(&ledger).await);
    }
}

/// A daemon does not stand still for its backup: the copy is of one moment, and sound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_taken_while_the_ledger_is_written() {
    for source in [Home::directory(), Home::server().await] {
        let ledger = filled(&source).await;
        let guard = ledger.acquire().await.unwrap();
        let writing = async {
            for n in 0..40 {
                let at = defray_pricing::time::Hour::from_index(600_000 + n);
                ledger.record(&guard, vec![recorded(at, n)]).await.unwrap();
            }
        };
        let targets = [Home::directory(), Home::directory(), Home::directory()];
        let copying = async {
            let beside = Ledger::open_beside(&source.location()).await.unwrap();
            for target in &targets {
                beside.copy_to(&target.location()).await.unwrap();
            }
            beside.close().await;
        };
        tokio::join!(writing, copying);
        for target in &targets {
            let copy = inspect(&target.open().await).await;
            assert!((72..=112).contains(&copy.revisions), "{copy:?}");
        }
        assert_eq!(inspect(&ledger).await.revisions, 112);
    }
}

/// Who moves a ledger takes over the right to write it: what a daemon wrote after that would be lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_cannot_write_a_ledger_that_is_being_moved() {
    let source = Home::server().await;
    let daemon = filled(&source).await;
    let guard = daemon.acquire().await.unwrap();
    let moving = Ledger::open_existing(&source.location()).await.unwrap();
    moving.acquire().await.unwrap();
    let refused = daemon.record(&guard, vec![recorded(all().from, 1)]).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Fenced { .. }), "{refused}");
}
