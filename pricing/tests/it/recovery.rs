//! What was charged against what was paid for.

use defray_pricing::book::{Base, MeteredRate, NodeCost, Policy, PoolPrice, PriceBook, Terms};
use defray_pricing::charge::Charge;
use defray_pricing::invariants::Violation;
use defray_pricing::ownership::Owners;
use defray_pricing::rating::{Control, rate};
use defray_pricing::recovery::{Recovery, by_pool};
use defray_pricing::statement::{MonthFacts, build};
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::UsageHour;
use proptest::prelude::*;

use crate::fixture::*;
use crate::worlds::{terms, world};

fn at() -> Hour {
    hour("2026-10-01T00:00:00Z")
}

fn nobody(book: &PriceBook) -> MonthFacts {
    MonthFacts::new(book.zone)
}

fn tenants() -> Owners {
    let mut owners = owners(at());
    add_tenant(&mut owners, "a", &["ns-a"]);
    add_tenant(&mut owners, "b", &["ns-b"]);
    owners
}

/// A month of one hour.
fn month(book: &PriceBook, owners: &Owners, usage: UsageHour) -> (Vec<Charge>, Control) {
    let rated = rate(book, owners, &[usage]).unwrap();
    (rated.charges, rated.control)
}

fn recovery(book: &PriceBook, charges: Vec<Charge>, control: &Control) -> Recovery {
    let statements = build(book, "2026-10".parse().unwrap(), &nobody(book), charges).unwrap();
    Recovery::of(&statements, control).unwrap()
}

/// The shared pool costs 2 x 0.20 and is charged whole; the burst pool costs 3 x 0.50 and brings in
/// 10 core-hours x 0.10; storage 100 GiB-hours x 0.01; a fee of 744 a month is 1 an hour; a discount of
/// 10 % on the direct cost of CC-a. So: 0.4 + 1.5 + 1 were paid for; 0.4 + 1 + 1 + 1 - discount charged.
#[test]
fn every_part_of_a_month_stands_against_its_cost() {
    let mut edition = edition();
    edition.pools = vec![
        cost_pool("default", "0.20"),
        PoolPrice { nodes: Some(NodeCost::PerNodeHour(price("0.50"))), ..rate_pool("burst", "0.10", "0") },
    ];
    edition.storage = vec![metered("*", MeteredRate::PerUnit(price("0.01")))];
    edition.services.insert("argocd".into(), per_month("744"));
    edition.shared_costs = vec![fixed("team", "372", Policy::Proportional(Base::DirectCost))];
    edition.cost_centers.insert("CC-a".into(), Terms { percentage: -100_000_000, ..Terms::default() });
    let book = book(edition);
    let mut owners = tenants();
    owners.tenants.get_mut(&(CLUSTER.into(), "a".into())).unwrap().services.insert("argocd".into());
    let mut usage = usage(at());
    usage.nodes.push(nodes("default", "2", "8", "32"));
    usage.nodes.push(nodes("burst", "3", "12", "48"));
    // 0.03 x 4 = 0.12 and 0.005 x 0; the rest of 0.4 is idle.
    usage.compute.push(row("ns-a", "default", ("4", "0"), ("0", "0")));
    usage.compute.push(row("ns-b", "burst", ("10", "0"), ("0", "0")));
    usage.storage.push(volume("ns-b", "gp3", "100"));
    let (charges, control) = month(&book, &owners, usage);
    let told = recovery(&book, charges, &control);

    let pools: Vec<_> = told
        .pools
        .iter()
        .map(|pool| {
            (pool.pool.as_str(), pool.paid().unwrap(), pool.charged().unwrap(), pool.difference().unwrap())
        })
        .collect();
    let some = |text| Some(money(text));
    assert_eq!(
        pools,
        [("burst", some("1.5"), money("1"), some("-0.5")), ("default", some("0.4"), money("0.4"), some("0"))]
    );
    let shared = &told.pools[1].control;
    assert_eq!((shared.recovered, shared.idle), (money("0.12"), money("0.28")));
    assert_eq!((told.metered, told.fixed, told.service_fees), (money("1"), money("0.5"), money("1")));
    assert_eq!((told.terms, told.adjustments), (money("-0.012"), money("0")));
    assert_eq!((told.paid, told.charged), (some("3.4"), money("3.888")));
    // -0.5 of the burst pool, +1 of fees, -0.012 of the discount.
    assert_eq!(told.difference().unwrap(), some("0.488"));
    assert_eq!((told.rounding, told.billed), (money("0.002"), money("3.89")));
}

