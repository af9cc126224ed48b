//! Things to put into a ledger.

use std::collections::BTreeMap;

use chrono::Utc;
use defray_ledger::{ChargeDay, Coverage, MonthRecord, RecordedHour};
use defray_pricing::charge::{Charge, Kind, LineKey};
use defray_pricing::digest::Digest;
use defray_pricing::names::{ClusterName, Namespace, PriceClass, VirtualNamespace};
use defray_pricing::quantity::{Quantity, Unit};
use defray_pricing::rating::{Control, PoolControl};
use defray_pricing::statement::{Converted, Line, PeriodStatements, Reporting, Statement};
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::{
    ComputeRow, LoadBalancerRow, Minutes, NetworkRow, NodeRow, QuotaRow, Source, StorageRow, UsageHour,
};

use super::{day, time};

pub(crate) fn hour(text: &str) -> Hour {
    text.parse().unwrap()
}

pub(crate) fn first() -> Hour {
    hour("2026-10-01T00:00:00Z")
}

pub(crate) fn all() -> HourRange {
    HourRange { from: Hour::from_index(0), until: Hour::from_index(1_000_000) }
}

pub(crate) fn cluster() -> ClusterName {
    ClusterName::from("prod-1")
}

pub(crate) fn class(pool: &str) -> PriceClass {
    PriceClass { pool: pool.into(), instance_type: "m5.large".into(), capacity_type: "".into() }
}

fn q(micros: i64) -> Quantity {
    Quantity::from_micros(micros)
}

/// An hour with rows of every kind; `seed` makes its numbers its own.
pub(crate) fn usage(cluster: &ClusterName, at: Hour, seed: i64) -> UsageHour {
    let mut usage = UsageHour::empty(cluster.clone(), at);
    for n in 0..5 {
        let namespace = Namespace::from(format!("vcluster-team-{n}"));
        let inside = (n % 2 == 0).then(|| VirtualNamespace::from("shop"));
        let mut row = ComputeRow::zero(namespace.clone(), inside.clone(), class("default"));
        row.cpu_request = q(seed + n);
        row.cpu_usage = q(2_000_000 + seed);
        row.cpu_max = q(2_500_000 + seed);
        row.memory_max = q(i64::MAX - n);
        if n == 3 {
            row.gpu_request = BTreeMap::from([("amd.com/gpu".into(), q(7)), ("nvidia.com/gpu".into(), q(8))]);
        }
        usage.compute.push(row);
        usage.storage.push(StorageRow {
            namespace: namespace.clone(),
            virtual_namespace: inside.clone(),
            class: "ssd".into(),
            capacity: q(10_000_000),
        });
        usage.network.push(NetworkRow {
            namespace: namespace.clone(),
            virtual_namespace: inside.clone(),
            class: "internet".into(),
            egress: q(n),
        });
        usage.quotas.push(QuotaRow { namespace, cpu: (n > 1).then(|| q(4)), memory: None });
    }
    usage.load_balancers.push(LoadBalancerRow {
        namespace: "ingress".into(),
        virtual_namespace: None,
        hours: q(1_000_000),
    });
    for pool in ["default", "gpu"] {
        usage.nodes.push(NodeRow {
            class: class(pool),
            node_hours: q(2_000_000),
            cpu_capacity: q(8_000_000),
            memory_capacity: q(32_000_000),
            gpu_capacity: BTreeMap::from([("nvidia.com/gpu".into(), q(1))]),
        });
    }
    usage.coverage = BTreeMap::from([
        (Source::Cadvisor, Minutes::new(59).unwrap()),
        (Source::KubeStateMetrics, Minutes::FULL),
    ]);
    usage.canonicalise();
    usage
}

pub(crate) fn recorded(at: Hour, seed: i64) -> RecordedHour {
    RecordedHour { usage: usage(&cluster(), at, seed), measured_at: at.end() + chrono::TimeDelta::minutes(5) }
}

pub(crate) fn key(tenant: &str, kind: Kind, item: &str) -> LineKey {
    LineKey {
        cost_center: format!("CC-{tenant}").as_str().into(),
        tenant: tenant.into(),
        cluster: (kind != Kind::Term).then(cluster),
        virtual_namespace: (item == "cpu").then(|| "shop".into()),
        kind,
        class: (kind == Kind::Compute).then(|| class("default")),
        item: item.to_owned(),
        unit_price: (kind == Kind::Compute).then(|| "0.030000000001".parse().unwrap()),
    }
}

/// Two tenants, with and without quantities, one attos-exact amount and one credit.
pub(crate) fn charges(seed: i64) -> Vec<Charge> {
    let mut charges = Vec::new();
    for tenant in ["team-a", "team-b"] {
        charges.push(Charge {
            key: key(tenant, Kind::Compute, "cpu"),
            namespace: Some(format!("vcluster-{tenant}").as_str().into()),
            quantity: Some((q(1_000_000 + seed), Unit::CoreHours)),
            amount: "0.030000000001000001".parse().unwrap(),
        });
        charges.push(Charge {
            key: key(tenant, Kind::Idle, "default"),
            namespace: None,
            quantity: None,
            amount: "-12345678901.000000001".parse().unwrap(),
        });
    }
    charges.sort_by(|a, b| (&a.key, &a.namespace).cmp(&(&b.key, &b.namespace)));
    charges
}

