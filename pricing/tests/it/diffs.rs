//! Two results of one month, held against each other.

use defray_pricing::book::{PriceBook, Terms};
use defray_pricing::charge::Kind;
use defray_pricing::diff::{Diff, DiffError, Reported, ReportedChange, Threshold, diff};
use defray_pricing::money::Money;
use defray_pricing::rating::rate;
use defray_pricing::statement::{MonthFacts, PeriodStatements, build};
use proptest::prelude::*;

use crate::fixture::{add_tenant, book, book_in, edition, hour, money, nodes, owners, rate_pool, row, usage};
use crate::worlds::{World, world};

fn month(book: &PriceBook, world: &World) -> PeriodStatements {
    let charges = rate(book, &world.owners, &world.usage).unwrap().charges;
    let facts = MonthFacts::of(book.zone, [&world.owners]);
    build(book, book.zone.period_of(world.owners.hour), &facts, charges).unwrap()
}

/// Two tenants with 2 and 1 cores for an hour on a rate pool.
fn two_tenants() -> World {
    let at = hour("2026-10-05T10:00:00Z");
    let mut owned = owners(at);
    add_tenant(&mut owned, "a", &["ns-a"]);
    add_tenant(&mut owned, "b", &["ns-b"]);
    let mut used = usage(at);
    used.nodes.push(nodes("default", "1", "4", "16"));
    used.compute.push(row("ns-a", "default", ("2", "1"), ("0", "0")));
    used.compute.push(row("ns-b", "default", ("1", "1"), ("0", "0")));
    World { book: at_price("10"), owners: owned, usage: vec![used] }
}

fn at_price(cpu: &str) -> PriceBook {
    let mut edition = edition();
    edition.pools.push(rate_pool("default", cpu, "1"));
    book(edition)
}

#[test]
fn a_price_that_changed_is_one_line_with_both_prices() {
    let world = two_tenants();
    let found = diff(&month(&world.book, &world), &month(&at_price("12.5"), &world)).unwrap();
    assert_eq!((found.total.old, found.total.new), (money("30"), money("37.5")));
    let of: Vec<_> = found
        .statements
        .iter()
        .map(|statement| (statement.tenant.as_str(), statement.change.difference.to_string()))
        .collect();
    assert_eq!(of, [("a", "5".to_owned()), ("b", "2.5".to_owned())]);
    let [line] = found.statements[0].lines.as_slice() else { panic!("{found:#?}") };
    let (old, new) = (line.old.as_ref().unwrap(), line.new.as_ref().unwrap());
    assert_eq!(line.key.unit_price, None);
    assert_eq!(
        (old.unit_prices[0].to_string(), new.unit_prices[0].to_string()),
        ("10".into(), "12.5".into())
    );
    assert_eq!((old.quantity, line.change.difference), (new.quantity, money("5")));
}

#[test]
fn what_loses_its_price_is_told_apart_from_what_becomes_cheap() {
    let world = two_tenants();
    let mut without = at_price("10");
    without.editions[0].pools.clear();
    let found = diff(&month(&world.book, &world), &month(&without, &world)).unwrap();
    assert_eq!(found.total.difference, money("-30"));
    // CPU of both tenants, and the nodes themselves.
    assert_eq!(found.newly_unpriced().count(), 3);
    let back = diff(&month(&without, &world), &month(&world.book, &world)).unwrap();
    assert_eq!(back.newly_unpriced().count(), 0);
}

/// A price that is taken away from some of what had one is as lost as one that is taken from all of it.
#[test]
fn what_loses_its_price_fails_whatever_the_threshold_and_a_saving_within_it_does_not() {
    let world = two_tenants();
    let within: Threshold = "100%".parse().unwrap();
    let fails = |old: &PriceBook, new: &PriceBook| {
        let found = diff(&month(old, &world), &month(new, &world)).unwrap();
        (found.fails(within).unwrap(), found.above(within).unwrap().len())
    };
    let mut without = at_price("10");
    without.editions[0].pools.clear();
    assert_eq!(fails(&world.book, &without), (true, 0));
    assert_eq!(fails(&world.book, &at_price("1")), (false, 0));
    assert_eq!(fails(&without, &without), (false, 0), "it had none before");
    let free = at_price("0");
    assert_eq!(fails(&free, &without), (true, 0), "a price of zero is a price");
    let mut twice = world.clone();
    twice.usage[0].compute[0].cpu_max = "4".parse().unwrap();
    let more = diff(&month(&without, &world), &month(&without, &twice)).unwrap();
    assert_eq!(more.newly_unpriced().count(), 1);
}

/// `a` is on CC-a and `b` on CC-b; the book shows CC-a in a currency, at a rate in October if there is one.
fn reporting(cpu: &str, currency: &str, rate: Option<&str>) -> PriceBook {
    let mut book = at_price(cpu);
    let currency = currency.parse().unwrap();
    let terms = Terms { reporting_currency: Some(currency), ..Terms::default() };
    book.editions[0].cost_centers.insert("CC-a".into(), terms);
    let rates = rate.map(|rate| ("2026-10".parse().unwrap(), rate.parse().unwrap()));
    book.rates.insert(currency, rates.into_iter().collect());
    book
}

