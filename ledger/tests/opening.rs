//! Opening a ledger, or being told why not and what to do.

use std::path::Path;

use defray_ledger::{Ledger, Location, OpenError, Scope};
use tempfile::TempDir;

use crate::support::things::{charge_day, control, month};
use crate::support::{Home, both};

async fn refused(path: &Path) -> OpenError {
    Ledger::open(&Location::directory(path)).await.unwrap_err()
}

#[test]
fn a_location_is_an_absolute_directory_or_a_postgresql_address() {
    for text in ["sqlite:///var/lib/defray", "postgres://defray@db.example:5433/ledger", "postgresql://x/y"] {
        Location::parse(text).unwrap();
    }
    for text in
        ["", "/var/lib/defray", "sqlite://relative", "mysql://u:secret@h/d", "postgres://u:secret@[/d"]
    {
        let error = Location::parse(text).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
    let shown = Location::parse("postgres://defray:secret@db.example:5433/ledger").unwrap();
    assert_eq!(format!("{shown} {shown:?}"), ["postgres://db.example:5433/ledger"; 2].join(" "));
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let home = TempDir::new().unwrap();
    let error = refused(&home.path().join("nowhere")).await;
    assert!(matches!(error, OpenError::DirectoryMissing(_)), "{error}");
    assert!(error.to_string().contains("nowhere") && error.to_string().contains("create it"));
}

#[tokio::test]
async fn a_file_is_no_directory() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(refused(&file).await, OpenError::NotADirectory(_)));
    assert!(matches!(refused(&file.join("below")).await, OpenError::NotADirectory(_)));
}

/// Not even root may create files in sysfs: the same refusal a wrong owner gets.
#[tokio::test]
async fn a_directory_without_permission_is_named() {
    let error = refused(Path::new("/sys/kernel")).await;
    let understood = matches!(error, OpenError::NotWritable { .. } | OpenError::ReadOnlyFileSystem(_));
    assert!(understood, "{error}");
}

