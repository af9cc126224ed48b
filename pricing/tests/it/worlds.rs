//! Random clusters, books and owners: small, but with every rule in reach.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use defray_pricing::book::{
    Adjustment, AdjustmentOn, Band, BandRate, Base, Basis, ClusterPrice, Edition, MeteredRate, Model,
    MonthlyAmount, NodeCost, Override, Policy, PoolPrice, PriceBook, SharedCost, SharedWhat, Terms, Tier,
    Weights,
};
use defray_pricing::charge::{Charge, Kind, LineKey};
use defray_pricing::money::{Money, UnitPrice};
use defray_pricing::names::{CostCenter, PriceClass, TenantName};
use defray_pricing::ownership::{NamespaceState, Owners, TenantState};
use defray_pricing::quantity::{Quantity, Unit};
use defray_pricing::time::{BillingZone, Hour, HourRange};
use defray_pricing::usage::{ComputeRow, NodeRow, StorageRow, UsageHour};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::fixture::{book_in, edition, load_balancer, metered, pattern, quota, shared_namespaces, traffic};

pub(crate) const GPU: &str = "nvidia.com/gpu";
const TENANTS: [&str; 4] = ["ant", "bee", "cat", "dog"];
const CLUSTERS: [&str; 2] = ["east", "west"];
const POOLS: [&str; 4] = ["one", "two", "three", "four"];
const NAMESPACES: [&str; 7] = ["ns-0", "ns-1", "ns-2", "ns-3", "ns-4", "kube-dns", "kube-system"];

/// Everything that one hour is rated from.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) book: PriceBook,
    pub(crate) owners: Owners,
    pub(crate) usage: Vec<UsageHour>,
}

fn micros(limit: i64) -> impl Strategy<Value = Quantity> {
    prop_oneof![1 => Just(0), 4 => 1..limit, 2 => (1..9_i64).prop_map(|n| n * 250_000)]
        .prop_map(Quantity::from_micros)
}

fn unit_price() -> impl Strategy<Value = UnitPrice> {
    prop_oneof![1 => Just(0), 4 => 1..3_000_000_000_i128, 2 => (1..9_i128).prop_map(|n| n * 50_000_000)]
        .prop_map(|nanos| UnitPrice::from_picos(nanos * 1000))
}

fn weights() -> impl Strategy<Value = Weights> {
    (0..40_000_000_u64, 0..10_000_000_u64, 0..3_u64).prop_map(|(cpu, memory, gpu)| Weights {
        cpu,
        memory,
        gpu: BTreeMap::from([(GPU.to_owned(), gpu * 700_000_000)]),
    })
}

fn amount() -> impl Strategy<Value = MonthlyAmount> {
    prop_oneof![
        (0..9_000_000_000_000_i128).prop_map(|nanos| MonthlyAmount::Month { nanos }),
        (0..2_000_000_i128).prop_map(|minor| MonthlyAmount::Year { minor }),
    ]
}

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::Even),
        prop_oneof![Just(Base::DirectCost), Just(Base::Cpu), Just(Base::Memory)]
            .prop_map(Policy::Proportional),
        btree_map(0..4_usize, 1..1_000_u64, 1..4).prop_map(|weights| {
            Policy::Weighted(weights.into_iter().map(|(t, w)| (TENANTS[t].into(), w)).collect())
        }),
        option::of(Just(CostCenter::from("CC-KEEP"))).prop_map(Policy::Keep),
    ]
}

fn model() -> impl Strategy<Value = Model> {
    let rate = (option::weighted(0.9, unit_price()), option::weighted(0.9, unit_price()), unit_price());
    prop_oneof![
        3 => weights().prop_map(|weights| Model::Cost { weights }),
        2 => rate.prop_map(|(cpu, memory, gpu)| {
            Model::Rate { cpu, memory, gpu: BTreeMap::from([(GPU.to_owned(), gpu)]) }
        }),
    ]
}