/// Not zero, which would be a profit.
#[test]
fn nodes_without_a_price_leave_the_recovery_unknown() {
    let book = book({
        let mut edition = edition();
        edition.pools = vec![rate_pool("default", "0.1", "0")];
        edition
    });
    let mut usage = usage(at());
    usage.nodes.push(nodes("default", "2", "8", "0"));
    usage.compute.push(row("ns-a", "default", ("3", "0"), ("0", "0")));
    let (charges, control) = month(&book, &tenants(), usage);
    let told = recovery(&book, charges, &control);
    assert_eq!(told.pools[0].control.uncosted, quantity("2"));
    assert_eq!((told.pools[0].paid(), told.pools[0].charged()), (Ok(None), Ok(money("0.3"))));
    assert_eq!((told.pools[0].difference(), told.paid, told.difference()), (Ok(None), None, Ok(None)));
}

/// A pool at 744 a month with nodes in the first hour and none in the second, whatever the book calls it.
fn two_hours(book: &PriceBook, pools: &[&str]) -> Control {
    let mut control = Control::default();
    let mut measured = usage(at());
    for pool in pools {
        measured.nodes.push(nodes(pool, "2", "8", "0"));
        measured.compute.push(row("ns-a", pool, ("10", "0"), ("0", "0")));
    }
    for usage in [measured, usage(at())] {
        control.add(&rate(book, &tenants(), &[usage]).unwrap().control).unwrap();
    }
    by_pool(control, book, HourRange { from: at(), until: at().next() }).unwrap()
}

#[test]
fn a_pool_has_one_row_with_what_was_paid_for_it_without_nodes_too() {
    let row = |control: &Control| -> Vec<(Option<String>, String, String)> {
        let rows = control.pools.iter();
        rows.map(|((cluster, pool), row)| {
            (cluster.as_ref().map(ToString::to_string), pool.clone(), row.paid.to_string())
        })
        .collect()
    };
    let some =
        |cluster: &str, pool: &str, paid: &str| (Some(cluster.to_owned()), pool.to_owned(), paid.to_owned());
    let none = |pool: &str, paid: &str| (None, pool.to_owned(), paid.to_owned());
    let per_month_for = |pattern: &str| {
        let amount = NodeCost::PerMonth(per_month("744"));
        PoolPrice { nodes: Some(amount), ..cost_pool(pattern, "0") }
    };
    let book_of = |pools: Vec<PoolPrice>| {
        let mut edition = edition();
        edition.pools = pools;
        book(edition)
    };
    for pattern in ["default", "de*", "*"] {
        let control = two_hours(&book_of(vec![per_month_for(pattern)]), &["default"]);
        assert_eq!(row(&control), [some("prod", "default", "2")], "{pattern}");
    }
    // The entry is for two pools that were there: which of them it was paid for nobody can say.
    let control = two_hours(&book_of(vec![per_month_for("*")]), &["one", "two"]);
    assert_eq!(row(&control), [none("*", "1"), some("prod", "one", "0.5"), some("prod", "two", "0.5")]);
    // What another entry prices is no pool of this one, so `de*` is one pool's although two match it.
    let other = rate_pool("default", "0.1", "0");
    let control = two_hours(&book_of(vec![other, per_month_for("de*")]), &["default", "dev"]);
    assert_eq!(row(&control), [some("prod", "default", "0"), some("prod", "dev", "2")]);
}

#[test]
fn control_totals_of_other_hours_are_refused() {
    let book = book(edition());
    let statements = build(&book, "2026-10".parse().unwrap(), &nobody(&book), Vec::new()).unwrap();
    let control = Control { metered: money("1"), ..Control::default() };
    let refused = Recovery::of(&statements, &control);
    assert!(matches!(refused, Err(Violation::DoesNotAddUp { .. })), "{refused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the book: what was charged beyond cost is what rate pools, fees and terms brought in, and what
    /// cutting to 1e-9 moved.
    #[test]
    fn the_difference_is_made_of_its_parts(world in world(), terms in terms(), copies in 1..20_usize) {
        let mut book = world.book.clone();
        book.editions[0].cost_centers = terms;
        let rated = rate(&book, &world.owners, &world.usage).unwrap();
        let mut control = Control::default();
        for _ in 0..copies {
            control.add(&rated.control).unwrap();
        }
        let charges = std::iter::repeat_n(rated.charges, copies).flatten().collect();
        let period = book.zone.period_of(world.owners.hour);
        let told = Recovery::of(&build(&book, period, &nobody(&book), charges).unwrap(), &control).unwrap();
        let mut parts = Some(money("0"));
        for pool in &told.pools {
            let difference = pool.difference().unwrap();
            parts = parts.zip(difference).map(|(sum, more)| sum.checked_add(more).unwrap());
        }
        for part in [told.service_fees, told.terms, told.adjustments, told.cut] {
            parts = parts.map(|sum| sum.checked_add(part).unwrap());
        }
        prop_assert_eq!(told.difference().unwrap(), parts);
    }
}
