//! The pushed report.

use chrono::{DateTime, Utc};
use defray_pricing::money::Money;
use serde_json::Value;

use super::fixture::{money, month, statements};
use crate::cost_report::{CostReport, CostReportError};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn body() -> Vec<u8> {
    let report = CostReport::new("prod", &month(), &statements()[0]).unwrap();
    report.body(3, at("2026-11-01T02:00:00Z")).unwrap()
}

/// Numbers as they are written: a JSON reader would make floats of them.
fn written(body: &str, key: &str) -> String {
    let from = body.find(&format!("\"{key}\":")).unwrap() + key.len() + 3;
    body[from..].chars().take_while(|c| *c != ',' && *c != '}').collect()
}

#[test]
fn the_parts_of_costs_add_up_to_the_total_exactly() {
    let body = String::from_utf8(body()).unwrap();
    let costs = &body[body.find("\"Costs\"").unwrap()..];
    let parts = [
        ("Adjustments", "5.00"),
        ("Compute", "672.00"),
        ("Credits", "-20.00"),
        ("Idle", "0.14"),
        ("LoadBalancers", "18.63"),
        ("Memory", "300.00"),
        ("Network", "1.00"),
        ("NodePool", "149.00"),
        ("Services", "50.00"),
        ("Shared", "33.33"),
        ("Storage", "0.10"),
        ("Terms", "-112.07"),
    ];
    for (part, amount) in parts {
        assert_eq!(written(costs, part), amount, "{part}");
    }
    let sum = Money::sum(parts.iter().map(|(_, amount)| money(amount))).unwrap();
    assert_eq!(written(costs, "Total"), sum.format(2));
    assert_eq!(sum, statements()[0].amount);
}

#[test]
fn the_keys_a_receiver_must_find_are_there_and_all_are_sorted() {
    let text = String::from_utf8(body()).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    for key in ["TenantName", "CostCenter", "Period", "Costs", "ResourceUsage"] {
        assert!(value.get(key).is_some(), "{key}");
    }
    // serde_json's map is sorted: the same bytes again mean that ours are, at every depth. Numbers with
    // trailing zeros would be written anew, so only keys are compared.
    let keys = |text: &str| -> Vec<String> {
        text.split('"')
            .skip(1)
            .step_by(2)
            .filter(|s| s.starts_with(char::is_uppercase))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(keys(&text), keys(&serde_json::to_string(&value).unwrap()));
    assert_eq!(value["ResourceUsage"]["CpuCoreHours"], "24003.500000", "usage without a price is usage");
    assert_eq!(value["ResourceUsage"]["MemoryGiBHours"], "60000.500000");
    assert_eq!(value["ResourceUsage"]["StorageGiBHours"], "1000.000000");
    assert!(value["ResourceUsage"]["CoverageRatio"].is_number());
}

#[test]
fn only_content_moves_the_digest() {
    let report = CostReport::new("prod", &month(), &statements()[0]).unwrap();
    let again = CostReport::new("prod", &month(), &statements()[0]).unwrap();
    assert_eq!(report.content_digest(), again.content_digest());
    let first = report.body(1, at("2026-11-01T02:00:00Z")).unwrap();
    let second = report.body(2, at("2026-11-02T02:00:00Z")).unwrap();
    assert_ne!(first, second);
    let digest = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["ContentDigest"].clone();
    assert_eq!(digest(&first), digest(&second));
    assert_eq!(digest(&first), report.content_digest());

    let mut later = month();
    later.hours_missing = 0;
    let changed = CostReport::new("prod", &later, &statements()[0]).unwrap();
    assert_ne!(report.content_digest(), changed.content_digest());
    assert_ne!(report.content(), changed.content());
}

#[test]
fn lost_hours_are_said_where_there_are_any() {
    let said = |lost: u64| {
        let month = crate::Month { hours_lost: lost, ..month() };
        let report = CostReport::new("prod", &month, &statements()[0]).unwrap();
        let body = report.body(1, at("2026-11-01T02:00:00Z")).unwrap();
        (
            serde_json::from_slice::<Value>(&body).unwrap().get("HoursLost").cloned(),
            report.content_digest().to_owned(),
        )
    };
    assert_eq!((said(0).0, said(2).0), (None, Some(2.into())));
    assert_ne!(said(0).1, said(2).1);
}

#[test]
fn a_tenant_on_two_cost_centres_has_two_reports_and_no_names_collide() {
    let id = |tenant: &str, cost_center: &str| {
        crate::cost_report::report_id("prod", month().period, &tenant.into(), &cost_center.into())
    };
    assert_eq!(id("payments", "CC-100"), "prod/2026-10/payments/CC-100");
    assert_ne!(id("payments", "CC-100"), id("payments", "CC-200"));
    assert_ne!(id("a/b", "c"), id("a", "b/c"));
    assert_ne!(id("a%2Fb", "c"), id("a/b", "c"));
}

#[test]
fn a_statement_that_contradicts_its_lines_is_not_pushed() {
    let mut broken = statements().swap_remove(0);
    broken.amount = money("1");
    assert!(matches!(CostReport::new("prod", &month(), &broken), Err(CostReportError::DoesNotAddUp { .. })));
}