fn pool_price() -> impl Strategy<Value = PoolPrice> {
    let nodes = option::weighted(
        0.9,
        prop_oneof![2 => unit_price().prop_map(NodeCost::PerNodeHour), 1 => amount().prop_map(NodeCost::PerMonth)],
    );
    let basis = prop_oneof![Just(Basis::Request), Just(Basis::Usage), Just(Basis::Max), Just(Basis::Quota)];
    let pool = prop_oneof![3 => (0..POOLS.len()).prop_map(|n| POOLS[n]), 1 => Just("t*")];
    let kind = prop_oneof![3 => Just("*"), 1 => Just("m5")];
    let cluster = prop_oneof![3 => Just("*"), 1 => Just("east")];
    (pool, kind, cluster, nodes, model(), basis).prop_map(|(pool, kind, cluster, nodes, model, basis)| {
        // Without weights an amount per month cannot be split: the reader of books refuses it.
        let nodes = nodes
            .filter(|nodes| matches!(model, Model::Cost { .. }) || matches!(nodes, NodeCost::PerNodeHour(_)));
        PoolPrice {
            pool: pattern(pool),
            instance_type: pattern(kind),
            capacity_type: pattern("*"),
            cluster: pattern(cluster),
            nodes,
            model,
            basis,
        }
    })
}

/// The labels of namespaces that are shared by label.
fn ingress() -> BTreeMap<String, String> {
    BTreeMap::from([("tier".to_owned(), "ingress".to_owned())])
}

pub(crate) fn an_edition() -> impl Strategy<Value = Edition> {
    let cluster = option::of((prop_oneof![Just("east"), Just("west")], amount(), weights()));
    let metered_prices = (vec(option::weighted(0.8, unit_price()), 3), any::<bool>());
    let shared = (policy(), policy(), amount(), any::<bool>());
    (vec(pool_price(), 0..5), cluster, metered_prices, shared, policy(), any::<bool>()).prop_map(
        |(pools, cluster, (metered_prices, monthly), (first, second, fixed, same), idle, platform)| {
            let rate = if monthly { MeteredRate::PerUnitMonth } else { MeteredRate::PerUnit };
            let [storage, network, balancer] = [0, 1, 2].map(|place| metered_prices[place]);
            let mut shared_costs = vec![
                shared_namespaces("dns", &["kube-dns"], first.clone()),
                SharedCost {
                    name: "licence".to_owned(),
                    what: SharedWhat::Fixed(fixed),
                    policy: second.clone(),
                },
                SharedCost {
                    name: "ingress".to_owned(),
                    what: SharedWhat::Namespaces { names: Vec::new(), labels: ingress() },
                    policy: second.clone(),
                },
            ];
            shared_costs.push(shared_namespaces("rest", &["kube-s*"], if same { first } else { second }));
            let clusters = cluster.into_iter().map(|(cluster, amount, weights)| ClusterPrice {
                cluster: cluster.into(),
                amount,
                weights,
                basis: Basis::Max,
            });
            Edition {
                platform_cost_center: platform.then(|| CostCenter::from("CC-P")),
                pools,
                clusters: clusters.collect(),
                storage: storage.map(|price| metered("fast", rate(price))).into_iter().collect(),
                network: network.map(|price| metered("*", MeteredRate::PerUnit(price))).into_iter().collect(),
                load_balancer: balancer.map(rate),
                services: BTreeMap::from([("logging".into(), fixed)]),
                shared_costs,
                idle,
                ..edition()
            }
        },
    )
}

fn class(pool: usize, variant: bool) -> PriceClass {
    let kind = if variant { "m5" } else { "r5" };
    PriceClass { pool: POOLS[pool].into(), instance_type: kind.into(), capacity_type: "spot".into() }
}

fn compute() -> impl Strategy<Value = Vec<ComputeRow>> {
    let key = (0..NAMESPACES.len(), option::of(0..2_u8), 0..POOLS.len(), any::<bool>());
    let cpu = (micros(4_000_000), micros(4_000_000), micros(1_000_000));
    let memory = (micros(9_000_000), micros(9_000_000), micros(1_000_000));
    btree_map(key, (cpu, memory, micros(2_000_000)), 0..9).prop_map(|rows| {
        let rows = rows.into_iter().map(|((namespace, inner, pool, variant), (cpu, memory, gpu))| {
            let inner = inner.map(|n| format!("v{n}").into());
            ComputeRow {
                cpu_request: cpu.0,
                cpu_usage: cpu.1,
                cpu_max: cpu.0.max(cpu.1).checked_add(cpu.2).unwrap(),
                memory_request: memory.0,
                memory_usage: memory.1,
                memory_max: memory.0.max(memory.1).checked_add(memory.2).unwrap(),
                gpu_request: BTreeMap::from([(GPU.to_owned(), gpu)]),
                ..ComputeRow::zero(NAMESPACES[namespace].into(), inner, class(pool, variant))
            }
        });
        rows.collect()
    })
}

