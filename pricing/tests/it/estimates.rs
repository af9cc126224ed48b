//! What a proposed tenant would cost: the bill it would have had.

use std::collections::BTreeMap;

use defray_pricing::book::{
    Base, Basis, ClusterPrice, MeteredRate, NodeCost, Policy, PriceBook, Terms, Weights,
};
use defray_pricing::charge::Kind;
use defray_pricing::estimate::{Estimate, Joining, OwnNodes, Place, Proposal, estimate};
use defray_pricing::money::Money;
use defray_pricing::ownership::Owners;
use defray_pricing::rating::rate;
use defray_pricing::statement::{MonthFacts, build};
use defray_pricing::usage::UsageHour;

use crate::fixture::{
    CLUSTER, add_tenant, book, class, cost_pool, edition, fixed, hour, metered, money, nodes, owners,
    per_month, price, quantity, rate_pool, row, usage,
};

/// One hour of October in which `other` uses two of four cores, and a tenant that asks for one.
fn world() -> (PriceBook, Owners, Vec<UsageHour>) {
    let mut edition = edition();
    edition.pools.push(rate_pool("rate", "10", "1"));
    edition.pools.push(cost_pool("cost", "8"));
    edition.pools.push(cost_pool("dedicated-new", "3"));
    edition.storage.push(metered("fast", MeteredRate::PerUnit(price("2"))));
    edition.services = BTreeMap::from([("argocd".into(), per_month("744"))]);
    edition.shared_costs.push(fixed("licence", "7440", Policy::Even));
    edition.idle = Policy::Proportional(Base::DirectCost);
    let at = hour("2026-10-05T10:00:00Z");
    let mut owned = owners(at);
    add_tenant(&mut owned, "other", &["ns-other"]);
    let mut used = usage(at);
    used.nodes.push(nodes("cost", "1", "4", "16"));
    used.compute.push(row("ns-other", "cost", ("2", "2"), ("8", "8")));
    (book(edition), owned, vec![used])
}

fn proposal() -> Proposal {
    Proposal {
        tenant: "new".into(),
        cost_center: "CC-new".into(),
        services: ["argocd".into()].into(),
        cpu: Some(quantity("1")),
        memory: Some(quantity("4")),
        storage: Some(quantity("5")),
        nodes: None,
    }
}

fn place(shared: &str) -> Place {
    Place {
        cluster: CLUSTER.into(),
        namespace: "vcluster-new".into(),
        own: None,
        shared: Some(class(shared)),
        storage: Some("fast".into()),
    }
}

fn estimated(joining: &Joining) -> Estimate {
    let (book, owners, usage) = world();
    let owners = joining.owners(&owners);
    let usage = joining.usage(&owners, &usage).unwrap();
    let charges = rate(&book, &owners, &usage).unwrap().charges;
    let facts = MonthFacts::of(book.zone, [&owners]);
    let statements = build(&book, book.zone.period_of(owners.hour), &facts, charges).unwrap();
    estimate(joining, &book.editions[0], &statements)
}

fn amounts(estimate: &Estimate) -> Vec<(Kind, &str, String)> {
    let lines = estimate.lines.iter();
    lines.map(|line| (line.key.kind, line.key.item.as_str(), line.exact.to_string())).collect()
}

#[test]
fn a_quota_on_a_rate_pool_is_quota_times_price() {
    let found = estimated(&Joining { proposal: proposal(), place: place("rate") });
    let wanted = [
        (Kind::Compute, "cpu", "10"),
        (Kind::Compute, "memory", "4"),
        (Kind::Storage, "fast", "10"),
        // An hour of 744 a month, and half of an hour of 7440.
        (Kind::ServiceFee, "argocd", "1"),
        (Kind::SharedCost, "licence", "5"),
    ];
    let mut found_lines = amounts(&found);
    let mut wanted: Vec<_> = wanted.map(|(kind, item, amount)| (kind, item, amount.to_owned())).into();
    found_lines.sort();
    wanted.sort();
    assert_eq!(found_lines, wanted);
    assert_eq!((found.amount, found.period.to_string()), (money("30"), "2026-10".to_owned()));
    let assumed = found.assumptions.join("\n");
    for word in ["2026-10 as it happened", "rate/m5/on-demand", "all of its quota all the time", "fast"] {
        assert!(assumed.contains(word), "{word}: {assumed}");
    }
    assert_eq!(found.not_estimated.len(), 1, "traffic: {:?}", found.not_estimated);
}

#[test]
fn a_quota_on_a_cost_pool_pays_its_part_and_its_share_of_idle() {
    let found = estimated(&Joining { proposal: proposal(), place: place("cost") });
    let of = |kind: Kind| {
        let lines = found.lines.iter().filter(|line| line.key.kind == kind);
        lines.map(|line| line.exact).fold(money("0"), |sum, amount| sum.checked_add(amount).unwrap())
    };
    // 8 EUR: CPU weighs 0.12, memory 0.08 of 0.20; a quarter of each; idle is a quarter, a third of it.
    assert_eq!((of(Kind::Compute), of(Kind::Idle)), (money("2"), money("0.666666667")));
}

