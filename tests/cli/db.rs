//! The ledger as a whole: backed up, verified, restored, moved.

use std::path::Path;

use defray_ledger::Scope;

use super::{Site, defray, err, out};

fn db(site: &Site, command: &[&str]) -> std::process::Output {
    let config = site.config();
    defray(&[&["db"], command, &["--config", config.as_str()]].concat())
}

fn digest(told: &str) -> String {
    let (_, digest) = told.split_once("digest of all rows ").expect("a digest is told");
    digest.split_whitespace().next().unwrap_or_default().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_running_ledger_is_backed_up_and_the_backup_becomes_a_ledger_again() {
    let site = Site::rated().await;
    let daemon = site.ledger().await;
    let backup = site.path().join("backup");
    let output = db(&site, &["backup", text(&backup)]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let told = out(&output);
    assert!(told.contains("every row is held against its source"), "{told}");
    // Verified beside the daemon; the backup where it lies.
    let verified = db(&site, &["verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}{}", out(&verified), err(&verified));
    let lying = defray(&["db", "verify", "--data", text(&backup)]);
    assert_eq!(digest(&out(&lying)), digest(&out(&verified)));
    assert_eq!(digest(&told), digest(&out(&verified)));
    let again = db(&site, &["backup", text(&backup)]);
    assert_eq!(again.status.code(), Some(2));
    assert!(err(&again).contains("nothing is ever written over one"), "{}", err(&again));

    let month = daemon.month(&Scope::everything(), "2026-10".parse().unwrap()).await.unwrap();
    daemon.close().await;
    drop(daemon);
    // A disaster, and the drill.
    std::fs::remove_dir_all(site.path().join("data")).unwrap();
    let restored = db(&site, &["restore", text(&backup)]);
    assert_eq!(restored.status.code(), Some(0), "{}", err(&restored));
    let ledger = site.ledger().await;
    assert_eq!(ledger.month(&Scope::everything(), "2026-10".parse().unwrap()).await.unwrap(), month);
    ledger.close().await;
}

#[tokio::test]
async fn a_ledger_is_moved_once_its_daemon_has_stopped() {
    let site = Site::rated().await;
    let daemon = site.ledger().await;
    let there = site.path().join("there");
    let held = db(&site, &["move", "--to", text(&there)]);
    assert_eq!(held.status.code(), Some(1));
    assert!(err(&held).contains("must be stopped first"), "{}", err(&held));
    daemon.close().await;
    drop(daemon);
    let moved = db(&site, &["move", "--to", text(&there)]);
    assert_eq!(moved.status.code(), Some(0), "{}", err(&moved));
    let verified = defray(&["db", "verify", "--data", text(&there)]);
    assert_eq!(digest(&out(&moved)), digest(&out(&verified)));
    let nowhere = db(&site, &["move"]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", err(&nowhere));
}

#[tokio::test]
async fn what_does_not_hold_is_named_and_the_exit_code_says_so() {
    let site = Site::rated().await;
    let file = site.path().join("data").join("ledger.db");
    let sound = db(&site, &["verify"]);
    assert_eq!(sound.status.code(), Some(0), "{}", err(&sound));
    // One byte in the rows of every hour: the database takes it for good data.
    let mut bytes = std::fs::read(&file).unwrap();
    for at in 0..bytes.len() - 60 {
        if bytes[at..].starts_with(b"PAR1\x15") {
            bytes[at + 40] ^= 1;
        }
    }
    std::fs::write(&file, bytes).unwrap();
    let output = db(&site, &["verify"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let told = out(&output);
    assert!(told.contains("WRONG ") && told.contains("do not match their digest"), "{told}");
    assert!(err(&output).contains("restore the last backup"), "{}", err(&output));
    let refused = db(&site, &["backup", text(&site.path().join("backup"))]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("is damaged"), "{}", err(&refused));
    let absent = defray(&["db", "verify", "--data", text(&site.path().join("backup"))]);
    assert_eq!(absent.status.code(), Some(1));
    assert!(err(&absent).contains("does not exist"), "{}", err(&absent));
}