fn nodes() -> impl Strategy<Value = Vec<NodeRow>> {
    let sizes = (micros(5_000_000), micros(9_000_000), micros(20_000_000), micros(3_000_000));
    btree_map((0..POOLS.len(), any::<bool>()), sizes, 0..6).prop_map(|rows| {
        let rows = rows.into_iter().map(|((pool, variant), (node_hours, cpu, memory, gpu))| NodeRow {
            class: class(pool, variant),
            node_hours,
            cpu_capacity: cpu,
            memory_capacity: memory,
            gpu_capacity: BTreeMap::from([(GPU.to_owned(), gpu)]),
        });
        rows.collect()
    })
}

pub(crate) fn usage(cluster: usize) -> impl Strategy<Value = UsageHour> {
    let storage = btree_map((0..NAMESPACES.len(), any::<bool>()), micros(90_000_000), 0..4);
    let network = btree_map(0..NAMESPACES.len(), micros(90_000_000), 0..3);
    let balancers = btree_map(0..NAMESPACES.len(), micros(3_000_000), 0..3);
    let quotas = btree_map(0..NAMESPACES.len(), (option::of(0..9_u8), option::of(0..9_u8)), 0..3);
    (compute(), nodes(), storage, network, balancers, quotas).prop_map(
        move |(compute, nodes, storage, network, balancers, quotas)| {
            let mut usage = UsageHour::empty(CLUSTERS[cluster].into(), Hour::from_index(0));
            usage.compute = compute;
            usage.nodes = nodes;
            usage.storage.extend(storage.into_iter().map(|((namespace, fast), capacity)| StorageRow {
                namespace: NAMESPACES[namespace].into(),
                virtual_namespace: None,
                class: if fast { "fast" } else { "slow" }.into(),
                capacity,
            }));
            for (namespace, egress) in network {
                usage.network.push(traffic(NAMESPACES[namespace], "all", &egress.to_string()));
            }
            for (namespace, hours) in balancers {
                usage.load_balancers.push(load_balancer(NAMESPACES[namespace], &hours.to_string()));
            }
            for (namespace, (cpu, memory)) in quotas {
                let text = |n: Option<u8>| n.map(|n| n.to_string());
                let (cpu, memory) = (text(cpu), text(memory));
                usage.quotas.push(quota(NAMESPACES[namespace], cpu.as_deref(), memory.as_deref()));
            }
            usage.canonicalise();
            usage
        },
    )
}

pub(crate) fn owned(hour: Hour) -> impl Strategy<Value = Owners> {
    let tenant = (0..2_usize, 0..TENANTS.len());
    let tenants = btree_map(tenant, (0..3_u8, any::<bool>()), 0..6);
    let owner = (option::weighted(0.7, 0..TENANTS.len()), prop::bool::weighted(0.2));
    let namespaces = btree_map((0..2_usize, 0..NAMESPACES.len()), owner, 0..12);
    let dedicated = btree_map((0..2_usize, 0..POOLS.len()), option::weighted(0.8, 0..TENANTS.len()), 0..3);
    (tenants, namespaces, dedicated).prop_map(move |(tenants, namespaces, dedicated)| {
        let mut owners = crate::fixture::owners(hour);
        for ((cluster, tenant), (cost_center, logging)) in tenants {
            let state = TenantState {
                cost_center: CostCenter::from(format!("CC-{cost_center}")),
                services: logging.then(|| "logging".into()).into_iter().collect(),
            };
            owners.tenants.insert((CLUSTERS[cluster].into(), TENANTS[tenant].into()), state);
        }
        let known = |owners: &Owners, tenant: Option<usize>| {
            let tenant = TenantName::from(TENANTS[tenant?]);
            owners.tenants.keys().any(|(_, name)| *name == tenant).then_some(tenant)
        };
        for ((cluster, namespace), (tenant, labelled)) in namespaces {
            let labels = if labelled { ingress() } else { BTreeMap::new() };
            let state = NamespaceState { tenant: known(&owners, tenant), labels };
            owners.namespaces.insert((CLUSTERS[cluster].into(), NAMESPACES[namespace].into()), state);
        }
        for ((cluster, pool), tenant) in dedicated {
            let tenant = known(&owners, tenant).unwrap_or_else(TenantName::unassigned);
            owners.dedicated.insert((CLUSTERS[cluster].into(), POOLS[pool].into()), tenant);
        }
        owners
    })
}

