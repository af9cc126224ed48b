//! From a timeline and measured hours to the statements of a month.

use chrono::{DateTime, Utc};
use defray_pricing::book::{Base, Policy, PriceBook};
use defray_pricing::charge::Kind;
use defray_pricing::invariants::{check_hour, check_period};
use defray_pricing::money::Money;
use defray_pricing::ownership::{
    NamePattern, NamespaceFact, Origin, OwnershipIndex, Span, TenancyRules, TenantFact, Timeline,
};
use defray_pricing::rating::rate;
use defray_pricing::statement::{Month, MonthFacts, PeriodStatements};
use defray_pricing::time::Hour;
use defray_pricing::usage::UsageHour;

use crate::fixture::*;

const START: &str = "2026-10-01T00:00:00Z";

fn span<T>(uid: &str, from: &str, until: Option<&str>, fact: T) -> Span<T> {
    let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    Span {
        cluster: CLUSTER.into(),
        uid: uid.into(),
        from: instant(from),
        until: until.map(instant),
        origin: Origin::Observed,
        fact,
    }
}

fn tenant(team: &str, cost_center: &str) -> TenantFact {
    TenantFact {
        name: team.to_owned(),
        team: team.into(),
        cost_center: cost_center.into(),
        owner_email: String::new(),
        ad_group: None,
        services: ["logging".into()].into(),
        node_pool_size: None,
        node_pool_instance_type: None,
        malformed: None,
    }
}

fn namespace(name: &str) -> NamespaceFact {
    NamespaceFact { name: name.into(), labels: [].into(), annotations: [].into() }
}

/// Tenant `mover` changes its cost centre on the 15th at 06:20, tenant `gone` is deleted on the 12th at
/// 10:10, tenant `stays` does nothing of the kind.
fn timeline() -> Timeline {
    let mut timeline = Timeline::default();
    let (moved, gone) = ("2026-10-15T06:20:00Z", "2026-10-12T10:10:00Z");
    timeline.tenants = vec![
        span("1", START, Some(moved), tenant("mover", "CC-OLD")),
        span("1", moved, None, tenant("mover", "CC-NEW")),
        span("2", START, Some(gone), tenant("gone", "CC-GONE")),
        span("3", START, None, tenant("stays", "CC-STAYS")),
    ];
    timeline.namespaces = vec![
        span("n1", START, None, namespace("vcluster-mover")),
        span("n2", START, Some(gone), namespace("vcluster-gone")),
        span("n3", START, None, namespace("vcluster-stays")),
    ];
    timeline
}

/// One core each on a pool of 10 cores at 1 EUR an hour; `gone` is seen until 10:10 on the 12th.
fn measured(hour: Hour, gone: Hour) -> UsageHour {
    let mut usage = usage(hour);
    usage.nodes.push(nodes("default", "1", "10", "0"));
    for name in ["vcluster-gone", "vcluster-mover", "vcluster-stays"] {
        let cores = if name == "vcluster-gone" && hour == gone { "0.166667" } else { "1" };
        if name != "vcluster-gone" || hour <= gone {
            usage.compute.push(row(name, "default", (cores, "0"), ("0", "0")));
        }
    }
    usage
}

fn month(book: &PriceBook) -> PeriodStatements {
    let pattern = NamePattern { prefix: "vcluster-".to_owned(), suffix: String::new() };
    let rules = TenancyRules { namespace_pattern: Some(pattern), ..TenancyRules::default() };
    let timeline = timeline();
    let owners = OwnershipIndex::new(&timeline, &rules);
    let period = "2026-10".parse().unwrap();
    let mut month = Month::new(book, period);
    let mut facts = MonthFacts::new(book.zone);
    let mut exact = Money::ZERO;
    for hour in book.zone.hours(period).iter() {
        let usage = measured(hour, "2026-10-12T10:00:00Z".parse().unwrap());
        let owners = owners.at(hour);
        facts.add(&owners);
        let rated = rate(book, &owners, &[usage]).unwrap();
        assert_eq!(check_hour(&rated), Ok(()));
        exact = exact.checked_add(rated.control.total().unwrap()).unwrap();
        for charge in rated.charges {
            month.add(charge).unwrap();
        }
    }
    let statements = month.finish(&facts).unwrap();
    assert_eq!(check_period(&statements, exact), Ok(()));
    statements
}

