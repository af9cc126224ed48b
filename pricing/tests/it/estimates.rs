//! What a proposed tenant would cost: the bill it would have had.

use std::collections::BTreeMap;

use defray_pricing::book::{
    Base, Basis, ClusterPrice, MeteredRate, NodeCost, Policy, PriceBook, Terms, Weights,
};
use defray_pricing::charge::Kind;
use defray_pricing::estimate::{
    Estimate, Joining, OwnNodes, Place, Proposal, Room, Seen, StandIns, estimate,
};
use defray_pricing::money::Money;
use defray_pricing::ownership::Owners;
use defray_pricing::rating::rate;
use defray_pricing::statement::{MonthFacts, build};
use defray_pricing::time::HourRange;
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
        ignored: Vec::new(),
    }
}

fn place(shared: &str) -> Place {
    Place {
        cluster: CLUSTER.into(),
        namespace: "vcluster-new".into(),
        own: None,
        shared: Some(class(shared)),
        room: None,
        quota: None,
        storage: Some("fast".into()),
    }
}

/// The one node of four cores.
fn room_of_cost() -> Option<Room> {
    let (book, _, usage) = world();
    Room::of(&book.editions[0], &CLUSTER.into(), usage[0].nodes[0].clone())
}

fn estimated(joining: &Joining) -> Estimate {
    estimated_by(joining, |_| {})
}

/// By another book.
fn estimated_by(joining: &Joining, change: impl Fn(&mut PriceBook)) -> Estimate {
    estimated_with(joining, change, |_| {})
}

/// By another book, of another hour.
fn estimated_with(
    joining: &Joining,
    change: impl Fn(&mut PriceBook),
    happened: impl Fn(&mut Vec<UsageHour>),
) -> Estimate {
    let (mut book, owners, mut usage) = world();
    change(&mut book);
    happened(&mut usage);
    let owners = joining.owners(&owners);
    let (usage, fit) = joining.usage(&owners, &usage).unwrap();
    let mut seen = Seen::whole(744);
    seen.fitted(fit);
    let charges = rate(&book, &owners, &usage).unwrap().charges;
    let facts = MonthFacts::of(book.zone, [&owners]);
    let statements = build(&book, book.zone.period_of(owners.hour), &facts, charges).unwrap();
    estimate(joining, &book.editions[0], &seen, &statements)
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
    for word in [
        "all 744 hours of 2026-10 were measured",
        "rate/m5/on-demand",
        "all of its quota all the time",
        "fast",
    ] {
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
        place: Place { own: Some(own), room: room_of_cost(), ..place("cost") },
    };
    let found = estimated(&joining);
    assert!(!found.assumptions.join("\n").contains("free on"), "it is on none of the shared nodes");
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
    let joining = Joining { proposal: proposal(), place: place("rate") };
    let found = estimated_by(&joining, |book| {
        let terms = Terms { percentage: -500_000_000, ..Terms::default() };
        book.editions[0].cost_centers = BTreeMap::from([("CC-new".into(), terms)]);
    });
    // Half of 24 of direct cost.
    assert_eq!(found.amount, money("18"));
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
        cluster: CLUSTER.into(),
        amount: per_month("7440"),
        weights: Weights { cpu: 1, ..Weights::default() },
        basis: Basis::Max,
    });
    let (owners, usage) =
        (joining.owners(&owners), joining.usage(&joining.owners(&owners), &usage).unwrap().0);
    let charges = rate(&book, &owners, &usage).unwrap().charges;
    let facts = MonthFacts::of(book.zone, [&owners]);
    let statements = build(&book, book.zone.period_of(owners.hour), &facts, charges).unwrap();
    let estimate = estimate(&joining, &book.editions[0], &Seen::whole(744), &statements);
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
    let (owners, usage) =
        (joining.owners(&owners), joining.usage(&joining.owners(&owners), &usage).unwrap().0);
    let charges = rate(&book, &owners, &usage).unwrap().charges;
    let facts = MonthFacts::of(book.zone, [&owners]);
    let statements = build(&book, book.zone.period_of(owners.hour), &facts, charges).unwrap();
    let estimate = estimate(&joining, &book.editions[0], &Seen::whole(744), &statements);
    let nodes: Vec<_> = estimate.lines.iter().filter(|line| line.key.kind == Kind::DedicatedPool).collect();
    assert_eq!(nodes.len(), 1, "{:?}", estimate.lines);
    assert!(!nodes[0].amount.is_zero());
    let sum = Money::sum(estimate.lines.iter().map(|line| line.amount)).unwrap();
    assert_eq!(sum, estimate.amount);
}

#[test]
fn a_pool_that_bills_quotas_bills_one_once_and_is_told_where_something_else_is_paid_besides() {
    let quota_pool = |book: &mut PriceBook| {
        let mut reserved = rate_pool("reserved", "7", "0");
        reserved.basis = Basis::Quota;
        book.editions[0].pools.insert(0, reserved);
    };
    let cpu = |found: &Estimate| -> Vec<String> {
        let lines =
            found.lines.iter().filter(|line| line.key.kind == Kind::Compute && line.key.item == "cpu");
        lines.map(|line| line.exact.to_string()).collect()
    };
    let quota = Some(class("reserved"));
    let there = Joining { proposal: proposal(), place: Place { quota: quota.clone(), ..place("reserved") } };
    let found = estimated_by(&there, quota_pool);
    assert_eq!(cpu(&found), ["7"]);
    assert!(found.assumptions.join("\n").contains("where its quota is billed, used or not"));
    // The pool has a node in the hour, so quotas are billed there, whoever runs elsewhere.
    let nodes = Some(OwnNodes { size: 1, instance_type: String::new() });
    for (proposal, place, wanted) in [
        (proposal(), Place { quota: quota.clone(), ..place("rate") }, &["10", "7"][..]),
        (
            Proposal { nodes, ..proposal() },
            Place { own: Some(class("dedicated-new")), quota, ..place("reserved") },
            &["7"],
        ),
    ] {
        let found = estimated_with(&Joining { proposal, place }, quota_pool, |usage| {
            usage[0].nodes.push(nodes_of_a_pool("reserved"));
        });
        assert_eq!(cpu(&found), wanted);
        let told = found.assumptions.join("\n");
        assert!(told.contains("bills every namespace its quota, whatever it uses: it pays that"), "{told}");
    }
}