/// An hour of October 2026 in Berlin, in a currency of 0, 2 or 3 decimals.
pub(crate) fn world() -> impl Strategy<Value = World> {
    let hour = 0..745_i64;
    let currency = prop_oneof![Just("EUR"), Just("JPY"), Just("KWD")];
    (an_edition(), hour, currency, vec(any::<bool>(), 2), usage(0), usage(1)).prop_flat_map(
        |(edition, index, currency, lost, east, west)| {
            let book = book_in(currency, "Europe/Berlin", vec![edition]);
            let first = berlin_october().from.index();
            let hour = Hour::from_index(first + index);
            owned(hour).prop_map(move |owners| {
                let measured = [&east, &west].into_iter().zip(&lost).filter(|(_, lost)| !**lost);
                let usage = measured.map(|(usage, _)| UsageHour { hour, ..usage.clone() }).collect();
                World { book: book.clone(), owners, usage }
            })
        },
    )
}

/// Owners of some hours of the same month, in no order: who existed while nothing was charged.
pub(crate) fn other_hours() -> impl Strategy<Value = Vec<Owners>> {
    let first = berlin_october().from.index();
    btree_map(0..745_i64, owned(Hour::from_index(0)), 0..6).prop_map(move |hours| {
        let hours = hours.into_iter().rev();
        hours.map(|(index, owners)| Owners { hour: Hour::from_index(first + index), ..owners }).collect()
    })
}

fn berlin_october() -> HourRange {
    let zone = BillingZone::new("Europe/Berlin").unwrap();
    zone.hours("2026-10".parse().unwrap())
}

fn percentage() -> impl Strategy<Value = i64> {
    prop_oneof![1 => Just(-1_000_000_000), 6 => -900_000_000..900_000_000_i64]
}

/// Bands in ascending order, from close to nothing to more than most worlds use.
fn bands() -> impl Strategy<Value = Vec<Band>> {
    let rate = prop_oneof![
        2 => percentage().prop_map(BandRate::Percentage),
        1 => unit_price().prop_map(|price| BandRate::Price(MeteredRate::PerUnit(price))),
        1 => unit_price().prop_map(|price| BandRate::Price(MeteredRate::PerUnitMonth(price))),
    ];
    let above = prop_oneof![1..2_000_000_i64, (1..60_i64).prop_map(|n| n * 250_000)];
    btree_map(above, rate, 1..4).prop_map(|bands| {
        let band = |(above, rate)| Band { above: Quantity::from_micros(above), rate };
        bands.into_iter().map(band).collect()
    })
}

fn tiers() -> impl Strategy<Value = Vec<Tier>> {
    const COUNTED: [(Kind, &str); 5] = [
        (Kind::Compute, "cpu"),
        (Kind::Compute, "memory"),
        (Kind::Compute, GPU),
        (Kind::Storage, "f*"),
        (Kind::Network, "*"),
    ];
    btree_map(0..COUNTED.len(), bands(), 0..=COUNTED.len()).prop_map(|tiers| {
        let tier = |(n, bands): (usize, _)| Tier { kind: COUNTED[n].0, item: pattern(COUNTED[n].1), bands };
        tiers.into_iter().map(tier).collect()
    })
}

