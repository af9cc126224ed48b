//! What is charged directly, and what is paid for besides.

use defray_pricing::book::{
    Basis, ClusterPrice, Edition, MeteredRate, Model, MonthlyAmount, NodeCost, PoolPrice, PriceBook,
};
use defray_pricing::charge::Kind;
use defray_pricing::money::Money;
use defray_pricing::ownership::Owners;
use defray_pricing::quantity::Unit;
use defray_pricing::rating::{RatedHour, RatingError, rate, rate_hour};
use defray_pricing::time::Hour;
use defray_pricing::usage::UsageHour;

use crate::fixture::*;

fn at() -> Hour {
    hour("2026-10-05T10:00:00Z")
}

fn tenants() -> Owners {
    let mut owners = owners(at());
    add_tenant(&mut owners, "a", &["ns-a"]);
    add_tenant(&mut owners, "b", &["ns-b"]);
    owners
}

fn rated(book: &PriceBook, owners: &Owners, usage: &UsageHour) -> RatedHour {
    let rated = rate(book, owners, std::slice::from_ref(usage)).unwrap();
    assert_eq!(defray_pricing::invariants::check_hour(&rated), Ok(()));
    rated
}

fn with_pools(pools: Vec<PoolPrice>) -> PriceBook {
    book(Edition { pools, ..edition() })
}

#[test]
fn the_rate_model_bills_usage_whatever_the_nodes_cost() {
    for (basis, cpu, memory) in [
        (Basis::Request, "0.2", "0.04"),
        (Basis::Usage, "0.3", "0.01"),
        (Basis::Max, "0.3", "0.04"),
        (Basis::Quota, "0.3", "0.04"),
    ] {
        let book = with_pools(vec![PoolPrice { basis, ..rate_pool("default", "0.1", "0.01") }]);
        let mut usage = usage(at());
        usage.nodes.push(nodes("default", "1", "1", "1"));
        usage.compute.push(row("ns-a", "default", ("2", "3"), ("4", "1")));
        let rated = rated(&book, &tenants(), &usage);
        assert_eq!(charged(&rated.charges, "a", Kind::Compute, "cpu"), money(cpu), "{basis:?}");
        assert_eq!(charged(&rated.charges, "a", Kind::Compute, "memory"), money(memory), "{basis:?}");
        assert_eq!(rated.charges.len(), 2, "no idle lines");
        assert!(rated.charges.iter().all(|charge| charge.key.unit_price.is_some()));
    }
}

#[test]
fn a_dedicated_pool_is_its_tenants_whole_and_free_for_others() {
    for model in [cost_pool("a-pool", "0.5"), {
        let nodes = Some(NodeCost::PerNodeHour(price("0.5")));
        PoolPrice { nodes, ..rate_pool("a-pool", "9", "9") }
    }] {
        let book = with_pools(vec![model]);
        let mut owners = tenants();
        owners.dedicated.insert((CLUSTER.into(), "a-pool".into()), "a".into());
        let mut usage = usage(at());
        usage.nodes.push(nodes("a-pool", "3", "12", "48"));
        usage.compute.push(row("ns-a", "a-pool", ("1", "1"), ("1", "1")));
        usage.compute.push(row("ns-b", "a-pool", ("1", "1"), ("1", "1")));
        let rated = rated(&book, &owners, &usage);
        let [only] = rated.charges.as_slice() else { panic!("{:#?}", rated.charges) };
        assert_eq!((only.key.tenant.as_str(), only.key.kind), ("a", Kind::DedicatedPool));
        assert_eq!(only.key.unit_price, Some(price("0.5")));
        assert_eq!(only.quantity, Some((quantity("3"), Unit::NodeHours)));
        assert_eq!(only.amount, money("1.5"));
    }
}

#[test]
fn a_pool_dedicated_to_nobody_is_unassigned() {
    let mut owners = tenants();
    owners.dedicated.insert((CLUSTER.into(), "ghost".into()), "__unassigned__".into());
    let mut usage = usage(at());
    usage.nodes.push(nodes("ghost", "2", "8", "32"));
    let rated = rated(&with_pools(vec![cost_pool("*", "0.5")]), &owners, &usage);
    assert_eq!(charged(&rated.charges, "__unassigned__", Kind::DedicatedPool, ""), money("1"));
}

