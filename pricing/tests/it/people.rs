//! Whom a book names, held against who existed.

use defray_pricing::book::{PriceBook, Seen, Source};
use defray_pricing::names::PriceClass;
use defray_pricing::ownership::NamespaceState;
use defray_pricing::time::{BillingZone, HourRange, Period};

const BOOK: &str = "\
version: \"1\"
currency: EUR
effective_from: 2026-01-01
platform_cost_center: CC-P
pools: [{pool: \"*\", model: rate, cpu_core_hour: 1, memory_gib_hour: 1}]
cost_centers:
  - {cost_center: CC-1, discount: \"5%\"}
  - {cost_center: CC-gone, discount: \"5%\"}
  - {cost_center: CC-P, reporting_currency: JPY}
currencies: {JPY: {2026-10: \"160\"}}
";

const WIDE: &str = "\
currency: EUR
adjustments:
  - {date: 2026-10-02, reference: N-1, reason: credit, amount: -1, tenant: a}
  - {date: 2026-10-02, reference: N-2, reason: credit, amount: -1, tenant: gone}
  - {date: 2026-10-02, reference: N-3, reason: credit, amount: -1, cost_center: CC-1}
  - {date: 2026-10-02, reference: N-4, reason: credit, amount: -1, cost_center: CC-gome}
  - {date: 2026-10-02, reference: N-5, reason: credit, amount: -1, cost_center: CC-P}
  - {date: 2026-11-02, reference: N-6, reason: credit, amount: -1, tenant: later}
budgets:
  - {tenant: a, from: 2026-10, per_month: 10}
  - {tenant: gone, from: 2026-09, until: 2026-10, per_month: 10}
  - {tenant: gone, from: 2026-10, per_month: 20}
  - {cost_center: CC-P, from: 2026-10, per_month: 10}
  - {cost_center: CC-gome, from: 2026-10, until: 2026-11, per_month: 10}
  - {cost_center: CC-gone, from: 2026-10, per_month: 10}
";

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

fn book() -> PriceBook {
    let sources = [source("prices.yaml", BOOK), source("wide.yaml", WIDE)];
    PriceBook::parse(&sources, BillingZone::UTC).unwrap()
}

fn october() -> HourRange {
    BillingZone::UTC.hours("2026-10".parse::<Period>().unwrap())
}

fn seen() -> Seen {
    Seen { tenants: ["a".into()].into(), cost_centers: ["CC-1".into()].into(), ..Seen::default() }
}

fn text<T: ToString>(problems: &[T]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn adjustments_of_the_month_that_are_for_nobody_are_wrong_with_their_place() {
    assert_eq!(
        text(&book().check(&seen(), october())),
        [
            "wide.yaml:4:5: adjustments[1]: the adjustment `N-2` is for `gone`, which is no tenant (correct the name, \
             or give it to a cost centre: as it is it falls to `__unassigned__`)",
            "wide.yaml:6:5: adjustments[3]: the adjustment `N-4` is for the cost centre `CC-gome`, which had no tenant \
             (correct the name: as it is it falls to `__unassigned__`)",
        ]
    );
}

/// CC-gome has an adjustment booked on it, so its budget is of something.
#[test]
fn terms_and_budgets_of_nobody_are_doubted_with_their_place() {
    assert_eq!(
        text(&book().doubts(&seen(), october())),
        [
            "prices.yaml:8:5: cost_centers[1]: terms for the cost centre `CC-gone`, which had no tenant in 2026-10 \
             (correct the name, or let them wait for a tenant)",
            "wide.yaml:12:5: budgets[2]: a budget of the tenant `gone`, which did not exist in 2026-10 (correct the \
             name, or end it with `until`)",
            "wide.yaml:15:5: budgets[5]: a budget of the cost centre `CC-gone`, which had nothing booked on it in \
             2026-10 (correct the name, or end it with `until`)",
        ]
    );
    let whole = Seen {
        tenants: ["a".into(), "gone".into()].into(),
        cost_centers: ["CC-1".into(), "CC-gone".into()].into(),
        ..Seen::default()
    };
    assert_eq!(book().doubts(&whole, october()), []);
}

/// What is used and unpriced, and a rate that is missing, are in `closing`; whom the book names wrongly is charged.
#[test]
fn an_adjustment_for_nobody_keeps_no_month_from_being_closed() {
    let found = book().check(&seen(), october());
    assert_eq!(found.iter().map(|misfit| misfit.blocks_close).collect::<Vec<_>>(), [false, false]);
}

const NAMES: &str = "\
version: \"1\"
currency: EUR
effective_from: 2026-01-01
platform_cost_center: CC-P
clusters:
  - {cluster: demo, per_month: 10, weights: {cpu: 1, memory: 1}}
  - {cluster: demoo, per_month: 10, weights: {cpu: 1, memory: 1}}
pools:
  - {pool: \"*\", model: cost, node_hour: 1, weights: {cpu: 1, memory: 1}}
  - {pool: spot, model: rate, cpu_core_hour: 1, memory_gib_hour: 1}
  - {pool: nosuchpool, model: rate, cpu_core_hour: 1, memory_gib_hour: 1}
  - {pool: spot, cluster: demoo, model: rate, cpu_core_hour: 1, memory_gib_hour: 1}
  - {pool: bare, instance_type: m6, model: cost, per_month: 5, weights: {cpu: 1, memory: 1}}
  - {pool: bare, instance_type: m5, model: cost, per_month: 5, weights: {cpu: 1, memory: 1}}
services: {vault: {per_month: 1}, valut: {per_month: 1}}
shared_costs:
  - {name: monitoring, namespaces: [monitoring, monitorng, \"mon*\"], policy: even}
  - {name: ingress, namespace_labels: {shared: ingress}, policy: even}
  - {name: mesh, namespace_labels: {shared: msh}, policy: even}
idle: keep
";

#[test]
fn names_that_never_occur_are_told_with_their_place() {
    let book = PriceBook::parse(&[source("prices.yaml", NAMES)], BillingZone::UTC).unwrap();
    let class =
        |pool: &str| PriceClass { pool: pool.into(), instance_type: "m5".into(), capacity_type: "".into() };
    let namespace = |label: &str| NamespaceState {
        tenant: None,
        labels: [("shared".to_owned(), label.to_owned())].into(),
    };
    let seen = Seen {
        classes: ["spot", "bare"].map(|pool| ("demo".into(), class(pool))).into(),
        services: ["vault".into()].into(),
        namespaces: [
            (("demo".into(), "monitoring".into()), namespace("")),
            (("demo".into(), "web".into()), namespace("ingress")),
        ]
        .into(),
        ..seen()
    };
    let told = |rest: [&str; 7]| rest.map(|line| format!("prices.yaml:{line}"));
    assert_eq!(
        text(&book.unseen(&seen, october())),
        told([
            "7:5: clusters[1]: the cluster `demoo` did not exist in 2026-10, and its amount falls to `__unassigned__` \
             (correct the name, or remove the entry while there is nothing to pay for)",
            "11:5: pools[2]: no pool `nosuchpool` was there in 2026-10 (correct the name, or let the price wait for \
             such a pool)",
            "12:5: pools[3]: no pool `spot` was there in 2026-10, in the cluster `demoo` (correct the name, or let the \
             price wait for such a pool)",
            "13:5: pools[4]: it prices no nodes that were there in 2026-10, and its amount falls to `__unassigned__` \
             (correct the name, or remove the entry while there is nothing to pay for)",
            "15:42: services.valut: no tenant had the service `valut` switched on in 2026-10 (correct the name, or let \
             the fee wait for a tenant)",
            "17:5: shared_costs[0]: no namespace `monitorng` existed in 2026-10 (correct it, or remove it: nothing is \
             shared by it)",
            "19:5: shared_costs[2]: no namespace had the labels `shared: msh` in 2026-10 (correct it, or remove it: \
             nothing is shared by it)",
        ])
    );
}

#[test]
fn a_book_in_another_currency_than_the_ledger_says_so_with_its_place() {
    let euros = book();
    assert_eq!(euros.other_currency("EUR".parse().unwrap()), None);
    let told = euros.other_currency("USD".parse().unwrap()).unwrap().to_string();
    assert_eq!(
        told,
        "prices.yaml:2:11: currency: the currency is EUR, but what the ledger holds is in USD (a ledger has one \
         currency: correct it, or begin another ledger)"
    );
}

/// Places are for messages: where a book says something is no part of what it says.
#[test]
fn the_same_book_in_other_places_is_the_same_book() {
    let moved = [source("a.yaml", &format!("# moved\n{WIDE}")), source("b.yaml", BOOK)];
    let moved = PriceBook::parse(&moved, BillingZone::UTC).unwrap();
    assert_eq!(moved, book());
    let told = text(&moved.check(&seen(), october()));
    assert!(told[0].starts_with("a.yaml:5:5: "), "{told:?}");
}
