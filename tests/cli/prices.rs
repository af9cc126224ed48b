//! Trying and checking price books on a month that happened.

use super::{Site, defray, err, in_yen, out};
use crate::rated::{self, BOOK};

/// `defray price diff` on the site's October.
fn diff(site: &Site, book: &str, more: &[&str]) -> std::process::Output {
    let path = site.write("new.yaml", book).display().to_string();
    let config = site.config();
    let base = ["price", "diff", path.as_str(), "--config", config.as_str(), "--period", "2026-10"];
    defray(&[&base, more].concat())
}

fn has(text: &str, wanted: &[&str]) {
    // Columns are as wide as they must be.
    let words: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in wanted {
        assert!(words.iter().any(|found| found.contains(line)), "`{line}` is not in\n{text}");
    }
}

#[tokio::test]
async fn a_diff_shows_old_new_and_which_lines_moved_beside_a_running_daemon() {
    let site = Site::rated().await;
    // As a daemon does: the ledger is open and locked meanwhile.
    let daemon = site.ledger().await;
    let dearer = BOOK.replace("0.50", "0.75");
    let output = diff(&site, &dearer, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    // alpha: 20 core-hours at 0.50, 20 of network, half of 7440; beta: 10 core-hours.
    has(
        &out(&output),
        &[
            "the stored statements",
            "CC-1 alpha 3750.00 3755.00 +5.00",
            "CC-2 beta 3725.00 3727.50 +2.50",
            "total 7475.00 7482.50 +7.50",
            "compute default/m5/on-demand cpu, c 0.5 -> 0.75 10.00 15.00 +5.00",
        ],
    );
    let markdown = diff(&site, &dearer, &["--format", "markdown"]);
    has(&out(&markdown), &["| CC-1 | alpha | 3750.00 | 3755.00 | +5.00 |", "| **difference** | **+7.50** |"]);
    let json: serde_json::Value =
        serde_json::from_str(&out(&diff(&site, &dearer, &["--format", "json"]))).unwrap();
    assert_eq!(json["total"]["difference"], "7.50");
    assert_eq!((&json["old_is_stored"], &json["demo"]), (&true.into(), &false.into()));
    assert_eq!(json["statements"][0]["lines"][0]["new_line"]["unit_prices"][0], "0.75");
    let same = diff(&site, BOOK, &["--fail-above", "0"]);
    assert_eq!(same.status.code(), Some(0), "{}", err(&same));
    has(&out(&same), &["No line moved.", "Nothing moved by more than 0."]);
    daemon.close().await;
}

#[tokio::test]
async fn the_exit_code_says_whether_more_moved_than_may() {
    let site = Site::rated().await;
    let dearer = BOOK.replace("0.50", "0.75");
    for (threshold, code) in [("7.50", 0), ("7.49", 1), ("0.14%", 0), ("0.1%", 1), ("-1", 2), ("much", 2)] {
        let output = diff(&site, &dearer, &["--fail-above", threshold]);
        assert_eq!(output.status.code(), Some(code), "{threshold}: {}", err(&output));
    }
    has(
        &out(&diff(&site, &dearer, &["--fail-above", "3"])),
        &["Moved by more than 3: the total, CC-1 / alpha"],
    );
}

#[tokio::test]
async fn what_was_recorded_since_the_statements_is_in_both_sides_and_said() {
    let site = Site::rated().await;
    let ledger = site.ledger().await;
    rated::record_late(&ledger).await;
    ledger.close().await;
    drop(ledger);
    let output = diff(&site, &BOOK.replace("0.50", "0.75"), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    has(&out(&output), &["something was recorded since", "CC-2 beta 3725.50 3728.25 +2.75"]);
}

#[tokio::test]
async fn a_book_that_cannot_be_tried_is_refused_with_the_way_to_mend_it() {
    let site = Site::rated().await;
    for (book, more, told) in [
        (BOOK.replace("EUR", "XXQ"), &[][..], "new.yaml:2:"),
        (BOOK.replace("EUR", "USD"), &[], "one is in EUR, the other in USD"),
        (BOOK.replace("2026-01-01", "2026-12-01"), &[], "--edition"),
        (BOOK.to_owned(), &["--edition", "9"], "its editions are 1"),
    ] {
        let output = diff(&site, &book, more);
        assert_eq!(output.status.code(), Some(2), "{told}: {}", err(&output));
        assert!(err(&output).contains(told), "{told}: {}", err(&output));
    }
    let later = BOOK.replace("2026-01-01", "2026-12-01").replace("0.50", "0.75");
    let output = diff(&site, &later, &["--edition", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    has(&out(&output), &["total 7475.00 7482.50 +7.50"]);
    let path = site.path().join("book.yaml").display().to_string();
    let none = defray(&["price", "diff", &path, "--config", &site.config(), "--period", "2026-01"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(err(&none).contains("holds nothing of 2026-01"), "{}", err(&none));
    let data = site.path().join("data").display().to_string();
    let unknown = defray(&["price", "diff", &path, "--data", &data, "--period", "2026-10"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(err(&unknown).contains("--config"), "{}", err(&unknown));
}

#[tokio::test]
async fn usage_that_would_lose_its_price_is_told() {
    let site = Site::rated().await;
    let without = BOOK.replace("network: [{class: \"*\", gib: \"2\"}]\n", "");
    let output = diff(&site, &without, &[]);
    has(
        &out(&output),
        &["Without a price in the new book", "unpriced network:all, c of alpha (10.000000 GiB)"],
    );
    // 20 of 7,475 are less than a hundredth, and gone for good.
    let output = diff(&site, &without, &["--fail-above", "1%"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    has(&out(&output), &["Nothing moved by more than 1%.", "Fails whatever moved: 1 line loses its price."]);
    let output = diff(&site, &without, &["--fail-above", "1%", "--format", "markdown"]);
    has(&out(&output), &["**Fails whatever moved:** 1 line loses its price."]);
    let json = out(&diff(&site, &without, &["--fail-above", "1%", "--format", "json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["threshold"], serde_json::json!({"value": "1%", "above": [], "fails": true}));
}

/// What the program says to a pipe that nobody reads any more, as under `| head`.
fn unread(arguments: &[&str]) -> Option<i32> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_defray"));
    let mut child = command.args(arguments).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    child.wait().unwrap().code()
}

#[tokio::test]
async fn a_closed_pipe_makes_no_failure_a_success() {
    let site = Site::rated().await;
    let new = site.write("new.yaml", &BOOK.replace("0.50", "0.75")).display().to_string();
    let bare = BOOK.replace("network: [{class: \"*\", gib: \"2\"}]\n", "");
    let bare = site.write("bare.yaml", &bare).display().to_string();
    let config = site.config();
    let month = ["--config", config.as_str(), "--period", "2026-10"];
    let diff = |threshold: &str| {
        unread(&[&["price", "diff", &new][..], &month, &["--fail-above", threshold]].concat())
    };
    assert_eq!((diff("1"), diff("100")), (Some(1), Some(0)));
    assert_eq!(unread(&[&["price", "check", &bare][..], &month].concat()), Some(1));
}

#[tokio::test]
async fn a_book_is_checked_without_a_configuration_in_the_zone_that_the_ledger_knows() {
    let site = Site::new();
    let book = site.write("new.yaml", &BOOK.replace("2026-01-01", "2026-10-01")).display().to_string();
    let alone = defray(&["price", "check", &book]);
    assert_eq!(alone.status.code(), Some(0), "{}", err(&alone));
    has(&out(&alone), &["1 from 2026-10-01T00:00:00Z (EUR)", "note its dates are read in UTC", "--config"]);
    let data = site.path().join("data").display().to_string();
    site.ledger().await.close().await;
    has(&out(&defray(&["price", "check", &book, "--data", &data])), &["note its dates are read in UTC"]);
    let platform = defray::demo::Platform::new().unwrap();
    let (first, _) = platform.observations()[0].clone();
    super::made_up::observed(&site, platform.cluster().as_str(), first).await.close().await;
    let demo = defray(&["price", "check", &book, "--data", &data]);
    assert_eq!(demo.status.code(), Some(0), "{}", err(&demo));
    has(&out(&demo), &["1 from 2026-09-30T22:00:00Z (EUR)"]);
    assert!(!out(&demo).contains("note"), "{}", out(&demo));
    for (arguments, told) in [
        (&["price", "check"][..], "which price book?"),
        (&["price", "check", &book, "--period", "2026-10"], "--config"),
    ] {
        let output = defray(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(err(&output).contains(told), "{}", err(&output));
    }
}

#[tokio::test]
async fn a_book_is_checked_against_what_a_month_used() {
    let site = Site::rated().await;
    let config = site.config();
    let check = |more: &[&str]| defray(&[&["price", "check", "--config", config.as_str()], more].concat());
    let right = check(&["--period", "2026-10"]);
    assert_eq!(right.status.code(), Some(0), "{}{}", out(&right), err(&right));
    has(&out(&right), &["ok everything that 2026-10 used has a price"]);
    site.write(
        "new.yaml",
        &BOOK
            .replace(
                "network: [{class: \"*\", gib: \"2\"}]\n",
                "cost_centers: [{cost_center: CC-9, discount: \"5%\"}]\n",
            )
            .replace("pool: \"*\"", "pool: other"),
    );
    let new = site.path().join("new.yaml").display().to_string();
    let wrong = check(&[&new, "--period", "2026-10"]);
    assert_eq!(wrong.status.code(), Some(1), "{}", err(&wrong));
    has(
        &out(&wrong),
        &[
            "the nodes `default/m5/on-demand` in the cluster `c` have no price",
            "the traffic class `all` has no price",
            "new.yaml:6:16: cost_centers[0]: terms for the cost centre `CC-9`, which had no tenant in 2026-10",
            "the traffic class `all` has no price (add it to `network`); it blocks the close",
            "no pool `other` was there in 2026-10",
            "2 problems with what was in 2026-10, which would keep it from being closed",
        ],
    );
    assert_eq!(check(&[&new]).status.code(), Some(0), "by itself it is right");
    site.write("new.yaml", "version: 1\nsurprise: 1\n");
    let broken = check(&[&new]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(err(&broken).contains("unknown key `surprise`"), "{}", err(&broken));
}

#[tokio::test]
async fn whom_a_book_names_and_the_month_does_not_know_is_told_with_its_place() {
    let site = Site::rated().await;
    site.write(
        "new.yaml",
        &format!(
            "{BOOK}adjustments:
  - {{date: 2026-10-14, reference: N-1, reason: credit, amount: -250, tenant: alpha}}
  - {{date: 2026-10-14, reference: N-2, reason: credit, amount: -250, tenant: alhpa}}
  - {{date: 2026-10-14, reference: N-3, reason: credit, amount: -250, cost_center: CC-9}}
  - {{date: 2026-09-14, reference: N-4, reason: credit, amount: -250, tenant: alpha}}
  - {{date: 2026-11-14, reference: N-5, reason: credit, amount: -250, tenant: alpha}}
budgets: [{{tenant: beat, from: 2026-10, per_month: 10}}]
"
        ),
    );
    let new = site.path().join("new.yaml").display().to_string();
    let output = defray(&["price", "check", &new, "--config", &site.config(), "--period", "2026-10"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let text = out(&output).replace(&format!("{}/", site.path().display()), "");
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with(['w', 'W'])).collect();
    assert_eq!(
        found,
        [
            "warn  new.yaml:13:5: adjustments[3]: the adjustment `N-4` of 2026-09-14 is on no statement: 2026-09 was over \
             before the first hour that counts (date it in a month that is charged)",
            "warn  new.yaml:15:11: budgets[0]: a budget of the tenant `beat`, which did not exist in 2026-10 (correct the \
             name, or end it with `until`)",
            "WRONG new.yaml:11:5: adjustments[1]: the adjustment `N-2` is for `alhpa`, which is no tenant (correct the \
             name, or give it to a cost centre: as it is it falls to `__unassigned__`)",
            "WRONG new.yaml:12:5: adjustments[2]: the adjustment `N-3` is for the cost centre `CC-9`, which had no tenant \
             (correct the name: as it is it falls to `__unassigned__`)",
        ]
    );
    has(
        &text,
        &[
            "ok everything that 2026-10 used has a price",
            "2 problems with what was in 2026-10, which would not keep it from being closed",
        ],
    );
    site.write("new.yaml", &BOOK.replace("EUR", "USD"));
    let output = defray(&["price", "check", &new, "--config", &site.config(), "--period", "2026-10"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    has(
        &out(&output),
        &["new.yaml:2:11: currency: the currency is USD, but what the ledger holds is in EUR"],
    );
}

#[test]
fn the_schema_that_is_printed_is_the_one_in_the_folder_of_books() {
    let output = defray(&["price", "schema"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(out(&output), include_str!("../../pricing/books/schema.json"));
}

/// `beta` costs 3725 EUR in both books; only the rate of its reporting currency differs.
#[tokio::test]
async fn a_rate_that_differs_shows_in_every_format_though_no_amount_of_the_book_moves() {
    let site = Site::rated_by(&in_yen(BOOK, "163.52")).await;
    let new = in_yen(BOOK, "170");
    has(
        &out(&diff(&site, &new, &[])),
        &[
            "CC-2 beta 3725.00 3725.00 0.00",
            "In reporting currencies",
            "CC-2 beta 609112 JPY at 163.52 633250 JPY at 170 +24138 JPY",
            "CC-2 / beta 0.00",
            "compute default/m5/on-demand cpu, c 0.5 5.00 5.00 0.00 818 -> 850 JPY",
        ],
    );
    has(
        &out(&diff(&site, &new, &["--format", "markdown"])),
        &[
            "| CC-2 | beta | 609112 JPY at 163.52 | 633250 JPY at 170 | +24138 JPY |",
            "| 5.00 | 5.00 | 0.00 | 818 -> 850 JPY |",
        ],
    );
    let json: serde_json::Value =
        serde_json::from_str(&out(&diff(&site, &new, &["--format", "json"]))).unwrap();
    let beta = &json["statements"][1];
    assert_eq!((&beta["tenant"], &beta["difference"]), (&"beta".into(), &"0.00".into()));
    let reporting = serde_json::json!({
        "old": {"currency": "JPY", "rate": "163.52", "amount": "609112"},
        "new": {"currency": "JPY", "rate": "170", "amount": "633250"},
        "difference": "24138",
    });
    assert_eq!((&beta["reporting"], &json["cost_centers"][1]["reporting"]), (&reporting, &reporting));
    let lines = beta["lines"].as_array().unwrap();
    let by: Vec<_> = lines.iter().map(|line| line["reporting"]["difference"].as_str().unwrap()).collect();
    assert_eq!(by, ["24106", "32"], "the licence and the cores");
    assert_eq!(json["statements"][0]["reporting"], serde_json::Value::Null);
    // Nothing of the kind stands where neither book names a currency.
    let site = Site::rated().await;
    let plain = out(&diff(&site, &BOOK.replace("0.50", "0.75"), &["--format", "markdown"]));
    assert!(!plain.contains("reported"), "{plain}");
}
