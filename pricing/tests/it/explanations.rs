//! An explanation adds up to the bill, each step by its own formula, and names nobody else.

use std::collections::BTreeMap;

use defray_pricing::book::{Base, MeteredRate, Override, Policy, PriceBook, Terms};
use defray_pricing::charge::{Charge, Kind};
use defray_pricing::explain::{
    ExplainError, Explained, Explanation, MonthReason, Reason, Recorder, ShareBy, Split, Step, explain,
};
use defray_pricing::money::Money;
use defray_pricing::names::{CostCenter, TenantName};
use defray_pricing::ownership::Owners;
use defray_pricing::rating::{rate, rate_traced};
use defray_pricing::statement::{MonthFacts, build_traced};
use defray_pricing::time::Hour;
use defray_pricing::usage::UsageHour;
use proptest::prelude::*;

use crate::fixture::{
    add_namespace, add_tenant, book, cost_pool, edition, hour, metered, money, nodes, owners, pattern,
    per_month, price, rate_pool, row, shared_namespaces, traffic, usage,
};
use crate::worlds::{World, terms, world};

/// The explanation of a tenant in a month of some hours.
fn explained(
    book: &PriceBook,
    hours: &[(Owners, Vec<UsageHour>)],
    tenant: &str,
    by_hour: bool,
) -> Result<Explanation, ExplainError> {
    let mut recorder = Recorder::new(book, tenant.into(), by_hour);
    let mut charges: Vec<Charge> = Vec::new();
    for (owners, usage) in hours {
        let traced = rate_traced(book, owners, usage, &mut recorder).unwrap();
        assert_eq!(traced, rate(book, owners, usage).unwrap(), "listening changes nothing");
        charges.extend(traced.charges);
    }
    let facts = MonthFacts::of(book.zone, hours.iter().map(|(owners, _)| owners));
    let statements = build_traced(book, book.zone.period_of(hours[0].0.hour), &facts, charges, &mut recorder);
    let statements = statements.unwrap();
    explain(recorder, &statements, |_| true)
}