fn of(statements: &PeriodStatements, cost_center: &str, kind: Kind) -> (String, Money) {
    let statement = statements.statements.iter().find(|s| s.cost_center.as_str() == cost_center).unwrap();
    let lines: Vec<_> = statement.lines.iter().filter(|line| line.key.kind == kind).collect();
    let [line] = lines.as_slice() else { panic!("{lines:#?}") };
    (line.quantity.map_or_else(String::new, |(quantity, _)| quantity.to_string()), line.exact)
}

#[test]
fn a_cost_centre_changed_mid_month_splits_the_statement_at_that_hour_and_the_deleted_keep_their_charges() {
    let mut edition = edition();
    edition.pools.push(cost_pool("default", "1"));
    edition.idle = Policy::Keep(None);
    edition.services.insert("logging".into(), per_month("744"));
    let statements = month(&book(edition));
    // 14 days and 6 whole hours before the hour of the change; at its end the new one held.
    assert_eq!(of(&statements, "CC-OLD", Kind::ServiceFee), ("342.000000".to_owned(), money("342")));
    assert_eq!(of(&statements, "CC-NEW", Kind::ServiceFee), ("402.000000".to_owned(), money("402")));
    assert_eq!(of(&statements, "CC-OLD", Kind::Compute), ("342.000000".to_owned(), money("34.2")));
    assert_eq!(of(&statements, "CC-NEW", Kind::Compute), ("402.000000".to_owned(), money("40.2")));
    // Eleven days and ten hours, and ten minutes of the last one; the fee counts that hour.
    assert_eq!(of(&statements, "CC-GONE", Kind::ServiceFee), ("275.000000".to_owned(), money("275")));
    assert_eq!(of(&statements, "CC-GONE", Kind::Compute), ("274.166667".to_owned(), money("27.4166667")));
    // 744 hours at 1 EUR, less what was used.
    assert_eq!(of(&statements, "CC-PLATFORM", Kind::Idle), (String::new(), money("567.7833333")));
    assert_eq!(statements.amount, money("2507"), "744 for the nodes, 342 + 402 + 275 + 744 for the service");
}

#[test]
fn a_price_changed_mid_month_makes_two_lines_and_each_hour_takes_its_own_part() {
    let mut first = edition();
    first.pools.push(rate_pool("*", "1", "0"));
    first.shared_costs.push(fixed("licence", "744", Policy::Proportional(Base::Cpu)));
    let mut second = first.clone();
    second.effective_from = hour("2026-10-21T00:00:00Z");
    second.pools = vec![rate_pool("*", "2", "0")];
    second.shared_costs = vec![fixed("licence", "1488", Policy::Proportional(Base::Cpu))];
    let free = |edition: &mut defray_pricing::book::Edition| {
        edition.services.insert("logging".into(), per_month("0"));
    };
    free(&mut first);
    free(&mut second);
    let statements = month(&book_in("EUR", "UTC", vec![first, second]));
    let stays = statements.statements.iter().find(|s| s.tenant.as_str() == "stays").unwrap();
    let cpu: Vec<_> = stays.lines.iter().filter(|line| line.key.item == "cpu").collect();
    let shown: Vec<_> = cpu.iter().map(|line| (line.unit_price.unwrap(), line.exact)).collect();
    assert_eq!(shown, [(price("1"), money("480")), (price("2"), money("528"))]);
    let licence = |s: &defray_pricing::statement::Statement| {
        Money::sum(s.lines.iter().filter(|line| line.key.item == "licence").map(|line| line.exact)).unwrap()
    };
    let shared = Money::sum(statements.statements.iter().map(licence)).unwrap();
    assert_eq!(shared, money("1008"), "480 hours of 1 and 264 of 2");
}
