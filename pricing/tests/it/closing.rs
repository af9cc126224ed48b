//! What stands in the way of a close.

use defray_pricing::book::{PriceBook, Seen, Terms};
use defray_pricing::closing::{Gaps, Obstacle, obstacles, rates_missing, unpriced};
use defray_pricing::ownership::Owners;
use defray_pricing::rating::rate;
use defray_pricing::statement::{MonthFacts, PeriodStatements, build};
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::UsageHour;

use crate::fixture::*;

fn at() -> Hour {
    hour("2026-10-01T00:00:00Z")
}

/// `a` with a service, and `b`, which used the same.
fn tenants() -> Owners {
    let mut owners = owners(at());
    add_tenant(&mut owners, "a", &["ns-a"]);
    add_tenant(&mut owners, "b", &["ns-b"]);
    owners.tenants.get_mut(&(CLUSTER.into(), "a".into())).unwrap().services.insert("argocd".into());
    owners
}

/// A month of one hour in which everything there is was used.
fn everything() -> UsageHour {
    let mut usage = usage(at());
    usage.nodes.push(nodes("default", "1", "8", "8"));
    usage.compute.push(row("ns-a", "default", ("1", "1"), ("2", "2")));
    usage.compute.push(row("ns-b", "default", ("0.5", "0"), ("0", "0")));
    usage.storage.push(volume("ns-a", "fast", "10"));
    usage.network.push(traffic("ns-b", "zone", "3"));
    usage.load_balancers.push(load_balancer("ns-a", "1"));
    usage
}

fn month(book: &PriceBook, usage: UsageHour) -> PeriodStatements {
    let owners = tenants();
    let charges = rate(book, &owners, &[usage]).unwrap().charges;
    build(book, "2026-10".parse().unwrap(), &MonthFacts::of(book.zone, &[owners]), charges).unwrap()
}

fn told(month: &PeriodStatements, gaps: Gaps) -> Vec<String> {
    obstacles(month, gaps).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn everything_without_a_price_is_told_with_how_much_where_whose_and_how_to_mend_it() {
    let month = month(&book(edition()), everything());
    assert_eq!(
        told(&month, Gaps::default()),
        [
            "1.000000 Hours of load balancers in the cluster `prod` have no price in 2026-10, on the statements of \
             `a` (add `load_balancer`)",
            "3.000000 GiB of the traffic class `zone` in the cluster `prod` have no price in 2026-10, on the \
             statements of `b` (add it to `network`)",
            "1.000000 Hours of the service `argocd` in the cluster `prod` have no price in 2026-10, on the statements \
             of `a` (add it to `services`; a price of zero is a price)",
            "10.000000 GiB-Hours of the storage class `fast` in the cluster `prod` have no price in 2026-10, on the \
             statements of `a` (add it to `storage`)",
            "1.500000 Core-Hours of `cpu` on the nodes `default/m5/on-demand` in the cluster `prod` have no price in \
             2026-10, on the statements of `a`, `b` (add its price to the entry in `pools`)",
            "2.000000 GiB-Hours of `memory` on the nodes `default/m5/on-demand` in the cluster `prod` have no price \
             in 2026-10, on the statements of `a` (add its price to the entry in `pools`)",
            "1.000000 Node-Hours of the nodes `default/m5/on-demand` in the cluster `prod` have no price in \
             2026-10, on the statements of `__unassigned__` (price them in `pools`, or their cluster in `clusters`)",
        ]
    );
    let quantities: Vec<_> = unpriced(&month).unwrap().into_iter().map(|of| of.quantity).collect();
    assert_eq!(quantities[4], quantity("1.5"), "the quantities of both tenants");
}

#[test]
fn what_has_a_price_of_zero_does_not_stand_in_the_way() {
    let mut edition = edition();
    edition.pools = vec![rate_pool("default", "0", "0")];
    let mut usage = usage(at());
    usage.nodes.push(nodes("default", "1", "8", "8"));
    usage.compute.push(row("ns-a", "default", ("1", "1"), ("2", "2")));
    edition.services.insert("argocd".into(), per_month("0"));
    assert_eq!(told(&month(&book(edition), usage), Gaps::default()), [""; 0]);
}

#[test]
fn hours_that_were_not_measured_or_not_priced_stand_in_the_way() {
    let book = {
        let mut edition = edition();
        edition.services.insert("argocd".into(), per_month("1"));
        book(edition)
    };
    let month = month(&book, usage(at()));
    assert_eq!(
        told(&month, Gaps { hours_missing: 1, hours_without_book: 24 }),
        [
            "1 hour of 2026-10 is not measured (wait until they are measured, or until they are known to be lost)",
            "24 hours of 2026-10 are before the first edition of the price book, so that nothing in them is charged \
             (add an edition that begins earlier, or let the clusters count from where the book begins)",
        ]
    );
}

/// CC-gone has terms and no statement: nobody waits for its rate.
#[test]
fn a_missing_rate_counts_for_cost_centres_with_a_statement_only() {
    let mut edition = edition();
    edition.services.insert("argocd".into(), per_month("744"));
    for (cost_center, currency) in [("CC-a", "JPY"), ("CC-gone", "KWD")] {
        let reporting_currency = Some(currency.parse().unwrap());
        edition.cost_centers.insert(cost_center.into(), Terms { reporting_currency, ..Terms::default() });
    }
    let book = book(edition);
    let month = month(&book, usage(at()));
    assert_eq!(rates_missing(&month), [("JPY".parse().unwrap(), ["CC-a".into()].into())].into());
    let [Obstacle::NoRate { .. }] = obstacles(&month, Gaps::default()).unwrap()[..] else { panic!() };
    assert_eq!(
        told(&month, Gaps::default()),
        ["JPY has no exchange rate for 2026-10, in which it is the reporting currency of `CC-a` (add it: \
          currencies: {JPY: {2026-10: …}})"]
    );

    // Before the month is rated the book says the same of whoever existed.
    let mut seen = Seen::default();
    seen.add_owners(&tenants());
    let problems = book.check(&seen, HourRange { from: at(), until: at().next() });
    let messages: Vec<&str> = problems.iter().map(|misfit| misfit.problem.message.as_str()).collect();
    assert_eq!(
        messages,
        ["JPY has no exchange rate for 2026-10, in which it is the reporting currency of CC-a"]
    );
    assert!(problems[0].blocks_close, "as it does once the month is rated");
}

#[test]
fn many_names_are_counted() {
    let mut owners = owners(at());
    let mut usage = usage(at());
    usage.nodes.push(nodes("default", "1", "8", "8"));
    for name in ["a", "b", "c", "d", "e"] {
        add_tenant(&mut owners, name, &[name]);
        usage.storage.push(volume(name, "fast", "1"));
    }
    let mut edition = edition();
    edition.pools = vec![cost_pool("default", "0")];
    let book = book(edition);
    let charges = rate(&book, &owners, &[usage]).unwrap().charges;
    let month = build(&book, "2026-10".parse().unwrap(), &MonthFacts::of(book.zone, &[owners]), charges);
    let told = told(&month.unwrap(), Gaps::default());
    assert!(told[0].contains("on the statements of `a`, `b`, `c` and 2 more"), "{told:?}");
}
