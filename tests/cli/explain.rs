//! Why a tenant pays what it pays.

use super::{Site, defray, err, in_yen, out};
use crate::rated::BOOK;

fn explain(site: &Site, more: &[&str]) -> std::process::Output {
    let config = site.config();
    defray(&[&["explain", "--config", config.as_str(), "--period", "2026-10"], more].concat())
}

#[tokio::test]
async fn a_tenants_lines_are_explained_from_usage_to_cents_and_name_nobody_else() {
    let site = Site::rated().await;
    let daemon = site.ledger().await;
    let output = explain(&site, &["--tenant", "alpha"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let told = out(&output);
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for wanted in [
        "This is the stored statement, by the price book ",
        "CC-1 / alpha: 3750.00",
        "compute default/m5/on-demand cpu, c: 10.00 20 Core-Hours at 0.5",
        "quantity x unit price 0.5 (0.5 a unit); edition 1 from 2026-01-01T00:00:00Z",
        "2026-10-01 vcluster-alpha 20 10 exactly 10; cut to 10.00 (0 left): 10.00",
        // The first day carries 24 of the month's 744 hours of the licence, half of each.
        "shared by everyone alike, hour by hour",
        "2026-10-01 240 24 48 2 120",
    ] {
        assert!(words.contains(wanted), "`{wanted}` is not in\n{told}");
    }
    assert!(!told.contains("beta"), "{told}");
    daemon.close().await;
}

#[tokio::test]
async fn one_line_hour_by_hour_as_json() {
    let site = Site::rated().await;
    let output =
        explain(&site, &["--tenant", "alpha", "--line", "NETWORK all", "--hours", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let json: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    let lines = json["statements"][0]["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 1, "{json:#}");
    let steps = lines[0]["steps"].as_array().unwrap();
    assert_eq!((steps.len(), &lines[0]["exact"]), (10, &"20".into()));
    assert_eq!(steps[9]["hour"], "2026-10-01T09:00:00Z");
    assert_eq!(steps[9]["rule"]["unit_price"], "2");
}

#[tokio::test]
async fn whoever_has_no_statement_is_told_so() {
    let site = Site::rated().await;
    for (more, told) in [
        (&["--tenant", "gamma"][..], "the tenant `gamma` has no statement in 2026-10"),
        (&["--tenant", "alpha", "--cost-center", "CC-2"], "no statement on `CC-2`"),
    ] {
        let output = explain(&site, more);
        assert_eq!(output.status.code(), Some(1));
        assert!(err(&output).contains(told), "{}", err(&output));
    }
}

#[tokio::test]
async fn words_that_no_line_has_are_told_with_the_lines_there_are() {
    let site = Site::rated().await;
    for format in ["text", "json"] {
        let output = explain(&site, &["--tenant", "alpha", "--line", "idel", "--format", format]);
        assert_eq!((output.status.code(), out(&output).as_str()), (Some(1), ""));
        assert!(
            err(&output).contains(
                "no line matches `idel`; its lines are `compute default/m5/on-demand cpu, c`, `network all, c`, \
                 `shared_cost licence`"
            ),
            "{}",
            err(&output)
        );
    }
}

/// 3725 EUR x 163.52 are 609112 JPY: 817.6 for cores and 608294.4 for the licence, so cores get the one that misses.
#[tokio::test]
async fn a_reporting_currency_is_the_end_of_the_chain() {
    let site = Site::rated_by(&in_yen(BOOK, "163.52")).await;
    let output = explain(&site, &["--tenant", "beta"]);
    let told = out(&output);
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for wanted in [
        "x 163.52 (currencies.JPY.2026-10 of the price book) is exactly 609112 JPY, rounded half away from zero: \
         609112 JPY",
        "x 163.52 is exactly 817.6 JPY; cut to 817 (0.6 left), and one minor unit as one of the largest \
         remainders: 818 JPY",
        "these add up to exactly 3720; cut to 3720.00 (0 left): 3720.00",
        "x 163.52 is exactly 608294.4 JPY; cut to 608294 (0.4 left): 608294 JPY",
    ] {
        assert!(words.contains(wanted), "`{wanted}` is not in\n{told}");
    }
    let json = explain(&site, &["--tenant", "beta", "--format", "json", "--line", "cpu"]);
    let json: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    let statement = &json["statements"][0];
    assert_eq!(
        statement["reporting"],
        serde_json::json!({
            "currency": "JPY", "rate": "163.52", "rate_from": "currencies.JPY.2026-10", "exact": "609112",
            "amount": "609112",
        })
    );
    let line = &statement["lines"][0]["reporting"];
    assert_eq!((&line["exact"], &line["amount"]), (&"817.6".into(), &"818".into()));
    let alpha = out(&explain(&site, &["--tenant", "alpha"]));
    assert!(!alpha.contains("JPY"), "CC-1 is in the book's currency alone: {alpha}");
    // Without a rate for the month the currency is shown, and what is missing.
    let site = Site::rated_by(&in_yen(BOOK, "163.52").replace("2026-10", "2026-09")).await;
    let told = out(&explain(&site, &["--tenant", "beta"]));
    assert!(told.contains("in JPY: no rate; the price book has no currencies.JPY.2026-10"), "{told}");
}