#[test]
fn nodes_of_its_own_are_paid_whole_and_carry_what_it_runs() {
    let nodes = Some(OwnNodes { size: 3, instance_type: "compute-optimized".to_owned() });
    let mut own = class("dedicated-new");
    own.instance_type = "compute-optimized".into();
    let joining = Joining {
        proposal: Proposal { nodes, ..proposal() },
        place: Place { own: Some(own), ..place("cost") },
    };
    let found = estimated(&joining);
    let node: Vec<_> = found.lines.iter().filter(|line| line.key.kind == Kind::DedicatedPool).collect();
    assert_eq!((node.len(), node[0].exact), (1, money("9")), "{:#?}", found.lines);
    assert!(found.lines.iter().all(|line| line.key.kind != Kind::Compute && line.key.kind != Kind::Idle));
    assert!(found.assumptions.join("\n").contains("everything it runs is on them"));
}

#[test]
fn what_cannot_be_estimated_is_named_and_never_zero() {
    let proposal =
        Proposal { services: ["mesh".into()].into(), cpu: None, memory: None, storage: None, ..proposal() };
    let place = Place { storage: None, ..place("rate") };
    let found = estimated(&Joining { proposal, place });
    let told = found.not_estimated.join("\n");
    for word in
        ["service_fee:mesh", "compute: the Tenant asks for neither", "storage: the Tenant asks for no quota"]
    {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(found.lines.iter().all(|line| line.key.kind != Kind::Unpriced));
}

/// Terms, like everything, are those of the bill.
#[test]
fn terms_of_the_cost_centre_are_in_the_estimate() {
    let (mut book, owners, usage) = world();
    let terms = Terms { percentage: -500_000_000, ..Terms::default() };
    book.editions[0].cost_centers = BTreeMap::from([("CC-new".into(), terms)]);
    let joining = Joining { proposal: proposal(), place: place("rate") };
    let owners = joining.owners(&owners);
    let usage = joining.usage(&owners, &usage).unwrap();
    let facts = MonthFacts::of(book.zone, [&owners]);
    let charges = rate(&book, &owners, &usage).unwrap().charges;
    let statements = build(&book, book.zone.period_of(owners.hour), &facts, charges).unwrap();
    // Half of 24 of direct cost.
    assert_eq!(estimate(&joining, &book.editions[0], &statements).amount, money("18"));
}

#[test]
fn nodes_that_a_clusters_amount_pays_are_named_as_not_estimated_and_never_zero() {
    let joining = Joining {
        proposal: Proposal {
            nodes: Some(OwnNodes { size: 2, instance_type: "m5.large".into() }),
            ..proposal()
        },
        place: Place { own: Some(class("paid-by-the-cluster")), shared: None, ..place("rate") },
    };
    let (mut book, owners, mut usage) = world();
    // The amount pays for these as well, and their capacity is known.
    usage[0].nodes.push(nodes("others", "1", "4", "16"));
    book.editions[0].clusters.push(ClusterPrice {
        cluster: "*".parse().unwrap(),
        amount: per_month("7440"),
        weights: Weights { cpu: 1, ..Weights::default() },
        basis: Basis::Max,
    });
    let (owners, usage) = (joining.owners(&owners), joining.usage(&joining.owners(&owners), &usage).unwrap());
    let charges = rate(&book, &owners, &usage).unwrap().charges;
    let facts = MonthFacts::of(book.zone, [&owners]);
    let statements = build(&book, book.zone.period_of(owners.hour), &facts, charges).unwrap();
    let estimate = estimate(&joining, &book.editions[0], &statements);
    assert!(estimate.lines.iter().all(|line| line.key.kind != Kind::DedicatedPool), "{:?}", estimate.lines);
    let told = estimate.not_estimated.join("\n");
    assert!(told.contains("paid by an amount per month"), "{told}");
    let sum = Money::sum(estimate.lines.iter().map(|line| line.amount)).unwrap();
    assert_eq!(sum, estimate.amount, "nothing is in the total that is on no line");
}

#[test]
fn nodes_that_bear_all_of_an_amount_are_in_the_lines_as_they_are_in_the_total() {
    let joining = Joining {
        proposal: Proposal {
            nodes: Some(OwnNodes { size: 2, instance_type: "m5.large".into() }),
            ..proposal()
        },
        place: Place { own: Some(class("alone")), shared: None, ..place("rate") },
    };
    let (mut book, owners, usage) = world();
    let mut alone = cost_pool("alone", "1");
    alone.nodes = Some(NodeCost::PerMonth(per_month("744")));
    book.editions[0].pools.push(alone);
    let (owners, usage) = (joining.owners(&owners), joining.usage(&joining.owners(&owners), &usage).unwrap());
    let charges = rate(&book, &owners, &usage).unwrap().charges;
    let facts = MonthFacts::of(book.zone, [&owners]);
    let statements = build(&book, book.zone.period_of(owners.hour), &facts, charges).unwrap();
    let estimate = estimate(&joining, &book.editions[0], &statements);
    let nodes: Vec<_> = estimate.lines.iter().filter(|line| line.key.kind == Kind::DedicatedPool).collect();
    assert_eq!(nodes.len(), 1, "{:?}", estimate.lines);
    assert!(!nodes[0].amount.is_zero());
    let sum = Money::sum(estimate.lines.iter().map(|line| line.amount)).unwrap();
    assert_eq!(sum, estimate.amount);
}
