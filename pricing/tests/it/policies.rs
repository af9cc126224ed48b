//! Who bears shared cost and idle capacity.

use std::collections::BTreeMap;

use defray_pricing::book::{Base, Edition, Policy, PriceBook, SharedWhat};
use defray_pricing::charge::Kind;
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::{Conflict, NamespaceState, Owners};
use defray_pricing::rating::{RatedHour, rate};
use defray_pricing::time::Hour;
use defray_pricing::usage::UsageHour;

use crate::fixture::*;

fn at() -> Hour {
    hour("2026-10-05T10:00:00Z")
}

/// Tenants a and b on the rate pool `default`, b with twice the CPU and none of the memory; c owns a
/// namespace and uses nothing; `kube-system` costs 0.10 and is shared; `stray` belongs to nobody.
fn hour_with(policy: Policy) -> (PriceBook, Owners, UsageHour) {
    let mut edition = edition();
    edition.pools.push(rate_pool("default", "0.1", "0.01"));
    edition.shared_costs.push(shared_namespaces("platform", &["kube-*"], policy));
    let mut owners = owners(at());
    for tenant in ["a", "b", "c"] {
        add_tenant(&mut owners, tenant, &[&format!("vcluster-{tenant}")]);
    }
    let mut usage = usage(at());
    usage.nodes.push(nodes("default", "1", "8", "32"));
    usage.compute.push(row("kube-system", "default", ("1", "0"), ("0", "0")));
    usage.compute.push(row("stray", "default", ("1", "0"), ("0", "0")));
    usage.compute.push(row("vcluster-a", "default", ("1", "0"), ("10", "0")));
    usage.compute.push(row("vcluster-b", "default", ("2", "0"), ("0", "0")));
    (book(edition), owners, usage)
}

fn rated((book, owners, usage): (PriceBook, Owners, UsageHour)) -> RatedHour {
    let rated = rate(&book, &owners, &[usage]).unwrap();
    assert_eq!(defray_pricing::invariants::check_hour(&rated), Ok(()));
    rated
}

fn weighted(weights: &[(&str, u64)]) -> Policy {
    Policy::Weighted(weights.iter().map(|(tenant, weight)| ((*tenant).into(), *weight)).collect())
}

#[test]
fn each_policy_names_its_recipients_and_their_weights() {
    for (policy, parts) in [
        // a, b and what nobody owns have a base: 0.2, 0.2 and 0.1 of direct cost.
        (
            Policy::Proportional(Base::DirectCost),
            vec![("a", "0.04"), ("b", "0.04"), ("__unassigned__", "0.02")],
        ),
        (Policy::Proportional(Base::Cpu), vec![("a", "0.025"), ("b", "0.05"), ("__unassigned__", "0.025")]),
        (Policy::Proportional(Base::Memory), vec![("a", "0.1")]),
        // Whoever owns a namespace, used or not; ties go to the smaller name.
        (Policy::Even, vec![("a", "0.033333334"), ("b", "0.033333333"), ("c", "0.033333333")]),
        // Those of the named who exist, their weights made to add up again.
        (weighted(&[("a", 1), ("c", 3), ("gone", 96)]), vec![("a", "0.025"), ("c", "0.075")]),
        (weighted(&[("gone", 1)]), vec![("__platform__", "0.1")]),
        (Policy::Keep(None), vec![("__platform__", "0.1")]),
        (Policy::Keep(Some("CC-OTHER".into())), vec![("__platform__", "0.1")]),
    ] {
        let rated = rated(hour_with(policy.clone()));
        for tenant in ["a", "b", "c", "__unassigned__", "__platform__"] {
            let wanted = parts.iter().find(|(name, _)| *name == tenant).map_or("0", |(_, amount)| *amount);
            let got = charged(&rated.charges, tenant, Kind::SharedCost, "platform");
            assert_eq!(got, money(wanted), "{tenant} under {policy:?}");
        }
    }
}

#[test]
fn what_is_kept_goes_to_the_named_cost_centre_then_the_platforms_then_nobodys() {
    for (keep, platform, bearer, cost_center) in [
        (Some("CC-X"), Some("CC-P"), "__platform__", "CC-X"),
        (None, Some("CC-P"), "__platform__", "CC-P"),
        (None, None, "__unassigned__", "__unassigned__"),
    ] {
        let (mut book, owners, usage) = hour_with(Policy::Keep(keep.map(Into::into)));
        book.editions[0].platform_cost_center = platform.map(Into::into);
        let rated = rated((book, owners, usage));
        let kept = rated.charges.iter().find(|charge| charge.key.kind == Kind::SharedCost).unwrap();
        assert_eq!((kept.key.tenant.as_str(), kept.key.cost_center.as_str()), (bearer, cost_center));
    }
}

