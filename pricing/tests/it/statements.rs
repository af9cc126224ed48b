//! A month of charges becomes statements: folding, terms, rounding.

use std::collections::BTreeSet;

use defray_pricing::book::{Edition, MeteredRate, Override, PriceBook, Terms};
use defray_pricing::charge::{Charge, Kind, LineKey};
use defray_pricing::invariants::{Violation, check_period};
use defray_pricing::money::Money;
use defray_pricing::quantity::Unit;
use defray_pricing::statement::{Line, MonthFacts, PeriodStatements, Statement, build};
use defray_pricing::time::Period;

use crate::fixture::*;

fn october() -> Period {
    "2026-10".parse().unwrap()
}

fn key(tenant: &str, kind: Kind, item: &str) -> LineKey {
    LineKey {
        cost_center: "CC-1".into(),
        tenant: tenant.into(),
        cluster: Some(CLUSTER.into()),
        virtual_namespace: None,
        kind,
        class: None,
        item: item.to_owned(),
        unit_price: None,
    }
}

fn charge(tenant: &str, item: &str, amount: &str) -> Charge {
    let key = key(tenant, Kind::SharedCost, item);
    Charge { key, namespace: None, quantity: None, amount: money(amount) }
}

/// A line at list price.
fn sold(tenant: &str, kind: Kind, item: &str, list: &str, amount_of: &str) -> Charge {
    let list = price(list);
    let amount = list.times(quantity(amount_of)).unwrap();
    let key = LineKey { unit_price: Some(list), ..key(tenant, kind, item) };
    Charge { key, namespace: None, quantity: Some((quantity(amount_of), Unit::GibHours)), amount }
}

fn built(book: &PriceBook, charges: Vec<Charge>) -> PeriodStatements {
    let hours = Money::sum(charges.iter().map(|charge| charge.amount)).unwrap();
    let statements = build(book, october(), &MonthFacts::new(book.zone), charges).unwrap();
    assert_eq!(check_period(&statements, hours), Ok(()));
    statements
}

fn statement<'s>(statements: &'s PeriodStatements, tenant: &str) -> &'s Statement {
    statements.statements.iter().find(|statement| statement.tenant.as_str() == tenant).unwrap()
}

fn line<'s>(statements: &'s PeriodStatements, tenant: &str, item: &str) -> &'s Line {
    let lines = &statement(statements, tenant).lines;
    lines.iter().find(|line| line.key.item == item).unwrap_or_else(|| panic!("{item} in {lines:#?}"))
}

fn with_terms(terms: Terms) -> Edition {
    let mut edition = edition();
    edition.cost_centers.insert("CC-1".into(), terms);
    edition
}

#[test]
fn lines_are_fitted_to_a_total_rounded_half_away_from_zero() {
    // (currency, exact lines, fitted lines, total)
    for (currency, exact, fitted, total) in [
        ("EUR", vec!["0.004", "0.004", "0.004"], vec!["0.01", "0", "0"], "0.01"),
        ("EUR", vec!["1.005"], vec!["1.01"], "1.01"),
        ("EUR", vec!["-1.005"], vec!["-1.01"], "-1.01"),
        ("EUR", vec!["-0.004", "-0.004"], vec!["0", "-0.01"], "-0.01"),
        ("EUR", vec!["2.337", "-1.337"], vec!["2.34", "-1.34"], "1"),
        ("JPY", vec!["99.5", "0.5"], vec!["100", "0"], "100"),
        ("JPY", vec!["0.4"], vec!["0"], "0"),
        ("KWD", vec!["1.00049", "1.00049"], vec!["1.001", "1"], "2.001"),
    ] {
        let charges: Vec<Charge> =
            exact.iter().zip(["a", "b", "c"]).map(|(amount, item)| charge("t", item, amount)).collect();
        let statements = built(&book_in(currency, "UTC", vec![edition()]), charges);
        let lines: Vec<Money> = statement(&statements, "t").lines.iter().map(|line| line.amount).collect();
        let wanted: Vec<Money> = fitted.iter().map(|amount| money(amount)).collect();
        assert_eq!(lines, wanted, "{currency} {exact:?}");
        assert_eq!(statements.amount, money(total), "{currency} {exact:?}");
    }
}