pub(crate) fn charge_day(date: &str, inputs: &str, seed: i64) -> ChargeDay {
    let date = day(date);
    let from = Hour::containing(date.and_hms_opt(0, 0, 0).unwrap().and_local_timezone(Utc).unwrap());
    ChargeDay {
        day: date,
        period: defray_pricing::time::Period::of_date(date),
        inputs: Digest::of(inputs.as_bytes()),
        hours: vec![(from, charges(seed)), (from.next(), Vec::new()), (from.next().next(), charges(seed))],
        whole_hours: 2,
        control: control(seed),
    }
}

/// A pool of a cluster, an amount of none, and every total.
pub(crate) fn control(seed: i64) -> Control {
    let money = |text: &str| text.parse().unwrap();
    let pool = PoolControl {
        paid: money("95000.000000001"),
        recovered: money("90000.000000001"),
        idle: money("5000"),
        rated: money("0.030000000001000001"),
        rated_nodes: money("12345678901.5"),
        uncosted: q(seed),
    };
    let amount = PoolControl { paid: money("1"), idle: money("1"), ..PoolControl::default() };
    Control {
        pools: BTreeMap::from([
            ((Some(cluster()), "default".to_owned()), pool),
            ((None, "burst*".to_owned()), amount),
        ]),
        metered: money("3.000000000000000001"),
        fixed: money("12"),
        service_fees: money("40.5"),
        cut: money("-0.0000000005"),
    }
}

/// A currency with a rate, another without.
fn reporting(has_rate: bool) -> Reporting {
    let (rate, amount) = ("163.52".parse().unwrap(), "3650".parse().unwrap());
    if has_rate {
        Reporting { currency: "JPY".parse().unwrap(), converted: Some(Converted { rate, amount }) }
    } else {
        Reporting { currency: "KWD".parse().unwrap(), converted: None }
    }
}

pub(crate) fn month(period: &str, inputs: &str, euros: i128) -> MonthRecord {
    let statements: Vec<Statement> = ["team-a", "team-b"]
        .into_iter()
        .map(|tenant| {
            let amount = defray_pricing::money::Money::from_minor(euros * 100, 2).unwrap();
            let line = Line {
                key: key(tenant, Kind::Compute, "cpu"),
                quantity: Some((q(744_000_000), Unit::CoreHours)),
                unit_price: Some("0.03".parse().unwrap()),
                exact: "22.320000000744".parse().unwrap(),
                rounding: "-0.000000000744".parse().unwrap(),
                amount,
                reporting: (tenant == "team-a").then(|| "3650".parse().unwrap()),
            };
            let other = Line {
                key: key(tenant, Kind::Idle, "default"),
                quantity: None,
                unit_price: None,
                exact: "-0.000000001".parse().unwrap(),
                rounding: "0.000000001".parse().unwrap(),
                amount: "0".parse().unwrap(),
                reporting: (tenant == "team-a").then(|| "0".parse().unwrap()),
            };
            Statement {
                cost_center: format!("CC-{tenant}").as_str().into(),
                tenant: tenant.into(),
                exact: "22.320000000743".parse().unwrap(),
                lines: vec![line, other],
                amount,
                reporting: Some(reporting(tenant == "team-a")),
            }
        })
        .collect();
    let amount =
        defray_pricing::money::Money::sum(statements.iter().map(|statement| statement.amount)).unwrap();
    MonthRecord {
        statements: PeriodStatements {
            period: period.parse().unwrap(),
            currency: "EUR".parse().unwrap(),
            statements,
            amount,
            month_level: vec![Charge {
                key: key("team-b", Kind::Term, "discount"),
                namespace: None,
                quantity: None,
                amount: "-1.5".parse().unwrap(),
            }],
        },
        inputs: Digest::of(inputs.as_bytes()),
        coverage: BTreeMap::from([(cluster(), Coverage { minutes: 44_000, of: 44_640 })]),
        hours_missing: 3,
        hours_lost: 2,
        book_digest: Digest::of(b"book"),
        book_versions: vec!["2026-10.1".to_owned(), "2026-10.2".to_owned()],
        control: Some(control(euros.try_into().unwrap())),
    }
}

pub(crate) fn now() -> chrono::DateTime<Utc> {
    time("2026-10-20T12:00:00Z")
}

/// A day whose charges add up to what was paid for.
pub(crate) fn sound_day(date: &str, inputs: &str, seed: i64) -> ChargeDay {
    let mut day = charge_day(date, inputs, seed);
    let amounts = day.hours.iter().flat_map(|(_, charges)| charges).map(|charge| charge.amount);
    let metered = defray_pricing::money::Money::sum(amounts).unwrap();
    day.control = Control { metered, ..Control::default() };
    day.control.pools.insert((None, "burst*".to_owned()), PoolControl::default());
    day
}

/// A month whose lines are what they say they are.
pub(crate) fn sound_month(period: &str, inputs: &str) -> MonthRecord {
    let mut month = month(period, inputs, 22);
    for statement in &mut month.statements.statements {
        for line in &mut statement.lines {
            line.amount = line.exact.checked_add(line.rounding).unwrap();
        }
        let sum = |of: fn(&Line) -> defray_pricing::money::Money| {
            defray_pricing::money::Money::sum(statement.lines.iter().map(of)).unwrap()
        };
        (statement.exact, statement.amount) = (sum(|line| line.exact), sum(|line| line.amount));
    }
    let amounts = month.statements.statements.iter().map(|statement| statement.amount);
    month.statements.amount = defray_pricing::money::Money::sum(amounts).unwrap();
    month
}