#[test]
fn a_zero_base_is_kept() {
    let (mut book, owners, mut usage) = hour_with(Policy::Proportional(Base::Cpu));
    usage.compute.retain(|row| row.namespace.as_str() == "kube-system");
    book.editions[0].platform_cost_center = None;
    let rated = rated((book, owners, usage));
    assert_eq!(total(&rated.charges, "__unassigned__"), money("0.1"));
}

#[test]
fn storage_network_and_load_balancers_of_shared_namespaces_are_shared_too() {
    use defray_pricing::book::MeteredRate::PerUnit;
    let (mut book, owners, mut usage) = hour_with(Policy::Even);
    let edition = &mut book.editions[0];
    edition.storage.push(metered("*", PerUnit(price("0.01"))));
    edition.network.push(metered("*", PerUnit(price("0.02"))));
    edition.load_balancer = Some(PerUnit(price("0.03")));
    usage.compute.clear();
    usage.storage.push(volume("kube-system", "fast", "3"));
    usage.network.push(traffic("kube-system", "all", "3"));
    usage.load_balancers.push(load_balancer("kube-system", "2"));
    let rated = rated((book, owners, usage));
    for tenant in ["a", "b", "c"] {
        assert_eq!(charged(&rated.charges, tenant, Kind::SharedCost, "platform"), money("0.05"));
    }
}

#[test]
fn the_whole_of_a_shared_namespace_is_cut_to_nine_digits_half_even_before_it_is_split() {
    use defray_pricing::book::MeteredRate::PerUnit;
    let (mut book, owners, mut usage) = hour_with(Policy::Even);
    book.editions[0].storage.push(metered("*", PerUnit(price("0.000000001"))));
    usage.compute.clear();
    usage.storage.push(volume("kube-dns", "fast", "2.5"));
    usage.storage.push(volume("kube-system", "fast", "3.5"));
    let rated = rated((book, owners, usage));
    // 2.5 to even is 2, 3.5 to even is 4; each namespace is a whole of its own.
    for (tenant, amount) in [("a", "0.000000003"), ("b", "0.000000002"), ("c", "0.000000001")] {
        assert_eq!(charged(&rated.charges, tenant, Kind::SharedCost, ""), money(amount), "{tenant}");
    }
    assert_eq!(rated.control.cut, money("0"));
}

#[test]
fn a_namespace_that_two_shared_costs_select_is_a_conflict_and_unassigned() {
    let (mut book, mut owners, usage) = hour_with(Policy::Even);
    let mut second = shared_namespaces("security", &[], Policy::Even);
    second.what = SharedWhat::Namespaces {
        names: Vec::new(),
        labels: BTreeMap::from([("shared".to_owned(), "yes".to_owned())]),
    };
    book.editions[0].shared_costs.push(second);
    let cluster = usage.cluster.clone();
    let labels = BTreeMap::from([("shared".to_owned(), "yes".to_owned())]);
    owners
        .namespaces
        .insert((cluster.clone(), "kube-system".into()), NamespaceState { tenant: None, labels });
    let rated = rated((book, owners, usage));
    let conflict = Conflict::TwoSharedCosts {
        cluster,
        namespace: "kube-system".into(),
        shared_costs: vec!["platform".to_owned(), "security".to_owned()],
    };
    assert_eq!(rated.conflicts, [conflict].into());
    assert_eq!(charged(&rated.charges, "a", Kind::SharedCost, ""), money("0"));
    assert_eq!(charged(&rated.charges, "__unassigned__", Kind::Compute, ""), money("0.2"));
}

#[test]
fn a_namespace_both_owned_and_shared_is_a_conflict_and_unassigned() {
    let (book, mut owners, usage) = hour_with(Policy::Even);
    add_namespace(&mut owners, "kube-system", Some("a"));
    let rated = rated((book, owners, usage));
    assert_eq!(rated.conflicts.len(), 1);
    assert_eq!(charged(&rated.charges, "a", Kind::SharedCost, ""), money("0"));
    assert_eq!(charged(&rated.charges, "__unassigned__", Kind::Compute, ""), money("0.2"));
}