#[test]
fn what_rounded_statements_differ_from_the_rounded_total_is_one_line_on_the_platform() {
    let charges = || ["a", "b", "c"].map(|tenant| charge(tenant, "x", "0.004")).to_vec();
    let statements = built(&book(edition()), charges());
    assert_eq!(statements.amount, money("0.01"), "0.012 rounded once");
    let line = line(&statements, "__platform__", "rounding");
    assert_eq!((line.exact, line.rounding, line.amount), (money("0"), money("0.01"), money("0.01")));
    assert_eq!(line.key.cost_center.as_str(), "CC-PLATFORM");

    let nobody = Edition { platform_cost_center: None, ..edition() };
    let statements = built(&book(nobody), charges());
    assert_eq!(statement(&statements, "__unassigned__").amount, money("0.01"));
}

#[test]
fn a_discount_is_one_line_a_statement_computed_once_a_cost_centre() {
    let terms = Terms { percentage: -100_000_000, ..Terms::default() };
    let charges = vec![
        sold("a", Kind::Storage, "fast", "1", "1"),
        sold("b", Kind::Storage, "fast", "1", "2"),
        charge("b", "platform", "50"),
    ];
    let statements = built(&book(with_terms(terms)), charges);
    // 10 % of 3, shared cost apart, split 1 : 2.
    assert_eq!(line(&statements, "a", "percentage").exact, money("-0.1"));
    assert_eq!(line(&statements, "b", "percentage").exact, money("-0.2"));
    assert_eq!(statements.month_level.len(), 2);
    assert_eq!(line(&statements, "a", "fast").exact, money("1"), "direct lines stay at list price");
}

#[test]
fn a_percentage_is_cut_to_nine_digits_for_the_cost_centre_and_not_for_each_statement() {
    let terms = Terms { percentage: 500_000_000, ..Terms::default() };
    let charges = vec![
        sold("a", Kind::Storage, "x", "0.000000001", "1"),
        sold("b", Kind::Storage, "x", "0.000000001", "1"),
        sold("c", Kind::Storage, "x", "0.000000001", "1"),
    ];
    let statements = built(&book(with_terms(terms)), charges);
    // Half of 0.000000003 is 0.0000000015, to even 0.000000002: one each for the first two.
    let terms: Vec<(&str, Money)> =
        statements.month_level.iter().map(|c| (c.key.tenant.as_str(), c.amount)).collect();
    assert_eq!(terms, [("a", money("0.000000001")), ("b", money("0.000000001"))]);
}

#[test]
fn an_override_comes_before_the_percentage() {
    let terms = Terms {
        overrides: vec![Override {
            kind: Kind::Storage,
            pool: pattern("*"),
            item: pattern("fast"),
            rate: MeteredRate::PerUnit(price("0.8")),
        }],
        percentage: -100_000_000,
        ..Terms::default()
    };
    let charges = vec![
        sold("a", Kind::Storage, "fast", "1", "10"),
        sold("a", Kind::Storage, "slow", "1", "10"),
        sold("a", Kind::Network, "all", "1", "10"),
    ];
    let statements = built(&book(with_terms(terms)), charges);
    assert_eq!(line(&statements, "a", "override:storage:fast").exact, money("-2"));
    assert_eq!(line(&statements, "a", "percentage").exact, money("-2.8"));
    assert_eq!(statement(&statements, "a").amount, money("25.2"));
}

#[test]
fn an_override_replaces_the_price_of_dedicated_nodes() {
    let terms = Terms {
        overrides: vec![Override {
            kind: Kind::DedicatedPool,
            pool: pattern("own"),
            item: pattern("*"),
            rate: MeteredRate::PerUnit(price("0.3")),
        }],
        ..Terms::default()
    };
    let nodes = |pool: &str, list: Option<&str>| {
        let mut charge = sold("a", Kind::DedicatedPool, "node", "0.5", "100");
        charge.key.class = Some(class(pool));
        charge.key.unit_price = list.map(price);
        charge
    };
    let charges = vec![nodes("own", Some("0.5")), nodes("own", None), nodes("other", Some("0.5"))];
    let statements = built(&book(with_terms(terms)), charges);
    // 100 node-hours at 0.3 in place of 0.5; what an amount pays for has no list price to replace.
    assert_eq!(line(&statements, "a", "override:dedicated_pool:own:*").exact, money("-20"));
    assert_eq!(statement(&statements, "a").amount, money("130"));
}

