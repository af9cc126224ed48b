//! A small month with a line of every kind.

use std::convert::Infallible;

use defray_pricing::charge::{Charge, Kind, LineKey};
use defray_pricing::digest::Digest;
use defray_pricing::money::Money;
use defray_pricing::names::{PriceClass, TenantName};
use defray_pricing::quantity::{Quantity, Unit};
use defray_pricing::statement::{Converted, Line, Reporting, Statement};
use defray_pricing::time::{BillingZone, Period};

use crate::definition::{Definition, Definitions};
use crate::month::{Coverage, Month, Status};

pub(super) fn month() -> Month {
    let period: Period = "2026-10".parse().unwrap();
    Month {
        period,
        hours: BillingZone::new("Europe/Berlin").unwrap().hours(period),
        status: Status::Open,
        version: 1,
        currency: "EUR".parse().unwrap(),
        coverage: [
            ("prod-1".into(), Coverage { minutes: 44_639, of: 44_700 }),
            ("prod-2".into(), Coverage { minutes: 44_700, of: 44_700 }),
        ]
        .into(),
        hours_missing: 1,
        hours_lost: 0,
        book_versions: vec!["2026-10.1".to_owned(), "2026-10.2".to_owned()],
        book_digest: Digest::of(b"book"),
        demo: false,
    }
}

pub(super) fn money(text: &str) -> Money {
    text.parse().unwrap()
}

pub(super) fn key(cost_center: &str, tenant: &str, kind: Kind, item: &str) -> LineKey {
    let class = matches!(kind, Kind::Compute | Kind::DedicatedPool | Kind::Idle | Kind::Unpriced);
    let monthly = matches!(kind, Kind::Term | Kind::Adjustment | Kind::Rounding);
    LineKey {
        cost_center: cost_center.into(),
        tenant: tenant.into(),
        cluster: (!monthly).then(|| "prod-1".into()),
        virtual_namespace: (kind == Kind::Compute).then(|| "shop".into()),
        kind,
        class: class.then(|| PriceClass {
            pool: "general".into(),
            instance_type: "m5.large".into(),
            capacity_type: "on-demand".into(),
        }),
        item: item.to_owned(),
        unit_price: None,
    }
}

pub(super) fn line(key: LineKey, quantity: Option<(&str, Unit, &str)>, exact: &str, amount: &str) -> Line {
    let (exact, amount) = (money(exact), money(amount));
    Line {
        key,
        quantity: quantity.map(|(quantity, unit, _)| (quantity.parse::<Quantity>().unwrap(), unit)),
        unit_price: quantity.and_then(|(_, _, price)| price.parse().ok()),
        exact,
        rounding: amount.checked_sub(exact).unwrap(),
        amount,
        reporting: None,
    }
}

pub(super) fn statement(cost_center: &str, tenant: &str, lines: Vec<Line>) -> Statement {
    Statement {
        cost_center: cost_center.into(),
        tenant: tenant.into(),
        exact: Money::sum(lines.iter().map(|line| line.exact)).unwrap(),
        amount: Money::sum(lines.iter().map(|line| line.amount)).unwrap(),
        lines,
        reporting: None,
    }
}

/// `payments` has a line of every kind and moves from CC-100 to CC-200; the rest is nobody's.
pub(super) fn statements() -> Vec<Statement> {
    let all = |kind, item| key("CC-100", "payments", kind, item);
    let lines = vec![
        line(all(Kind::Compute, "cpu"), Some(("24000", Unit::CoreHours, "0.028")), "672", "672"),
        line(all(Kind::Compute, "memory"), Some(("60000.5", Unit::GibHours, "0.005")), "300.0025", "300"),
        line(all(Kind::DedicatedPool, ""), Some(("745", Unit::NodeHours, "0.2")), "149", "149"),
        line(all(Kind::Storage, "fast-ssd"), Some(("1000", Unit::GibHours, "0.0001")), "0.1", "0.1"),
        line(all(Kind::Network, "all"), Some(("12.5", Unit::Gib, "0.08")), "1", "1"),
        line(all(Kind::LoadBalancer, ""), Some(("745", Unit::Hours, "0.025")), "18.625", "18.63"),
        line(all(Kind::ServiceFee, "backup"), Some(("745", Unit::Hours, "0.067114093960")), "50", "50"),
        line(all(Kind::SharedCost, "platform"), None, "33.333333334", "33.33"),
        line(all(Kind::Idle, "general"), None, "0.137142857", "0.14"),
        line(all(Kind::Term, "percentage"), None, "-112.0725", "-112.07"),
        line(all(Kind::Adjustment, "credit: outage"), None, "-20", "-20"),
        line(all(Kind::Adjustment, "migration"), None, "5", "5"),
        line(all(Kind::Unpriced, "cpu"), Some(("3.5", Unit::CoreHours, "")), "0", "0"),
    ];
    let moved = key("CC-200", "payments", Kind::Compute, "cpu");
    let nobody = |kind, item| key("__unassigned__", TenantName::UNASSIGNED, kind, item);
    vec![
        statement("CC-100", "payments", lines),
        Statement {
            reporting: Some(Reporting {
                currency: "JPY".parse().unwrap(),
                converted: Some(Converted { rate: "163.52".parse().unwrap(), amount: money("46") }),
            }),
            ..statement(
                "CC-200",
                "payments",
                vec![Line {
                    reporting: Some(money("46")),
                    ..line(moved, Some(("10", Unit::CoreHours, "0.028")), "0.28", "0.28")
                }],
            )
        },
        statement(
            "__unassigned__",
            TenantName::UNASSIGNED,
            vec![
                line(nobody(Kind::Idle, "general"), None, "1.004", "1"),
                line(nobody(Kind::Rounding, "rounding"), None, "0", "0.01"),
            ],
        ),
    ]
}

pub(super) fn ok(statements: &[Statement]) -> impl Iterator<Item = Result<&Statement, Infallible>> {
    statements.iter().map(Ok)
}

pub(super) fn definitions() -> Definitions {
    Definitions::built_in().unwrap()
}

pub(super) fn csv(definition: &Definition, month: &Month, statements: &[Statement]) -> String {
    let mut out = Vec::new();
    crate::csv::write(definition, month, ok(statements), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

pub(super) fn json(month: &Month, statements: &[Statement]) -> String {
    let mut out = Vec::new();
    crate::json::write(month, ok(statements), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

pub(super) fn charge(key: LineKey, quantity: Option<(&str, Unit)>, amount: &str) -> Charge {
    Charge {
        key,
        namespace: None,
        quantity: quantity.map(|(quantity, unit)| (quantity.parse().unwrap(), unit)),
        amount: money(amount),
    }
}