#[test]
fn billable_usage_above_capacity_is_scaled_and_nothing_is_idle() {
    let book = with_pools(vec![cost_pool("default", "0.16")]);
    let mut usage = usage(at());
    // CPU is worth 4 x 0.03 = 0.12, memory 8 x 0.005 = 0.04.
    usage.nodes.push(nodes("default", "1", "4", "8"));
    usage.compute.push(row("ns-a", "default", ("6", "0"), ("2", "0")));
    usage.compute.push(row("ns-b", "default", ("2", "0"), ("2", "0")));
    let rated = rated(&book, &tenants(), &usage);
    assert_eq!(charged(&rated.charges, "a", Kind::Compute, "cpu"), money("0.09"));
    assert_eq!(charged(&rated.charges, "b", Kind::Compute, "cpu"), money("0.03"));
    let idle = ["a", "b"].map(|tenant| charged(&rated.charges, tenant, Kind::Idle, ""));
    assert_eq!(Money::sum(idle), Ok(money("0.02")), "memory's other half");
}

#[test]
fn nodes_without_capacity_are_all_idle() {
    let book = with_pools(vec![cost_pool("default", "0.2")]);
    let mut usage = usage(at());
    usage.nodes.push(nodes("default", "1", "0", "0"));
    usage.compute.push(row("ns-a", "default", ("6", "0"), ("2", "0")));
    let rated = rated(&book, &tenants(), &usage);
    assert_eq!(charged(&rated.charges, "__platform__", Kind::Idle, ""), money("0.2"), "no base");
    let cpu = rated.charges.iter().find(|charge| charge.key.item == "cpu").unwrap();
    assert_eq!((cpu.quantity.unwrap().0, cpu.amount), (quantity("6"), Money::ZERO));
}

#[test]
fn remainders_go_to_the_smaller_namespace_and_idle_comes_last() {
    let book = with_pools(vec![cost_pool("default", "0.000000001")]);
    let mut usage = usage(at());
    usage.nodes.push(nodes("default", "1", "3", "0"));
    usage.compute.push(row("ns-b", "default", ("1", "0"), ("0", "0")));
    usage.compute.push(row("ns-a", "default", ("1", "0"), ("0", "0")));
    let rated = rated(&book, &tenants(), &usage);
    assert_eq!(total(&rated.charges, "a"), money("0.000000001"));
    assert_eq!(total(&rated.charges, "b"), money("0"));
}

#[test]
fn gpus_are_billed_by_request_in_both_models() {
    let gpu = "nvidia.com/gpu";
    let mut cost = cost_pool("gpu", "1");
    let Model::Cost { weights } = &mut cost.model else { panic!() };
    weights.gpu.insert(gpu.to_owned(), 2_000_000_000);
    let mut rate = rate_pool("gpu", "0", "0");
    let Model::Rate { gpu: prices, .. } = &mut rate.model else { panic!() };
    prices.insert(gpu.to_owned(), price("0.4"));
    for (pool, amount) in [(cost, "0.25"), (rate, "0.4")] {
        let mut usage = usage(at());
        let mut node = nodes("gpu", "1", "0", "0");
        node.gpu_capacity.insert(gpu.to_owned(), quantity("4"));
        usage.nodes.push(node);
        let mut row = row("ns-a", "gpu", ("0", "0"), ("0", "0"));
        row.gpu_request.insert(gpu.to_owned(), quantity("1"));
        usage.compute.push(row);
        let rated = rated(&with_pools(vec![pool]), &tenants(), &usage);
        assert_eq!(charged(&rated.charges, "a", Kind::Compute, gpu), money(amount));
    }
}

#[test]
fn the_basis_quota_bills_each_quota_once_and_the_rest_by_maximum() {
    let pool = PoolPrice { basis: Basis::Quota, ..rate_pool("default", "1", "1") };
    let mut usage = usage(at());
    usage.nodes.push(nodes("default", "1", "8", "8"));
    let mut in_vcluster = row("ns-a", "default", ("1", "9"), ("3", "0"));
    in_vcluster.virtual_namespace = Some("web".into());
    usage.compute.push(row("ns-a", "default", ("1", "0"), ("0", "0")));
    usage.compute.push(in_vcluster);
    usage.compute.push(row("ns-b", "default", ("2", "1"), ("0", "0")));
    usage.quotas.push(quota("ns-a", Some("4"), None));
    usage.quotas.push(quota("ns-idle", Some("5"), None));
    let rated = rated(&with_pools(vec![pool]), &tenants(), &usage);
    assert_eq!(charged(&rated.charges, "a", Kind::Compute, "cpu"), money("4"));
    assert_eq!(charged(&rated.charges, "a", Kind::Compute, "memory"), money("3"), "no quota names it");
    assert_eq!(charged(&rated.charges, "b", Kind::Compute, "cpu"), money("2"), "no quota at all");
    let nobody = charged(&rated.charges, "__unassigned__", Kind::Compute, "cpu");
    assert_eq!(nobody, money("5"), "a quota is billed even where nothing runs");
}

