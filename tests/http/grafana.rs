//! Rows for Grafana: what its parser needs, and that they add up.

use std::collections::{BTreeMap, BTreeSet};

use defray_pricing::money::Money;
use serde_json::value::RawValue;

use defray_ledger::RecordedHour;
use defray_pricing::usage::{Minutes, Source, UsageHour};

use super::fixture::{FORMULA, Options, Server, zone};

type Row = BTreeMap<String, Box<RawValue>>;

#[derive(serde::Deserialize)]
struct Answer {
    meta: serde_json::Value,
    rows: Vec<Row>,
    month_level: Vec<Row>,
}

async fn ask(server: &Server, path: &str) -> Answer {
    serde_json::from_str(&server.text(&format!("/api/v1/grafana/costs/{path}")).await).unwrap()
}

fn sum(rows: &[Row]) -> Money {
    Money::sum(rows.iter().map(|row| row["cost"].get().parse().unwrap())).unwrap()
}

fn text(row: &Row, key: &str) -> String {
    serde_json::from_str(row[key].get()).unwrap()
}

const DAILY: &str = "daily?period=2026-10";

#[tokio::test(flavor = "multi_thread")]
async fn days_and_the_month_level_equal_the_statements() {
    let server = Server::start(Options::default()).await;
    let total = server.json("/api/v1/reports/2026-10.json").await["total"]["amount"].clone();
    for group in ["tenant", "cost_center", "tenant,cost_center", "kind", "pool&group_by=cluster"] {
        let answer = ask(&server, &format!("{DAILY}&group_by={group}")).await;
        let both = sum(&answer.rows).checked_add(sum(&answer.month_level)).unwrap();
        assert_eq!(both.format(2), total.as_str().unwrap(), "{group}");
        assert_eq!(both.to_string(), "1430.55", "{group}: to the last digit");
    }
    let months = ask(&server, "monthly?from=2026-09-01T00:00:00Z&to=2026-11-01T00:00:00Z").await;
    assert_eq!(sum(&months.rows).to_string(), "2861.1");
    assert!(months.month_level.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_ascend_are_unique_and_keep_their_types() {
    let server = Server::start(Options::default()).await;
    for path in [
        DAILY,
        "daily?period=2026-10&group_by=tenant,cost_center,kind,cluster,pool,item,virtual_namespace",
        "monthly?from=2026-08-01T00:00:00Z&to=2027-01-01T00:00:00Z",
        "daily?from=1788000000000&to=1792600000000",
    ] {
        let answer = ask(&server, path).await;
        assert!(!answer.rows.is_empty(), "{path}");
        assert!(answer.rows.is_sorted_by_key(|row| text(row, "time")), "{path}");
        let mut seen = BTreeSet::new();
        let mut types: BTreeMap<String, char> = BTreeMap::new();
        for row in &answer.rows {
            let labels: Vec<&str> =
                row.values().map(|value| value.get()).filter(|value| value.starts_with('"')).collect();
            assert!(seen.insert(labels.join("\n")), "{path}: twice {labels:?}");
            for (key, value) in row {
                let kind = match value.get().chars().next().unwrap() {
                    digit if digit.is_ascii_digit() || digit == '-' => '0',
                    'f' => 't',
                    other => other,
                };
                assert!("0t\"n".contains(kind), "{path}: {key} is flat");
                assert!(kind != 'n' || key == "coverage", "{path}: {key} has a value");
                if kind != 'n' {
                    assert_eq!(*types.entry(key.clone()).or_insert(kind), kind, "{path}: {key}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn days_begin_at_local_midnight_and_windows_may_be_milliseconds() {
    let server = Server::start(Options::default()).await;
    let answer = ask(&server, &format!("{DAILY}&tenant=payments&cost_center=CC-100")).await;
    let times: Vec<String> = answer.rows.iter().map(|row| text(row, "time")).collect();
    assert_eq!(times, ["2026-09-30T22:00:00Z", "2026-10-01T22:00:00Z"]);
    assert_eq!(answer.rows[0]["cost"].get(), "100.333333333");
    assert_eq!(answer.meta["currency"], "EUR");
    let millis = ask(&server, "daily?from=1790805600000&to=1793487600000").await;
    let same = ask(&server, DAILY).await;
    assert_eq!((sum(&millis.rows), sum(&millis.month_level)), (sum(&same.rows), sum(&same.month_level)));
    let part = ask(&server, "daily?from=2026-10-01T22:00:00Z&to=2026-10-02T22:00:00Z").await;
    assert!(part.month_level.is_empty(), "a part of a month is not made whole");
    assert_eq!(part.rows.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_take_lists_and_repetitions() {
    let server = Server::start(Options::default()).await;
    let names =
        |answer: &Answer| -> BTreeSet<String> { answer.rows.iter().map(|row| text(row, "tenant")).collect() };
    let list = ask(&server, &format!("{DAILY}&tenant=payments,nobody")).await;
    assert_eq!(names(&list), ["payments".to_owned()].into());
    let formula: String = url::form_urlencoded::byte_serialize(FORMULA.as_bytes()).collect();
    let repeated = ask(&server, &format!("{DAILY}&tenant=payments&tenant={formula}")).await;
    assert_eq!(names(&repeated), ["payments".to_owned(), FORMULA.to_owned()].into());
    let empty = ask(&server, &format!("{DAILY}&tenant=")).await;
    assert_eq!(names(&empty).len(), 3, "dashboards send an empty value for all");
    let center = ask(&server, &format!("{DAILY}&cost_center=CC-200")).await;
    assert_eq!(sum(&center.rows).to_string(), "1248.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_parameter_is_refused_and_every_one_is_told() {
    let server = Server::start(Options::default()).await;
    for (query, names) in [
        ("", vec!["from", "to"]),
        ("from=yesterday&to=2026-10-02T00:00:00Z", vec!["from"]),
        ("from=2026-10-02T00:00:00Z&to=2026-10-01T00:00:00Z", vec!["to"]),
        ("from=2026-10-01T00:00:00Z&to=2026-10-01T00:00:00Z", vec!["to"]),
        ("period=2026-10&from=1", vec!["period"]),
        ("period=2026-1", vec!["period"]),
        ("period=2026-10&period=2026-09", vec!["period"]),
        ("period=2026-10&group_by=team,kind", vec!["group_by"]),
        ("period=2026-10&groupby=tenant&tenants=a", vec!["groupby", "tenants"]),
        ("from=-1&to=9999999999999999999", vec!["from", "to"]),
        ("period=2026-10&%00=1", vec!["\0"]),
    ] {
        for route in ["daily", "monthly"] {
            let told = server.refused(&format!("/api/v1/grafana/costs/{route}?{query}"), 400).await;
            let problems = told["invalid_params"].as_array().unwrap();
            let found: Vec<&str> = problems.iter().map(|p| p["name"].as_str().unwrap()).collect();
            assert_eq!(found, names, "{query}: {told}");
        }
    }
    let long = "/api/v1/grafana/costs/daily?from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z";
    server.refused(long, 422).await;
    let longer = "/api/v1/grafana/costs/monthly?from=1990-01-01T00:00:00Z&to=2026-01-01T00:00:00Z";
    server.refused(longer, 422).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_that_is_neither_recorded_nor_noted_as_missing_is_not_covered() {
    let server = Server::start(Options::default()).await;
    let guard = server.ledger.acquire().await.unwrap();
    let first = zone().hours_of_day("2026-10-01".parse().unwrap()).from;
    let measured_at = "2026-10-20T12:00:00Z".parse().unwrap();
    for hour in [first, first.next().next().next()] {
        let mut usage = UsageHour::empty("prod-1".into(), hour);
        usage.coverage = Source::ALL.map(|source| (source, Minutes::FULL)).into();
        server.ledger.record(&guard, vec![RecordedHour { usage, measured_at }]).await.unwrap();
    }
    let answer = ask(&server, &format!("{DAILY}&tenant=payments&cost_center=CC-100")).await;
    assert_eq!(answer.rows[0]["coverage"].get(), "0.5000", "two hours of four");
}