fn nodes_of_a_pool(pool: &str) -> defray_pricing::usage::NodeRow {
    nodes(pool, "1", "4", "16")
}

#[test]
fn what_does_not_fit_gets_nodes_at_their_price_and_never_looks_cheaper() {
    let (book, _, _) = world();
    assert!(
        Room::of(&book.editions[0], &CLUSTER.into(), nodes_of_a_pool("rate")).is_none(),
        "nothing is shared out"
    );
    let joining = |cpu: &str| Joining {
        proposal: Proposal { cpu: Some(quantity(cpu)), memory: None, ..proposal() },
        place: Place { room: room_of_cost(), ..place("cost") },
    };
    let compute = |found: &Estimate| {
        let lines = found.lines.iter().filter(|line| line.key.kind == Kind::Compute);
        Money::sum(lines.map(|line| line.exact)).unwrap()
    };
    // 4 cores of a node are worth 4.80 of its 8: 1.20 each, whether 2 are wanted, which are free, or 21, for
    // which five nodes are added to the one of which 2 are used.
    for (cpu, wanted, told) in [
        ("1", "1.2", "it fits into what was free"),
        ("2", "2.4", "it fits into what was free"),
        ("21", "25.2", "up to 5 such nodes are added, at their price"),
        ("22", "26.4", "up to 5 such nodes are added"),
        ("22.000001", "26.4000012", "up to 6 such nodes are added"),
    ] {
        let found = estimated(&joining(cpu));
        assert_eq!(compute(&found), money(wanted), "{cpu}");
        let assumed = found.assumptions.join("\n");
        assert!(assumed.contains(told), "{cpu}: {assumed}");
    }
}

#[test]
fn where_an_amount_pays_for_the_nodes_none_are_added_and_that_it_is_too_much_is_told() {
    let by_amount = |book: &mut PriceBook| {
        let cost = book.editions[0].pools.iter_mut().find(|entry| entry.pool.as_str() == "cost").unwrap();
        cost.nodes = Some(NodeCost::PerMonth(per_month("744")));
    };
    let (mut book, _, usage) = world();
    by_amount(&mut book);
    let room = Room::of(&book.editions[0], &CLUSTER.into(), usage[0].nodes[0].clone());
    let joining = Joining {
        proposal: Proposal { cpu: Some(quantity("200")), ..proposal() },
        place: Place { room, ..place("cost") },
    };
    let found = estimated_by(&joining, by_amount);
    let told = found.assumptions.join("\n");
    assert!(told.contains("in 1 of 744 hours it asks for more than was free on cost/"), "{told}");
    assert!(told.contains("what everybody uses is scaled to fit"), "{told}");
}

#[test]
fn what_is_there_already_is_never_charged_to_the_proposed_tenant() {
    let (_, owners, usage) = world();
    let own = |pool: &str| Place { own: Some(class(pool)), ..place("rate") };
    let clash = |tenant: &str, place: Place| {
        let joining = Joining { proposal: Proposal { tenant: tenant.into(), ..proposal() }, place };
        joining.clash(&owners, &usage).map(|clash| clash.to_string())
    };
    assert_eq!(clash("new", own("dedicated-new")), None);
    assert_eq!(clash("new", place("cost")), None, "shared nodes are there to be used");
    for (tenant, place, told) in [
        ("other", place("rate"), "the tenant `other` exists already"),
        (
            "new",
            Place { namespace: "ns-other".into(), ..place("rate") },
            "has a namespace `ns-other` already",
        ),
        ("new", own("cost"), "the pool `cost` of the cluster"),
    ] {
        let found = clash(tenant, place).unwrap_or_default();
        assert!(found.contains(told), "{told}: {found}");
    }
    let mut dedicated = owners.clone();
    dedicated.dedicated.insert((CLUSTER.into(), "pool-of-other".into()), "other".into());
    let joining = Joining { proposal: proposal(), place: own("pool-of-other") };
    let told = joining.clash(&dedicated, &usage).unwrap().to_string();
    assert!(told.contains("is dedicated to `other`"), "{told}");
}

#[test]
fn how_much_of_the_month_was_known_is_told() {
    let joining = Joining { proposal: proposal(), place: place("rate") };
    let found = estimated(&joining);
    assert_eq!((found.hours, found.hours_known), (744, 744));
    let (from, until) = (hour("2026-10-01T00:00:00Z"), hour("2026-10-02T00:00:00Z"));
    let stand_ins = Some(StandIns { count: 24, range: HourRange { from, until } });
    let seen = Seen { hours_known: 57, hours_with_gaps: 3, stand_ins, ..Seen::whole(744) };
    let (book, owners, _) = world();
    let statements = build(&book, book.zone.period_of(owners.hour), &MonthFacts::new(book.zone), Vec::new());
    let found = estimate(&joining, &book.editions[0], &seen, &statements.unwrap());
    assert_eq!((found.hours, found.hours_known), (744, 57));
    let told = found.assumptions.join("\n");
    for words in [
        "57 of the 744 hours of 2026-10 were measured; each of the other 687 is taken to be as one of the 24",
        "of the measured hours 3 have gaps",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