fn reported(old: &PriceBook, new: &PriceBook) -> (Diff, Option<ReportedChange>) {
    let world = two_tenants();
    let found = diff(&month(old, &world), &month(new, &world)).unwrap();
    let [a, b] = found.statements.as_slice() else { panic!("{found:#?}") };
    assert_eq!(b.reporting, None, "CC-b is in the book's currency alone");
    assert_eq!(found.cost_centers[0].reporting, a.reporting, "it has one statement");
    let change = a.reporting.clone();
    (found, change)
}

fn side(currency: &str, rate: Option<&str>, amount: Option<&str>) -> Reported {
    let rate = rate.map(|rate| rate.parse().unwrap());
    Reported { currency: currency.parse().unwrap(), rate, amount: amount.map(money) }
}

/// `a` costs 20 EUR in both books: only the rate moved, and what comes of it.
#[test]
fn a_rate_that_differs_between_the_books_shows_on_statement_and_lines() {
    let (found, change) =
        reported(&reporting("10", "JPY", Some("160")), &reporting("10", "JPY", Some("163.52")));
    assert_eq!(found.total.difference, Money::ZERO);
    let change = change.unwrap();
    assert_eq!(change.old, Some(side("JPY", Some("160"), Some("3200"))));
    assert_eq!(change.new, Some(side("JPY", Some("163.52"), Some("3270"))));
    assert_eq!((change.difference, change.moved()), (Some(money("70")), true));
    let [line] = found.statements[0].lines.as_slice() else { panic!("{found:#?}") };
    assert_eq!((line.change.difference, line.reporting.unwrap().difference), (Money::ZERO, money("70")));
    assert_eq!(found.statements[1].lines, []);
}

#[test]
fn what_is_in_two_currencies_or_has_no_rate_is_shown_and_not_subtracted() {
    let yen = reporting("10", "JPY", Some("160"));
    for (new, expected) in [
        (reporting("10", "KWD", Some("0.3345")), Some(side("KWD", Some("0.3345"), Some("6.69")))),
        (reporting("10", "JPY", None), Some(side("JPY", None, None))),
        (at_price("10"), None),
    ] {
        let (found, change) = reported(&yen, &new);
        let change = change.unwrap();
        assert_eq!((change.new, change.difference, change.moved()), (expected, None, true));
        let lines = &found.statements[0].lines;
        assert!(lines.iter().all(|line| line.reporting.is_none()), "{lines:#?}");
    }
    assert_eq!(reported(&at_price("10"), &at_price("11")).1, None);
}

/// Without `a` in it the month has no statement of CC-a; in whatever currency that is nothing.
#[test]
fn a_statement_that_is_new_was_nothing_in_its_reporting_currency() {
    let book = reporting("10", "JPY", Some("160"));
    let mut without = two_tenants();
    without.usage[0].compute.retain(|row| row.namespace.as_str() != "ns-a");
    let found = diff(&month(&book, &without), &month(&book, &two_tenants())).unwrap();
    let change = found.statements[0].reporting.clone().unwrap();
    assert_eq!(change.old, Some(side("JPY", None, Some("0"))));
    assert_eq!(change.difference, Some(money("3200")));
}

#[test]
fn two_currencies_are_not_compared() {
    let world = two_tenants();
    let yen = book_in("JPY", "UTC", at_price("10").editions);
    let refused = diff(&month(&world.book, &world), &month(&yen, &world));
    assert!(matches!(refused, Err(DiffError::TwoCurrencies { .. })), "{refused:?}");
}

fn sum(amounts: impl Iterator<Item = Money>) -> Money {
    Money::sum(amounts).unwrap()
}

fn adds_up(found: &Diff) {
    let statements = || found.statements.iter();
    assert_eq!(sum(statements().map(|s| s.change.difference)), found.total.difference);
    assert_eq!(sum(found.cost_centers.iter().map(|moved| moved.change.difference)), found.total.difference);
    for statement in statements() {
        let lines = sum(statement.lines.iter().map(|line| line.change.difference));
        assert_eq!(lines, statement.change.difference, "{}", statement.tenant);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Line by line, statement by statement, cost centre by cost centre: the same total.
    #[test]
    fn differences_add_up_at_every_level(world in world(), other in world()) {
        let currency = world.book.currency;
        let tried = PriceBook { currency, ..other.book };
        let (old, new) = (month(&world.book, &world), month(&tried, &world));
        let found = diff(&old, &new).unwrap();
        adds_up(&found);
        let back = diff(&new, &old).unwrap();
        prop_assert_eq!(back.total.difference, Money::ZERO.checked_sub(found.total.difference).unwrap());
        let same = diff(&old, &old).unwrap();
        prop_assert!(same.statements.iter().all(|statement| statement.lines.is_empty()));
        prop_assert!(found.newly_unpriced().all(|line| line.key.kind == Kind::Unpriced));
    }
}

/// A book that moves only what is shown in a reporting currency is looked at by a person, too.
#[test]
fn a_threshold_holds_in_reporting_currencies() {
    let over = |new: Option<&str>, threshold: &str| {
        let (found, _) = reported(&reporting("10", "JPY", Some("160")), &reporting("10", "JPY", new));
        found.fails(threshold.parse().unwrap()).unwrap()
    };
    assert!(!over(Some("160"), "0"));
    assert!(over(Some("163.52"), "0"));
    assert!(over(Some("163.52"), "2%") && !over(Some("163.52"), "3%"));
    assert!(!over(Some("163.52"), "1"), "one of the book's currency, in which nothing moved");
    assert!(over(None, "1000%"), "a rate that is lost refuses the close");
}