#[tokio::test]
async fn another_database_is_left_alone() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("ledger.db");
    std::fs::write(&file, "this is no database, but somebody's notes; and long enough".repeat(20)).unwrap();
    let error = refused(home.path()).await;
    assert!(matches!(error, OpenError::NotALedger { .. }), "{error}");

    std::fs::remove_file(&file).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE notes (x)").execute(&pool).await.unwrap();
    pool.close().await;
    let before = std::fs::read(&file).unwrap();
    let error = refused(home.path()).await;
    assert!(matches!(error, OpenError::NotALedger { .. }), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_second_daemon_is_told_who_holds_the_directory() {
    let home = Home::directory();
    let first = home.open().await;
    let error = home.try_open().await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(first);
    home.open().await;
}

/// Who only looks disturbs no daemon, sees what it writes, and can write nothing.
#[tokio::test]
async fn a_ledger_is_looked_at_beside_the_daemon_that_holds_it() {
    let home = Home::directory();
    let absent = Ledger::open_beside(&home.location()).await.unwrap_err();
    assert!(matches!(absent, OpenError::Absent(_)), "{absent}");
    let daemon = home.open().await;
    let beside = Ledger::open_beside(&home.location()).await.unwrap();
    let everything = defray_ledger::Scope::everything();
    assert_eq!(beside.clusters(&everything).await.unwrap(), []);
    let guard = daemon.acquire().await.unwrap();
    let at = "2026-10-01T00:00:00Z".parse().unwrap();
    daemon.observe(&guard, &"c".into(), at, &defray_ledger::Observation::default()).await.unwrap();
    assert_eq!(beside.clusters(&everything).await.unwrap(), ["c".into()]);
    let refused = beside.acquire().await.unwrap_err();
    assert!(matches!(refused, defray_ledger::LedgerError::ReadOnly), "{refused}");
    beside.close().await;
    daemon.close().await;
    drop(daemon);
    // Nobody holds it: it is looked at as well, and opened after that.
    let alone = Ledger::open_beside(&home.location()).await.unwrap();
    assert_eq!(alone.clusters(&everything).await.unwrap(), ["c".into()]);
    home.open().await;
}

/// A daemon that died while it made the ledger leaves an empty file behind.
#[tokio::test]
async fn an_empty_file_becomes_a_ledger() {
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("ledger.db"), "").unwrap();
    Ledger::open(&Location::directory(home.path())).await.unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_said_to_be_damaged() {
    let home = TempDir::new().unwrap();
    let location = Location::directory(home.path());
    let ledger = Ledger::open(&location).await.unwrap();
    ledger.close().await;
    drop(ledger);
    let file = home.path().join("ledger.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // Every page but the first, which holds the header: no table can be read.
    bytes[4096..].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    let error = Ledger::open(&location).await.unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
}

both! {
    /// Bringing it forward is for the daemon: who reads may run an older release beside it.
    async fn reading_leaves_an_older_ledger_as_it_is(home: &Home) {
        home.open().await.close().await;
        let ledger = Ledger::open_existing(&home.location()).await.unwrap();
        assert_eq!(ledger.verify(&Scope::everything()).await.unwrap(), 0);
        ledger.close().await;
        drop(ledger);
        home.tamper_same("DELETE FROM _sqlx_migrations WHERE version > 1").await;
        let error = Ledger::open_existing(&home.location()).await.unwrap_err();
        assert!(matches!(error, OpenError::OlderSchema { found: 1, known: 8, .. }), "{error}");
    }

    /// What it holds stays; of days it rated it is not known what was paid for, which is not zero.
    async fn a_ledger_of_the_first_release_is_brought_forward(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        ledger.put_day(&guard, charge_day("2026-10-05", "one", 7)).await.unwrap();
        ledger.put_month(&guard, month("2026-10", "one", 22)).await.unwrap();
        ledger.close().await;
        drop(ledger);
        home.tamper_same(
            "DROP TABLE month_pools; DROP TABLE month_totals; DROP TABLE day_pools; DROP TABLE day_totals; \
             DELETE FROM _sqlx_migrations WHERE version = 3;  UPDATE ledger_head SET min_reader = 1",
        )
        .await;
        let ledger = home.open().await;
        let (everything, october) = (Scope::everything(), "2026-10".parse().unwrap());
        assert_eq!(ledger.period_control(&everything, october).await.unwrap(), None);
        let kept = ledger.month(&everything, october).await.unwrap().unwrap();
        let statements = kept.statements;
        assert_eq!((statements, kept.control), (month("2026-10", "one", 22).statements, None));
        let guard = ledger.acquire().await.unwrap();
        ledger.put_day(&guard, charge_day("2026-10-05", "two", 7)).await.unwrap();
        assert_eq!(ledger.period_control(&everything, october).await.unwrap(), Some(control(7)));
    }

    /// An older binary refuses cleanly what a newer one wrote.
    async fn a_newer_schema_is_refused(home: &Home) {
        home.open().await.close().await;
        home.tamper_same("UPDATE ledger_head SET min_reader = 99").await;
        let error = home.try_open().await.unwrap_err();
        assert!(matches!(error, OpenError::NewerSchema { found: 99, .. }), "{error}");
        home.tamper_same("UPDATE ledger_head SET min_reader = 1").await;
        // A later migration that this release may still read is no reason to refuse.
        home.tamper(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', 1, x'00', 0)",
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', true, '\\x00', 0)",
        )
        .await;
        home.open().await;
    }
}

#[tokio::test]
async fn reading_makes_no_ledger_where_there_is_none() {
    let home = TempDir::new().unwrap();
    let error = Ledger::open_existing(&Location::directory(home.path())).await.unwrap_err();
    assert!(matches!(error, OpenError::Absent(_)), "{error}");
    assert!(std::fs::read_dir(home.path()).unwrap().next().is_none(), "not even a lock is left behind");
    let home = Home::server().await;
    let error = Ledger::open_existing(&home.location()).await.unwrap_err();
    assert!(matches!(error, OpenError::Absent(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    let location = Location::parse("postgres://defray:secret@127.0.0.1:1/ledger").unwrap();
    let error = Ledger::open(&location).await.unwrap_err();
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
    assert!(!error.to_string().contains("secret") && error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[tokio::test]
async fn a_database_of_something_else_is_left_alone() {
    let home = Home::server().await;
    home.tamper_same("CREATE TABLE notes (x TEXT)").await;
    let error = home.try_open().await.unwrap_err();
    assert!(matches!(error, OpenError::NotALedger { .. }), "{error}");
}

/// A ledger of the first release, with something in it, as that release would have left it.
#[tokio::test]
async fn an_older_ledger_is_brought_forward_and_keeps_what_it_holds() {
    use crate::support::things::{cluster, first, recorded};
    let home = Home::directory();
    let ledger = home.open().await;
    let guard = ledger.acquire().await.unwrap();
    ledger.record(&guard, vec![recorded(first(), 1)]).await.unwrap();
    ledger.close().await;
    drop(ledger);
    home.tamper_same("DROP TABLE pods; DROP TABLE pod_lists; DELETE FROM _sqlx_migrations WHERE version = 2")
        .await;
    let ledger = home.open().await;
    let everything = defray_ledger::Scope::everything();
    assert_eq!(ledger.verify(&everything).await.unwrap(), 1);
    assert!(ledger.pods_now(&everything, &cluster()).await.unwrap().is_empty());
}

fn copies(home: &Path) -> Vec<std::path::PathBuf> {
    let folder = std::fs::read_dir(home.join("backups")).into_iter().flatten();
    let mut copies: Vec<_> = folder.map(|copy| copy.unwrap().path()).collect();
    copies.sort();
    copies
}

/// There is no way back from a migration, but there is one from this copy.
#[tokio::test]
async fn a_copy_is_kept_before_the_schema_is_brought_forward() {
    use crate::support::things::{first, recorded};
    let home = Home::directory();
    let Home::Directory(folder) = &home else { unreachable!() };
    let ledger = home.open().await;
    let guard = ledger.acquire().await.unwrap();
    ledger.record(&guard, vec![recorded(first(), 1)]).await.unwrap();
    ledger.close().await;
    drop(ledger);
    home.open().await.close().await;
    assert!(copies(folder.path()).is_empty(), "nothing is to be brought forward");
    let older = "DROP TABLE pods; DROP TABLE pod_lists; DELETE FROM _sqlx_migrations WHERE version = 2";
    home.tamper_same(older).await;
    home.open().await.close().await;
    let kept = copies(folder.path()).remove(0);
    let name = kept.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("schema-8-2"), "{name}");
    // As it was: brought forward itself, it holds the hour.
    let copy = Ledger::open(&Location::directory(&kept)).await.unwrap();
    assert_eq!(copy.verify(&Scope::everything()).await.unwrap(), 1);
    copy.close().await;
    // A migration that fails: a copy is there, and another start makes no other one.
    home.tamper_same(older).await;
    home.tamper_same("CREATE TABLE pods (x)").await;
    for _ in 0..3 {
        let error = home.try_open().await.unwrap_err();
        assert!(matches!(error, OpenError::Other { .. }), "{error}");
        assert_eq!(copies(folder.path()).len(), 2);
    }
    home.tamper_same("DROP TABLE pods").await;
    home.open().await.close().await;
    for _ in 0..3 {
        home.tamper_same(older).await;
        home.open().await.close().await;
    }
    let kept = copies(folder.path());
    assert_eq!(kept.len(), 3, "the newest are kept: {kept:?}");
}
