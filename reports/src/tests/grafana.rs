//! Rows for Grafana, held against what its parser needs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use defray_pricing::charge::Kind;
use defray_pricing::money::Money;
use defray_pricing::quantity::Unit;
use defray_pricing::time::BillingZone;
use serde_json::value::RawValue;

use super::fixture::{charge, key, line, month, statement, statements};
use crate::grafana::{Bucket, Costs, Dimension, Filter, Meta};
use crate::month::Coverage;

type Row = BTreeMap<String, Box<RawValue>>;

#[derive(serde::Deserialize)]
struct Answer {
    rows: Vec<Row>,
    month_level: Vec<Row>,
}

pub(super) fn meta() -> Meta {
    Meta {
        currency: Some(month().currency),
        from: month().hours.from.start(),
        to: month().hours.until.start(),
        final_until: NaiveDate::from_ymd_opt(2026, 9, 30),
        demo: false,
    }
}

fn bucket(day: &str) -> Bucket {
    let zone = BillingZone::new("Europe/Berlin").unwrap();
    let coverage = (day != "2026-10-02").then_some(Coverage { minutes: 2880, of: 2880 });
    Bucket { start: zone.midnight(day.parse().unwrap()), settled: false, coverage }
}

/// Two days, a discount and a rounding: together the statement of 1.50.
pub(super) fn daily(dimensions: &[Dimension], filter: Filter) -> Costs {
    let mut costs = Costs::new(dimensions.iter().copied(), filter);
    let cpu = |tenant| key("CC-100", tenant, Kind::Compute, "cpu");
    let memory = |tenant| key("CC-100", tenant, Kind::Compute, "memory");
    // Days are handed in backwards: order is not the caller's to keep.
    for day in ["2026-10-02", "2026-10-01"] {
        let cores = Some(("24", Unit::CoreHours));
        costs.add_charge(bucket(day), &charge(cpu("payments"), cores, "0.500000000000000001")).unwrap();
        let memory = charge(memory("payments"), Some(("48.5", Unit::GibHours)), "0.333333333");
        costs.add_charge(bucket(day), &memory).unwrap();
        costs.add_charge(bucket(day), &charge(cpu("ledger"), None, "7")).unwrap();
    }
    let start = month().hours.from.start();
    let term = key("CC-100", "payments", Kind::Term, "percentage");
    costs.add_month_level(start, &charge(term.clone(), None, "-0.166666666")).unwrap();
    costs.add_rounding(start, &line(term, None, "0.000000000000000002", "0")).unwrap();
    costs
}

pub(super) fn written(costs: &Costs) -> String {
    let mut out = Vec::new();
    costs.write(&meta(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn answer(costs: &Costs) -> Answer {
    serde_json::from_str(&written(costs)).unwrap()
}

fn cost(row: &Row) -> Money {
    row["cost"].get().parse().unwrap()
}

fn time(row: &Row) -> DateTime<Utc> {
    serde_json::from_str::<String>(row["time"].get()).unwrap().parse().unwrap()
}

fn kind_of(text: &str) -> &'static str {
    match text.chars().next() {
        Some('"') => "string",
        Some('t' | 'f') => "boolean",
        Some('n') => "null",
        Some('{' | '[') => "nested",
        _ => "number",
    }
}

#[test]
fn rows_ascend_are_unique_flat_and_every_key_keeps_its_type() {
    for dimensions in [
        vec![Dimension::Tenant],
        vec![Dimension::Tenant, Dimension::CostCenter],
        vec![Dimension::Cluster],
        Dimension::ALL.to_vec(),
        vec![],
    ] {
        let answer = answer(&daily(&dimensions, Filter::default()));
        assert!(answer.rows.is_sorted_by_key(time), "{dimensions:?}");
        let mut seen = BTreeSet::new();
        let mut types: BTreeMap<&str, &str> = BTreeMap::new();
        for row in &answer.rows {
            let labels: Vec<&str> = dimensions.iter().map(|d| row[d.as_str()].get()).collect();
            assert!(seen.insert((time(row), labels)), "twice: {row:?}");
            for (key, value) in row {
                let kind = kind_of(value.get());
                assert_ne!(kind, "nested");
                if kind != "null" || key != "coverage" {
                    assert_eq!(*types.entry(key).or_insert(kind), kind, "{key}");
                }
            }
        }
    }
}

#[test]
fn days_and_the_month_level_together_equal_the_statement_to_the_last_digit() {
    let only = Filter { tenants: ["payments".to_owned()].into(), cost_centers: BTreeSet::new() };
    let answer = answer(&daily(&[Dimension::Tenant], only));
    assert_eq!(answer.rows.len(), 2);
    let days = Money::sum(answer.rows.iter().map(cost)).unwrap();
    assert_eq!(days.to_string(), "1.666666666000000002");
    let together = days.checked_add(Money::sum(answer.month_level.iter().map(cost)).unwrap()).unwrap();
    assert_eq!(together.to_string(), "1.5");
    assert_eq!(answer.rows[0]["cpu_core_hours"].get(), "24.000000");
    assert_eq!(answer.rows[0]["memory_gib_hours"].get(), "48.500000");
    assert_eq!(answer.rows[0]["time"].get(), "\"2026-09-30T22:00:00Z\"");
    assert_eq!((answer.rows[0]["coverage"].get(), answer.rows[1]["coverage"].get()), ("1.0000", "null"));
}

#[test]
fn months_are_the_statements() {
    let start = month().hours.from.start();
    let mut costs = Costs::new([Dimension::CostCenter], Filter::default());
    for statement in statements() {
        let bucket = Bucket { start, settled: true, coverage: month().whole_coverage().ok() };
        costs.add_statement(bucket, &statement).unwrap();
    }
    let answer = answer(&costs);
    assert!(answer.month_level.is_empty(), "terms and rounding are in the statements");
    let total = Money::sum(statements().iter().map(|statement| statement.amount)).unwrap();
    assert_eq!(Money::sum(answer.rows.iter().map(cost)).unwrap(), total);
    assert_eq!(answer.rows[0]["final"].get(), "true");
}

#[test]
fn a_filter_that_nothing_passes_gives_no_rows_and_still_a_document() {
    let nobody = Filter { tenants: ["nobody".to_owned()].into(), cost_centers: BTreeSet::new() };
    let answer = answer(&daily(&[Dimension::Tenant], nobody));
    assert!(answer.rows.is_empty() && answer.month_level.is_empty());
}

#[test]
fn what_has_no_label_is_called_none() {
    let mut costs = Costs::new([Dimension::Pool], Filter::default());
    let storage = line(key("CC", "t", Kind::Storage, "ssd"), None, "1", "1");
    let bucket = Bucket { start: month().hours.from.start(), settled: false, coverage: None };
    costs.add_statement(bucket, &statement("CC", "t", vec![storage])).unwrap();
    assert_eq!(answer(&costs).rows[0]["pool"].get(), "\"(none)\"");
}
