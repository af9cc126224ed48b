//! The hour that is worked out by hand in the definition of what is computed.

use defray_pricing::book::{Policy, PriceBook};
use defray_pricing::charge::Kind;
use defray_pricing::ownership::Owners;
use defray_pricing::rating::rate;
use defray_pricing::usage::UsageHour;

use crate::fixture::*;

/// 2 nodes x 4 cores x 16 GiB at 0.20 EUR per node-hour; weights 0.03 per core and 0.005 per GiB.
pub(crate) fn example() -> (PriceBook, Owners, UsageHour) {
    let mut edition = edition();
    edition.pools.push(cost_pool("default", "0.20"));
    edition.shared_costs.push(shared_namespaces("platform", &["kube-system"], Policy::Even));
    let hour = hour("2026-10-05T10:00:00Z");
    let mut owners = owners(hour);
    add_tenant(&mut owners, "devteam-a", &["vcluster-devteam-a"]);
    add_tenant(&mut owners, "devteam-b", &["vcluster-devteam-b"]);
    add_namespace(&mut owners, "kube-system", None);
    let mut usage = usage(hour);
    usage.nodes.push(nodes("default", "2", "8", "32"));
    usage.compute.push(row("kube-system", "default", ("0.5", "0.5"), ("1", "1")));
    usage.compute.push(row("vcluster-devteam-a", "default", ("2", "1.75"), ("4", "3")));
    usage.compute.push(row("vcluster-devteam-b", "default", ("1", "0.2"), ("2", "6")));
    (book(edition), owners, usage)
}

#[test]
fn the_worked_example_comes_out_to_the_last_digit() {
    let (book, owners, usage) = example();
    let rated = rate(&book, &owners, &[usage]).unwrap();
    let charges = &rated.charges;
    for (tenant, kind, item, amount) in [
        ("devteam-a", Kind::Compute, "cpu", "0.06"),
        ("devteam-a", Kind::Compute, "memory", "0.02"),
        ("devteam-a", Kind::SharedCost, "platform", "0.01"),
        ("devteam-a", Kind::Idle, "default", "0.137142857"),
        ("devteam-b", Kind::Compute, "cpu", "0.03"),
        ("devteam-b", Kind::Compute, "memory", "0.03"),
        ("devteam-b", Kind::SharedCost, "platform", "0.01"),
        ("devteam-b", Kind::Idle, "default", "0.102857143"),
    ] {
        assert_eq!(charged(charges, tenant, kind, item), money(amount), "{tenant} {kind} {item}");
    }
    assert_eq!(charges.len(), 8, "nothing else is charged: {charges:#?}");
    assert_eq!(total(charges, "devteam-a"), money("0.227142857"));
    assert_eq!(total(charges, "devteam-b"), money("0.172857143"));
    assert_eq!(rated.control.total(), Ok(money("0.40")));
}