/// Clusters `prod` (tenants a and b) and `test` (tenants b and c).
fn two_clusters(policy: Policy) -> RatedHour {
    let mut edition = edition();
    edition.pools.push(rate_pool("*", "0.1", "0"));
    edition.shared_costs.push(fixed("licence", "744", policy));
    let mut owners = owners(at());
    add_tenant(&mut owners, "a", &["ns-a"]);
    add_tenant(&mut owners, "b", &["ns-b"]);
    let test = ClusterName::from("test");
    for tenant in ["b", "c"] {
        let state = owners.tenants.values().next().unwrap().clone();
        owners.tenants.insert((test.clone(), tenant.into()), state);
        let state = defray_pricing::ownership::NamespaceState {
            tenant: Some(tenant.into()),
            labels: BTreeMap::new(),
        };
        owners.namespaces.insert((test.clone(), format!("ns-{tenant}").into()), state);
    }
    let mut prod = usage(at());
    prod.compute.push(row("ns-a", "default", ("1", "0"), ("0", "0")));
    prod.compute.push(row("ns-b", "default", ("1", "0"), ("0", "0")));
    let mut other = UsageHour { cluster: test, ..usage(at()) };
    other.compute.push(row("ns-b", "default", ("1", "0"), ("0", "0")));
    other.compute.push(row("ns-c", "default", ("1", "0"), ("0", "0")));
    let book = book(edition);
    let rated = rate(&book, &owners, &[prod.clone(), other.clone()]).unwrap();
    assert_eq!(rate(&book, &owners, &[other, prod]).unwrap(), rated, "clusters in any order");
    rated
}

#[test]
fn a_fixed_amount_spans_clusters_and_counts_each_tenant_once() {
    for (policy, parts) in [
        (Policy::Even, [("a", "0.333333334"), ("b", "0.333333333"), ("c", "0.333333333")]),
        (Policy::Proportional(Base::DirectCost), [("a", "0.25"), ("b", "0.5"), ("c", "0.25")]),
        (weighted(&[("b", 1), ("c", 1)]), [("a", "0"), ("b", "0.5"), ("c", "0.5")]),
    ] {
        let rated = two_clusters(policy.clone());
        for (tenant, amount) in parts {
            let got = charged(&rated.charges, tenant, Kind::SharedCost, "licence");
            assert_eq!(got, money(amount), "{tenant} under {policy:?}");
        }
        let shared = rated.charges.iter().filter(|charge| charge.key.kind == Kind::SharedCost);
        assert!(shared.into_iter().all(|charge| charge.key.cluster.is_none()));
    }
}

/// Two cost pools of 1 EUR an hour, 10 cores each: a uses 4 cores of `one`, b 1 core of `one` and 5 of `two`.
fn two_pools(idle: Policy) -> RatedHour {
    let edition = Edition { idle, pools: vec![cores_only("one"), cores_only("two")], ..edition() };
    let mut owners = owners(at());
    add_tenant(&mut owners, "a", &["ns-a"]);
    add_tenant(&mut owners, "b", &["ns-b"]);
    let mut usage = usage(at());
    usage.nodes.push(nodes("one", "1", "10", "0"));
    usage.nodes.push(nodes("two", "1", "10", "0"));
    usage.compute.push(row("ns-a", "one", ("4", "0"), ("0", "0")));
    usage.compute.push(row("ns-b", "one", ("1", "0"), ("0", "0")));
    usage.compute.push(row("ns-b", "two", ("5", "0"), ("0", "0")));
    rated((book(edition), owners, usage))
}

fn cores_only(name: &str) -> defray_pricing::book::PoolPrice {
    cost_pool(name, "1")
}

#[test]
fn idle_is_borne_by_policy_and_in_proportion_only_within_its_pool() {
    for (policy, one, two) in [
        (Policy::Proportional(Base::DirectCost), [("a", "0.4"), ("b", "0.1")], [("a", "0"), ("b", "0.5")]),
        (Policy::Proportional(Base::Cpu), [("a", "0.4"), ("b", "0.1")], [("a", "0"), ("b", "0.5")]),
        (Policy::Even, [("a", "0.25"), ("b", "0.25")], [("a", "0.25"), ("b", "0.25")]),
        (weighted(&[("a", 4), ("b", 1)]), [("a", "0.4"), ("b", "0.1")], [("a", "0.4"), ("b", "0.1")]),
        (Policy::Keep(None), [("__platform__", "0.5"), ("a", "0")], [("__platform__", "0.5"), ("a", "0")]),
    ] {
        let rated = two_pools(policy.clone());
        for (pool, parts) in [("one", one), ("two", two)] {
            for (tenant, amount) in parts {
                let got = charged(&rated.charges, tenant, Kind::Idle, pool);
                assert_eq!(got, money(amount), "{tenant} of {pool} under {policy:?}");
            }
        }
    }
}