#[test]
fn a_price_of_zero_is_a_price_and_no_price_is_none() {
    let mut usage = usage(at());
    usage.nodes.push(nodes("default", "1", "8", "8"));
    usage.compute.push(row("ns-a", "default", ("1", "1"), ("2", "2")));
    usage.storage.push(volume("ns-a", "all", "10"));
    usage.network.push(traffic("ns-a", "all", "3"));
    usage.load_balancers.push(load_balancer("ns-a", "1"));

    let mut free = with_pools(vec![rate_pool("default", "0", "0")]);
    let zero = MeteredRate::PerUnit(price("0"));
    free.editions[0].storage.push(metered("*", zero));
    free.editions[0].network.push(metered("*", zero));
    free.editions[0].load_balancer = Some(zero);
    let kinds = |book: &PriceBook| -> Vec<(Kind, String, String)> {
        let rated = rated(book, &tenants(), &usage);
        assert_eq!(rated.control.total(), Ok(Money::ZERO));
        let name = |charge: &defray_pricing::charge::Charge| {
            (charge.key.kind, charge.key.item.clone(), charge.quantity.unwrap().0.to_string())
        };
        rated.charges.iter().map(name).collect()
    };
    let all =
        |kinds: [(Kind, &str, &str); 5]| kinds.map(|(k, i, q)| (k, i.to_owned(), q.to_owned())).to_vec();
    assert_eq!(
        kinds(&free),
        all([
            (Kind::Compute, "cpu", "1.000000"),
            (Kind::Compute, "memory", "2.000000"),
            (Kind::Storage, "all", "10.000000"),
            (Kind::Network, "all", "3.000000"),
            (Kind::LoadBalancer, "load_balancer", "1.000000"),
        ])
    );
    let unpriced = kinds(&book(edition()));
    for wanted in [
        (Kind::Unpriced, "cpu", "1.000000"),
        (Kind::Unpriced, "memory", "2.000000"),
        (Kind::Unpriced, "storage:all", "10.000000"),
        (Kind::Unpriced, "network:all", "3.000000"),
        (Kind::Unpriced, "load_balancer", "1.000000"),
        (Kind::Unpriced, "node", "1.000000"),
    ] {
        let wanted = (wanted.0, wanted.1.to_owned(), wanted.2.to_owned());
        assert!(unpriced.contains(&wanted), "{wanted:?} in {unpriced:#?}");
    }
    assert_eq!(unpriced.len(), 6);
}

#[test]
fn a_price_per_unit_month_is_spread_over_the_real_hours_of_the_period() {
    let mut edition = edition();
    edition.storage.push(metered("*", MeteredRate::PerUnitMonth(price("1"))));
    let book = book_in("EUR", "Europe/Berlin", vec![edition]);
    let mut usage = usage(at());
    usage.storage.push(volume("ns-a", "fast", "745"));
    let rated = rated(&book, &tenants(), &usage);
    // October 2026 has 745 hours in Berlin: 1/745 = 0.001342281879 to twelve decimals.
    assert_eq!(rated.charges[0].key.unit_price, Some(price("0.001342281879")));
    assert_eq!(rated.charges[0].amount, money("0.999999999855"));
}

/// Every hour of a month, of a book with one fixed amount and one service.
fn month(book: &PriceBook, period: &str) -> Vec<RatedHour> {
    let hours = book.zone.hours(period.parse().unwrap());
    let mut owners = tenants();
    for state in owners.tenants.values_mut() {
        state.services.insert("logging".into());
    }
    hours.iter().map(|hour| rate(book, &Owners { hour, ..owners.clone() }, &[]).unwrap()).collect()
}

#[test]
fn amounts_per_month_and_year_add_up_over_months_of_any_length() {
    let mut edition = edition();
    edition.shared_costs.push(fixed("licence", "1000", defray_pricing::book::Policy::Even));
    // 100.00 a year: four months of 8.34, then eight of 8.33.
    edition.services.insert("logging".into(), MonthlyAmount::Year { minor: 10_000 });
    let book = book_in("EUR", "Europe/Berlin", vec![edition]);
    for (period, hours, fee) in [("2026-10", 745, "8.33"), ("2026-03", 743, "8.34"), ("2026-02", 672, "8.34")]
    {
        let rated = month(&book, period);
        assert_eq!(rated.len(), hours, "{period}");
        let sum = |tenant: &str, kind: Kind| {
            Money::sum(rated.iter().map(|hour| charged(&hour.charges, tenant, kind, ""))).unwrap()
        };
        let both = ["a", "b"].map(|tenant| sum(tenant, Kind::SharedCost));
        assert_eq!(Money::sum(both), Ok(money("1000")), "{period}");
        assert_eq!(sum("a", Kind::ServiceFee), money(fee), "{period}");
    }
}