/// What a calculator says of a step of one hour, within what is cut.
fn holds(step: &Step) {
    let nanos = |money: Money| money.to_nanos_half_even().unwrap();
    let near = |whole: Money, base: u128, bases: u128| {
        let (base, bases) = (i128::try_from(base).unwrap(), i128::try_from(bases).unwrap());
        let off = nanos(step.amount) * bases - nanos(whole) * base;
        assert!(off.abs() < bases, "{step:#?}");
    };
    let micros = |quantity: defray_pricing::quantity::Quantity| u128::try_from(quantity.micros()).unwrap();
    match &step.reason {
        Reason::Price { price, .. } => {
            assert_eq!(price.times(step.quantity.unwrap().0).unwrap(), step.amount, "{step:#?}");
        }
        Reason::NodeShare(share) => {
            let own = micros(step.quantity.unwrap().0);
            let (wanted, capacity) = (micros(share.wanted), micros(share.capacity));
            near(share.part, own, wanted.max(capacity));
            assert_eq!(share.scaled_hours == 1, wanted > capacity);
            assert!(own <= wanted && share.part <= share.cost, "{step:#?}");
        }
        Reason::Share(share) => near(share.whole, share.base, share.bases),
        Reason::NoPrice => assert_eq!(step.amount, Money::ZERO),
        Reason::Nodes { .. } | Reason::Fee { .. } | Reason::Kept { .. } | Reason::NoNodes => {}
    }
    assert_eq!(step.hours, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every line of every tenant, hour by hour; and day by day the same sums.
    #[test]
    fn steps_add_up_to_their_lines_and_follow_their_own_formula(world in world(), terms in terms(), hours in 1..5_i64) {
        let mut book = world.book.clone();
        book.editions[0].cost_centers = in_yen(terms);
        if book.currency.code() != "JPY" {
            let rate = [(book.zone.period_of(world.owners.hour), "163.520000007".parse().unwrap())];
            book.rates.insert("JPY".parse().unwrap(), rate.into());
        }
        let hours = repeated(&book, &world, hours);
        let tenants = hours.iter().flat_map(|(owners, _)| owners.tenants.keys().map(|(_, tenant)| tenant.clone()));
        let reserved = [TenantName::platform(), TenantName::unassigned()];
        for tenant in tenants.chain(reserved).collect::<std::collections::BTreeSet<_>>() {
            let by_hour = match explained(&book, &hours, tenant.as_str(), true) {
                Ok(explanation) => explanation,
                Err(ExplainError::NoStatement { .. }) => continue,
                Err(error) => panic!("{error}"),
            };
            let by_day = explained(&book, &hours, tenant.as_str(), false).unwrap();
            prop_assert_eq!(sums(&by_hour), sums(&by_day));
            by_hour.statements.iter().for_each(converted);
            let lines = by_hour.statements.iter().flat_map(|statement| &statement.lines);
            for line in lines {
                line.steps.iter().for_each(holds);
                let unit = Money::from_minor(1, book.currency.exponent()).unwrap();
                let rounded = line.rounding.floor.checked_add(line.rounding.remainder).unwrap();
                prop_assert_eq!(rounded, line.line.exact);
                if line.line.key.kind != Kind::Rounding {
                    let up = if line.rounding.topped_up { unit } else { Money::ZERO };
                    prop_assert_eq!(line.rounding.floor.checked_add(up).unwrap(), line.line.amount);
                }
            }
        }
    }
}

/// Every cost centre reports in yen.
fn in_yen(terms: BTreeMap<CostCenter, Terms>) -> BTreeMap<CostCenter, Terms> {
    let yen = Some("JPY".parse().unwrap());
    let terms = terms.into_iter();
    terms.map(|(name, terms)| (name, Terms { reporting_currency: yen, ..terms })).collect()
}

/// Lines in the reporting currency add up to the statement's, each from its own floor.
fn converted(statement: &Explained) {
    let lines = || statement.lines.iter().filter_map(|line| line.reporting);
    let Some(total) = statement.reporting.as_ref().and_then(|conversion| conversion.converted) else {
        assert_eq!(lines().count(), 0);
        return;
    };
    assert_eq!(lines().count(), statement.lines.len());
    assert_eq!(Money::sum(lines().map(|line| line.amount)).unwrap(), total.amount);
    for line in lines() {
        let up = if line.topped_up { money("1") } else { Money::ZERO };
        assert_eq!(line.floor.checked_add(up).unwrap(), line.amount);
    }
}

/// The same hour again in the hours after it, as long as the month lasts.
fn repeated(book: &PriceBook, world: &World, hours: i64) -> Vec<(Owners, Vec<UsageHour>)> {
    let first = world.owners.hour;
    let period = book.zone.period_of(first);
    let all = (0..hours).map(|n| Hour::from_index(first.index() + n));
    all.filter(|hour| book.zone.period_of(*hour) == period)
        .map(|hour| {
            let usage = world.usage.iter().map(|usage| UsageHour { hour, ..usage.clone() });
            (Owners { hour, ..world.owners.clone() }, usage.collect())
        })
        .collect()
}

fn sums(explanation: &Explanation) -> BTreeMap<String, (u32, Money)> {
    let lines = explanation.statements.iter().flat_map(|statement| &statement.lines);
    lines
        .map(|line| {
            let hours = line.steps.iter().map(|step| step.hours).sum();
            let amount = Money::sum(line.steps.iter().map(|step| step.amount)).unwrap();
            (format!("{:?}", line.line.key), (hours, amount))
        })
        .collect()
}

/// The worked example: zebra and yak share a pool, kube-system is shared evenly, idle goes by direct cost.
fn worked() -> (PriceBook, Vec<(Owners, Vec<UsageHour>)>) {
    let mut edition = edition();
    edition.pools.push(cost_pool("default", "0.20"));
    edition.shared_costs.push(shared_namespaces("platform", &["kube-system"], Policy::Even));
    edition.idle = Policy::Proportional(Base::DirectCost);
    let at = hour("2026-10-05T10:00:00Z");
    let mut owned = owners(at);
    add_tenant(&mut owned, "zebra", &["ns-zebra"]);
    add_tenant(&mut owned, "yak", &["ns-yak"]);
    add_namespace(&mut owned, "kube-system", None);
    let mut used = usage(at);
    used.nodes.push(nodes("default", "2", "8", "32"));
    used.compute.push(row("kube-system", "default", ("0.5", "0.5"), ("1", "1")));
    used.compute.push(row("ns-yak", "default", ("1", "0.2"), ("2", "6")));
    used.compute.push(row("ns-zebra", "default", ("2", "1.75"), ("4", "3")));
    (book(edition), vec![(owned, vec![used])])
}

#[test]
fn the_worked_example_is_explained_to_the_last_digit() {
    let (book, hours) = worked();
    let explanation = explained(&book, &hours, "zebra", true).unwrap();
    let [statement] = explanation.statements.as_slice() else { panic!("{explanation:#?}") };
    assert_eq!(statement.exact, money("0.227142857"));
    let step = |kind: Kind, item: &str| {
        let line =
            statement.lines.iter().find(|line| line.line.key.kind == kind && line.line.key.item == item);
        let [step] = line.unwrap().steps.as_slice() else { panic!("{line:#?}") };
        step.clone()
    };
    let cpu = step(Kind::Compute, "cpu");
    let Reason::NodeShare(share) = &cpu.reason else { panic!("{cpu:#?}") };
    assert_eq!((cpu.amount, share.cost, share.part), (money("0.06"), money("0.4"), money("0.24")));
    let quantities = [cpu.quantity.unwrap().0, share.wanted, share.capacity].map(|q| q.to_string());
    assert_eq!(quantities, ["2.000000", "3.500000", "8.000000"]);
    assert_eq!((share.worth * 10, share.worths * 6), (6 * share.worths, 10 * share.worth), "0.24 of 0.40");
    let idle = step(Kind::Idle, "default");
    let Reason::Share(share) = &idle.reason else { panic!("{idle:#?}") };
    assert_eq!(
        (idle.amount, share.whole, share.by),
        (money("0.137142857"), money("0.24"), ShareBy::DirectCost)
    );
    assert_eq!((share.base, share.bases), (80_000_000_000_000_000, 140_000_000_000_000_000));
    let shared = step(Kind::SharedCost, "platform");
    let Reason::Share(share) = &shared.reason else { panic!("{shared:#?}") };
    assert_eq!((shared.amount, share.whole), (money("0.01"), money("0.02")));
    assert_eq!((share.base, share.bases, share.recipients), (1, 2, 2));
    assert_eq!(shared.key.namespace, Some("kube-system".into()));
}

#[test]
fn an_explanation_names_nobody_else() {
    let (mut book, hours) = worked();
    book.editions[0].idle = Policy::Weighted(BTreeMap::from([("yak".into(), 1), ("zebra".into(), 3)]));
    let explanation = explained(&book, &hours, "zebra", true).unwrap();
    let told = format!("{explanation:?}");
    assert!(told.contains("zebra") && !told.contains("yak"), "{told}");
}

/// 0.227142857 EUR of the worked example at 163.52 are 37.14… JPY, so 37.
#[test]
fn a_reporting_currency_ends_the_chain_with_the_rate_and_where_it_stands() {
    let (mut book, hours) = worked();
    book.editions[0].cost_centers = in_yen(BTreeMap::from([("CC-zebra".into(), Terms::default())]));
    let unrated = explained(&book, &hours, "zebra", false).unwrap();
    let conversion = unrated.statements[0].reporting.clone().unwrap();
    assert_eq!((conversion.currency.code(), conversion.converted), ("JPY", None));
    assert!(unrated.statements[0].lines.iter().all(|line| line.reporting.is_none()));
    let rate = [("2026-10".parse().unwrap(), "163.52".parse().unwrap())];
    book.rates.insert("JPY".parse().unwrap(), rate.into());
    let explanation = explained(&book, &hours, "zebra", false).unwrap();
    let [statement] = explanation.statements.as_slice() else { panic!("{explanation:#?}") };
    let conversion = statement.reporting.as_ref().unwrap();
    assert_eq!(conversion.source(explanation.period), "currencies.JPY.2026-10");
    let total = conversion.converted.unwrap();
    // 0.227142857 x 163.52, of which idle is 0.137142857 x 163.52.
    assert_eq!((total.exact.to_string(), total.amount), ("37.14239997664".to_owned(), money("37")));
    let idle = statement.lines.iter().find(|line| line.line.key.kind == Kind::Idle).unwrap();
    let own = idle.reporting.unwrap();
    assert_eq!((own.exact.to_string(), own.floor), ("22.42559997664".to_owned(), money("22")));
    assert_eq!((own.remainder.to_string(), own.topped_up), ("0.42559997664".to_owned(), false));
    // cpu 9.8112, memory 3.2704, platform 1.6352, idle 22.4255…: 35 on floors, and two go to cpu and platform.
    let up: Vec<&str> = statement
        .lines
        .iter()
        .filter(|line| line.reporting.unwrap().topped_up)
        .map(|line| line.line.key.item.as_str())
        .collect();
    assert_eq!(up, ["cpu", "platform"]);
}

/// `a` sends 10 GiB for 10 and `b` uses cores for 100, both on CC-1, in one hour of October.
fn on_one_cost_center(terms: Terms) -> (PriceBook, Vec<(Owners, Vec<UsageHour>)>) {
    let mut edition = edition();
    edition.pools.push(rate_pool("default", "10", "1"));
    edition.network.push(metered("all", MeteredRate::PerUnit(price("1"))));
    edition.cost_centers.insert("CC-1".into(), terms);
    let at = hour("2026-10-05T10:00:00Z");
    let mut owned = owners(at);
    add_tenant(&mut owned, "a", &["ns-a"]);
    add_tenant(&mut owned, "b", &["ns-b"]);
    owned.tenants.values_mut().for_each(|state| state.cost_center = "CC-1".into());
    let mut used = usage(at);
    used.nodes.push(nodes("default", "1", "16", "64"));
    used.network.push(traffic("ns-a", "all", "10"));
    used.compute.push(row("ns-b", "default", ("10", "0"), ("0", "0")));
    (book(edition), vec![(owned, vec![used])])
}

fn terms_of(
    book: &PriceBook,
    hours: &[(Owners, Vec<UsageHour>)],
    tenant: &str,
) -> Vec<(String, MonthReason)> {
    let explanation = explained(book, hours, tenant, false).unwrap();
    let lines = explanation.statements.into_iter().flat_map(|statement| statement.lines);
    let terms = lines.filter(|line| line.line.key.kind == Kind::Term);
    terms.map(|line| (line.line.key.item.clone(), line.month[0].clone())).collect()
}

/// -200 % of what `a` sent leaves it at -10, so of the 90 that miss to 180 `b` bears all, by 100 of 100.
#[test]
fn who_has_nothing_above_zero_is_not_among_those_who_share() {
    let (book, hours) = on_one_cost_center(Terms {
        percentage: -2_000_000_000,
        percentage_kinds: [Kind::Network].into(),
        minimum_fee: Some(per_month("133920")),
        ..Terms::default()
    });
    let [(_, minimum)] = terms_of(&book, &hours, "b").try_into().unwrap();
    assert_eq!((minimum.whole, minimum.amount), (money("90"), money("90")));
    assert_eq!(minimum.split, Split::Proportional { base: money("100"), bases: money("100"), tenants: 1 });
    let [(_, percentage)] = terms_of(&book, &hours, "a").try_into().unwrap();
    assert_eq!(percentage.split, Split::Proportional { base: money("10"), bases: money("10"), tenants: 1 });
}

#[test]
fn an_override_is_each_tenants_own_difference_and_is_said_to_be() {
    let (book, hours) = on_one_cost_center(Terms {
        overrides: vec![Override {
            kind: Kind::Compute,
            pool: pattern("*"),
            item: pattern("cpu"),
            rate: MeteredRate::PerUnit(price("9.5")),
        }],
        ..Terms::default()
    });
    let [(_, own)] = terms_of(&book, &hours, "b").try_into().unwrap();
    assert_eq!((own.whole, own.split), (money("-5"), Split::Own { difference: money("-5") }));
    assert_eq!(terms_of(&book, &hours, "a"), []);
}

#[test]
fn a_tenant_without_a_statement_is_said_to_have_none() {
    let (book, hours) = worked();
    let refused = explained(&book, &hours, "nobody", false);
    assert!(matches!(refused, Err(ExplainError::NoStatement { .. })), "{refused:?}");
}