/// Terms for the cost centres that worlds use.
pub(crate) fn terms() -> impl Strategy<Value = BTreeMap<CostCenter, Terms>> {
    let kind = prop_oneof![Just(Kind::Compute), Just(Kind::Storage), Just(Kind::Network)];
    let overrides = vec(
        (kind, prop_oneof![Just("*"), Just("cpu"), Just("fast")], unit_price()).prop_map(
            |(kind, item, price)| Override {
                kind,
                pool: pattern("*"),
                item: pattern(item),
                rate: MeteredRate::PerUnit(price),
            },
        ),
        0..3,
    );
    let kinds = prop_oneof![
        Just(vec![]),
        Just(vec![Kind::Compute]),
        Just(vec![Kind::Storage, Kind::Idle, Kind::SharedCost]),
    ];
    let one = (overrides, tiers(), percentage(), kinds, option::of(amount())).prop_map(
        |(overrides, tiers, percentage, kinds, minimum_fee)| Terms {
            overrides,
            tiers,
            percentage,
            percentage_kinds: kinds.into_iter().collect(),
            minimum_fee,
            reporting_currency: None,
        },
    );
    btree_map(0..3_u8, one, 0..=3)
        .prop_map(|terms| terms.into_iter().map(|(n, t)| (CostCenter::from(format!("CC-{n}")), t)).collect())
}

/// Charges as a month may have them, in no order: most on cost centres that may have terms.
pub(crate) fn charges() -> impl Strategy<Value = Vec<Charge>> {
    const KINDS: [(Kind, &str); 11] = [
        (Kind::Compute, "cpu"),
        (Kind::Compute, "memory"),
        (Kind::Compute, GPU),
        (Kind::DedicatedPool, "node"),
        (Kind::Storage, "fast"),
        (Kind::Storage, "slow"),
        (Kind::Network, "all"),
        (Kind::LoadBalancer, "load_balancer"),
        (Kind::ServiceFee, "logging"),
        (Kind::SharedCost, "licence"),
        (Kind::Idle, "one"),
    ];
    let tenant = prop_oneof![
        8 => (0..TENANTS.len()).prop_map(|n| TenantName::from(TENANTS[n])),
        1 => Just(TenantName::platform()),
        1 => Just(TenantName::unassigned()),
    ];
    let cost_center = (0..4_u8).prop_map(|n| CostCenter::from(format!("CC-{n}")));
    let amount = (micros(30_000_000), unit_price(), any::<bool>(), 0..9_000_000_000_000_000_000_i128);
    let one = (cost_center, tenant, 0..KINDS.len(), 0..POOLS.len(), amount);
    let one = one.prop_map(|(cost_center, tenant, n, pool, (quantity, price, listed, attos))| {
        let (kind, item) = KINDS[n];
        let listed = listed && kind.is_direct();
        let amount = if listed { price.times(quantity).unwrap() } else { Money::from_attos(attos) };
        let key = LineKey {
            cost_center,
            tenant,
            cluster: Some(CLUSTERS[pool % 2].into()),
            virtual_namespace: None,
            kind,
            class: matches!(kind, Kind::Compute | Kind::DedicatedPool).then(|| class(pool, true)),
            item: item.to_owned(),
            unit_price: listed.then_some(price),
        };
        let quantity = kind.is_direct().then_some((quantity, Unit::CoreHours));
        Charge { key, namespace: None, quantity, amount }
    });
    vec(one, 0..24)
}

/// Adjustments in and around October, for tenants and cost centres that exist and that do not.
pub(crate) fn adjustments() -> impl Strategy<Value = Vec<Adjustment>> {
    const COST_CENTERS: [&str; 5] = ["CC-0", "CC-1", "CC-2", "CC-KEEP", "CC-NOBODY"];
    let on = prop_oneof![
        (0..TENANTS.len()).prop_map(|n| AdjustmentOn::Tenant(TENANTS[n].into())),
        Just(AdjustmentOn::Tenant("nobody".into())),
        (0..COST_CENTERS.len()).prop_map(|n| AdjustmentOn::CostCenter(COST_CENTERS[n].into())),
    ];
    let minor = prop_oneof![-30_000..0_i128, 1..30_000_i128];
    vec((0..34_u64, on, minor), 0..5).prop_map(|entries| {
        let before = NaiveDate::from_ymd_opt(2026, 9, 29).unwrap();
        let one = |(index, (days, on, minor)): (usize, (u64, AdjustmentOn, i128))| Adjustment {
            date: before.checked_add_days(chrono::Days::new(days)).unwrap(),
            reference: format!("CN-{index}"),
            reason: "agreed".to_owned(),
            on,
            // Whole in every currency of the worlds.
            amount: Money::from_minor(minor, 0).unwrap(),
        };
        entries.into_iter().enumerate().map(one).collect()
    })
}