#[test]
fn a_lost_hour_still_carries_fees_and_fixed_amounts_and_amounts_for_nodes_are_unassigned() {
    let mut edition = edition();
    edition.shared_costs.push(fixed("licence", "744", defray_pricing::book::Policy::Even));
    edition.services.insert("logging".into(), per_month("74.4"));
    edition
        .pools
        .push(PoolPrice { nodes: Some(NodeCost::PerMonth(per_month("1488"))), ..cost_pool("default", "0") });
    edition.clusters.push(ClusterPrice {
        cluster: CLUSTER.into(),
        amount: per_month("2232"),
        weights: weights("1", "1"),
        basis: Basis::Max,
    });
    let rated = &month(&book(edition), "2026-10")[0];
    assert_eq!(charged(&rated.charges, "a", Kind::SharedCost, "licence"), money("0.5"));
    assert_eq!(charged(&rated.charges, "a", Kind::ServiceFee, "logging"), money("0.1"));
    assert_eq!(charged(&rated.charges, "__unassigned__", Kind::Idle, "default"), money("2"));
    assert_eq!(charged(&rated.charges, "__unassigned__", Kind::Idle, "(cluster)"), money("3"));
}

#[test]
fn a_cluster_amount_pays_for_the_pools_without_a_price_dedicated_ones_too() {
    let edition = Edition {
        pools: vec![rate_pool("rated", "0", "0")],
        clusters: vec![ClusterPrice {
            cluster: CLUSTER.into(),
            amount: per_month("744"),
            weights: weights("1", "0"),
            basis: Basis::Max,
        }],
        ..edition()
    };
    let mut owners = tenants();
    owners.dedicated.insert((CLUSTER.into(), "b-pool".into()), "b".into());
    let mut usage = usage(at());
    usage.nodes.push(nodes("b-pool", "1", "6", "0"));
    usage.nodes.push(nodes("default", "1", "2", "0"));
    usage.nodes.push(nodes("rated", "1", "100", "0"));
    usage.compute.push(row("ns-a", "default", ("1", "0"), ("0", "0")));
    let rated = rated(&book(edition), &owners, &usage);
    assert_eq!(charged(&rated.charges, "b", Kind::DedicatedPool, "node"), money("0.75"));
    assert_eq!(charged(&rated.charges, "a", Kind::Compute, "cpu"), money("0.125"));
    assert_eq!(charged(&rated.charges, "a", Kind::Idle, "default"), money("0.125"));
    let dedicated = rated.charges.iter().find(|charge| charge.key.kind == Kind::DedicatedPool).unwrap();
    assert_eq!(dedicated.key.unit_price, None, "an amount has no list price");
}

#[test]
fn a_rate_pool_reports_what_its_nodes_cost() {
    let nodes_cost = Some(NodeCost::PerNodeHour(price("0.5")));
    let book = with_pools(vec![PoolPrice { nodes: nodes_cost, ..rate_pool("default", "0.1", "0") }]);
    let mut usage = usage(at());
    usage.nodes.push(nodes("default", "2", "8", "0"));
    usage.compute.push(row("ns-a", "default", ("3", "0"), ("0", "0")));
    let rated = rated(&book, &tenants(), &usage);
    let pool = rated.control.pools.values().next().unwrap();
    assert_eq!((pool.rated, pool.rated_nodes), (money("0.3"), money("1")));
}

#[test]
fn what_cannot_be_rated_is_refused() {
    let mut late = edition();
    late.effective_from = hour("2027-01-01T00:00:00Z");
    assert_eq!(rate_hour(&book(late), &tenants(), &[]), Err(RatingError::NoBook(at())));
    let wrong = RatingError::WrongHour { wanted: at(), found: at().next() };
    assert_eq!(rate_hour(&book(edition()), &tenants(), &[usage(at().next())]), Err(wrong));
    let twice = RatingError::HourTwice { cluster: CLUSTER.into(), hour: at() };
    assert_eq!(rate_hour(&book(edition()), &tenants(), &[usage(at()), usage(at())]), Err(twice));
    let mut usage = usage(at());
    usage.storage.push(volume("ns-a", "fast", "9000000000000"));
    let mut priced = edition();
    priced.storage.push(metered("*", MeteredRate::PerUnit(price("99999999999999999"))));
    assert!(matches!(rate_hour(&book(priced), &tenants(), &[usage]), Err(RatingError::Overflow(_))));
}
