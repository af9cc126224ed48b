//! Why a tenant pays what it pays.

use super::{Site, defray, err, out};

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