#[test]
fn a_percentage_acts_on_the_kinds_it_names() {
    let terms = Terms {
        percentage: 1_000_000_000,
        percentage_kinds: BTreeSet::from([Kind::Network]),
        ..Terms::default()
    };
    let charges =
        vec![sold("a", Kind::Storage, "fast", "1", "10"), sold("a", Kind::Network, "all", "1", "3")];
    let statements = built(&book(with_terms(terms)), charges);
    assert_eq!(line(&statements, "a", "percentage").exact, money("3"));
}

#[test]
fn terms_never_act_on_what_is_kept_or_unassigned() {
    let terms = Terms { percentage: -500_000_000, ..Terms::default() };
    let charges = vec![
        sold("__platform__", Kind::Storage, "fast", "1", "10"),
        sold("__unassigned__", Kind::Storage, "fast", "1", "10"),
    ];
    let statements = built(&book(with_terms(terms)), charges);
    assert_eq!(statements.month_level, []);
}

#[test]
fn the_edition_at_the_period_start_decides_the_terms() {
    let old = with_terms(Terms { percentage: -100_000_000, ..Terms::default() });
    let mut new = with_terms(Terms { percentage: -900_000_000, ..Terms::default() });
    new.effective_from = hour("2026-10-15T00:00:00Z");
    let book = book_in("EUR", "UTC", vec![old, new]);
    let statements = built(&book, vec![sold("a", Kind::Storage, "fast", "1", "10")]);
    assert_eq!(line(&statements, "a", "percentage").exact, money("-1"));
}

#[test]
fn a_line_without_a_list_price_shows_the_average_of_the_month() {
    let hourly = |amount: &str, cores: &str| Charge {
        quantity: Some((quantity(cores), Unit::CoreHours)),
        amount: money(amount),
        ..charge("a", "cpu", "0")
    };
    let statements = built(&book(edition()), vec![hourly("1", "1"), hourly("1", "2")]);
    let line = line(&statements, "a", "cpu");
    assert_eq!(line.quantity, Some((quantity("3"), Unit::CoreHours)));
    assert_eq!(line.unit_price, Some(price("0.666666666667")));
}

#[test]
fn the_order_of_charges_does_not_matter() {
    let terms = Terms { percentage: -123_456_789, ..Terms::default() };
    let book = book(with_terms(terms));
    let mut charges: Vec<Charge> = (0..20)
        .map(|n| sold(&format!("t{}", n % 3), Kind::Storage, &format!("c{}", n % 4), "0.333333333", "1.7"))
        .collect();
    let forward = built(&book, charges.clone());
    charges.reverse();
    assert_eq!(built(&book, charges), forward);
}

#[test]
fn an_empty_month_has_no_statements() {
    let statements = built(&book(edition()), Vec::new());
    assert_eq!(statements.statements, []);
    assert_eq!(statements.amount, Money::ZERO);
}

#[test]
fn a_line_that_a_calculator_contradicts_is_told() {
    let good = built(&book(edition()), vec![sold("a", Kind::Storage, "fast", "0.5", "10")]);
    let broken = |change: &dyn Fn(&mut Line)| {
        let mut broken = good.clone();
        change(&mut broken.statements[0].lines[0]);
        check_period(&broken, money("5")).unwrap_err()
    };
    let wrong = broken(&|line| line.quantity = Some((quantity("11"), Unit::GibHours)));
    assert!(matches!(wrong, Violation::NotItsPrice { product, .. } if product == money("5.5")), "{wrong}");
    let wrong = broken(&|line| line.unit_price = Some(price("0.4")));
    assert!(matches!(wrong, Violation::NotItsPrice { .. }), "{wrong}");
    let wrong = broken(&|line| line.rounding = money("0.01"));
    assert!(matches!(wrong, Violation::DoesNotAddUp { .. }), "{wrong}");
}
