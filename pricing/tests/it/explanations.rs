//! An explanation adds up to the bill, each step by its own formula, and names nobody else.

use std::collections::BTreeMap;

use defray_pricing::book::{Base, Policy, PriceBook};
use defray_pricing::charge::{Charge, Kind};
use defray_pricing::explain::{ExplainError, Explanation, Reason, Recorder, ShareBy, Step, explain};
use defray_pricing::money::Money;
use defray_pricing::names::TenantName;
use defray_pricing::ownership::Owners;
use defray_pricing::rating::{rate, rate_traced};
use defray_pricing::statement::{MonthFacts, build_traced};
use defray_pricing::time::Hour;
use defray_pricing::usage::UsageHour;
use proptest::prelude::*;

use crate::fixture::{
    add_namespace, add_tenant, book, cost_pool, edition, hour, money, nodes, owners, row, shared_namespaces,
    usage,
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
        book.editions[0].cost_centers = terms;
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

#[test]
fn a_tenant_without_a_statement_is_said_to_have_none() {
    let (book, hours) = worked();
    let refused = explained(&book, &hours, "nobody", false);
    assert!(matches!(refused, Err(ExplainError::NoStatement { .. })), "{refused:?}");
}
