//! Closing a month from the command line, with and without a daemon that holds the ledger.

use super::{Site, defray, err, out};

fn run(site: &Site, arguments: &[&str]) -> std::process::Output {
    let config = site.config();
    defray(&[arguments, &["--config", config.as_str()]].concat())
}

#[tokio::test]
async fn a_month_is_closed_and_listed_and_says_the_same_for_ever() {
    let site = Site::rated().await;
    let looked = run(&site, &["close", "2026-10", "--dry-run"]);
    assert_eq!(looked.status.code(), Some(1), "{}", err(&looked));
    assert!(out(&looked).contains("in the way: 734 hours of 2026-10 are not measured"), "{}", out(&looked));
    let refused = run(&site, &["close", "2026-10", "--force"]);
    assert_eq!(refused.status.code(), Some(2), "a reason is needed");
    let closed = run(&site, &["close", "2026-10", "--force", "--reason", "the store was lost"]);
    assert_eq!(closed.status.code(), Some(0), "{}", err(&closed));
    assert!(out(&closed).starts_with("2026-10 is closed: version 1, "), "{}", out(&closed));
    let report = |more: &[&str]| {
        let written = run(&site, &[&["report", "--period", "2026-10"], more].concat());
        assert_eq!(written.status.code(), Some(0), "{}", err(&written));
        out(&written)
    };
    let csv = report(&["--format", "csv"]);
    assert!(csv.contains(",final,"), "{csv}");
    let mine = report(&["--format", "csv", "--tenant", "alpha"]);
    assert_eq!(
        (report(&["--format", "csv"]), report(&["--format", "csv", "--tenant", "alpha"])),
        (csv, mine)
    );
    let listed = out(&run(&site, &["periods"]));
    assert!(listed.contains("final") && listed.contains("(the store was lost)"), "{listed}");
    let again = run(&site, &["close", "2026-10"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(err(&again).contains("is closed already"), "{}", err(&again));
}

#[tokio::test]
async fn a_restatement_is_shown_first_and_written_when_that_is_wanted() {
    let site = Site::rated().await;
    let open = run(&site, &["restate", "2026-10"]);
    assert!(err(&open).contains("is not closed"), "{}", err(&open));
    let closed = run(&site, &["close", "2026-10", "--force", "--reason", "the store was lost"]);
    assert_eq!(closed.status.code(), Some(0), "{}", err(&closed));
    let ledger = site.ledger().await;
    crate::rated::record_late(&ledger).await;
    ledger.close().await;
    drop(ledger);
    let shown = run(&site, &["restate", "2026-10", "--format", "markdown"]);
    assert_eq!(shown.status.code(), Some(0), "{}", err(&shown));
    assert!(out(&shown).contains("**Restatement of 2026-10: what version 2 would change"), "{}", out(&shown));
    assert!(out(&shown).contains("alpha"), "{}", out(&shown));
    let unreasoned = run(&site, &["restate", "2026-10", "--yes"]);
    assert_eq!(unreasoned.status.code(), Some(2));
    let restated = run(&site, &["restate", "2026-10", "--yes", "--reason", "an hour came late"]);
    assert_eq!(restated.status.code(), Some(0), "{}", err(&restated));
    assert!(out(&restated).contains("2026-10 is restated: version 2, "), "{}", out(&restated));
    let same = run(&site, &["restate", "2026-10", "--yes", "--reason", "again"]);
    assert!(err(&same).contains("nothing to restate"), "{}", err(&same));
}
