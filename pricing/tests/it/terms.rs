//! What is agreed with cost centres, and what is corrected by hand: worked out on paper.

use defray_pricing::book::{
    Adjustment, AdjustmentOn, Band, BandRate, MeteredRate, MonthlyAmount, Override, PriceBook, Terms, Tier,
};
use defray_pricing::charge::{Charge, Kind, LineKey};
use defray_pricing::invariants::check_period;
use defray_pricing::money::Money;
use defray_pricing::ownership::Owners;
use defray_pricing::quantity::Unit;
use defray_pricing::statement::{MonthFacts, PeriodStatements, build};

use crate::fixture::*;

const HOUR: &str = "2026-10-05T10:00:00Z";

/// Units of something at a unit price; without `list` the price is only what they cost.
fn used(tenant: &str, kind: Kind, item: &str, units: &str, price_of: &str, list: bool) -> Charge {
    let price = price(price_of);
    Charge {
        key: LineKey {
            cost_center: "CC-1".into(),
            tenant: tenant.into(),
            cluster: Some(CLUSTER.into()),
            virtual_namespace: None,
            kind,
            class: None,
            item: item.to_owned(),
            unit_price: list.then_some(price),
        },
        namespace: None,
        quantity: Some((quantity(units), Unit::CoreHours)),
        amount: price.times(quantity(units)).unwrap(),
    }
}

fn cpu(tenant: &str, units: &str, price: &str) -> Charge {
    used(tenant, Kind::Compute, "cpu", units, price, true)
}

fn band(above: &str, rate: BandRate) -> Band {
    Band { above: quantity(above), rate }
}

/// A discount (in whole percent) above a threshold.
fn off(above: &str, percent: i64) -> Band {
    band(above, BandRate::Percentage(percent.saturating_mul(-10_000_000)))
}

fn at(above: &str, per_unit: &str) -> Band {
    band(above, BandRate::Price(MeteredRate::PerUnit(price(per_unit))))
}

fn tier(kind: Kind, item: &str, bands: &[Band]) -> Tier {
    Tier { kind, item: pattern(item), bands: bands.to_vec() }
}

fn agreed(terms: Terms) -> PriceBook {
    let mut edition = edition();
    edition.cost_centers.insert("CC-1".into(), terms);
    book(edition)
}

/// An hour in which these tenants exist, each on a cost centre.
fn existing(at: &str, tenants: &[(&str, &str)]) -> Owners {
    let mut owners = owners(hour(at));
    for (tenant, cost_center) in tenants {
        add_tenant(&mut owners, tenant, &[]);
        owners.tenants.get_mut(&(CLUSTER.into(), (*tenant).into())).unwrap().cost_center =
            (*cost_center).into();
    }
    owners
}

fn month(book: &PriceBook, hours: &[Owners], charges: Vec<Charge>) -> PeriodStatements {
    let sum = Money::sum(charges.iter().map(|charge| charge.amount)).unwrap();
    let facts = MonthFacts::of(book.zone, hours);
    let statements = build(book, "2026-10".parse().unwrap(), &facts, charges).unwrap();
    assert_eq!(check_period(&statements, sum), Ok(()));
    statements
}

/// Everything that acted on the month: cost centre, tenant, item, amount.
fn acted(statements: &PeriodStatements) -> Vec<String> {
    let one = |charge: &Charge| {
        let LineKey { cost_center, tenant, item, .. } = &charge.key;
        format!("{cost_center} {tenant} {item} {}", charge.amount)
    };
    statements.month_level.iter().map(one).collect()
}

#[test]
fn each_band_acts_on_its_own_units_at_the_months_average_price() {
    let terms =
        |bands: &[Band]| agreed(Terms { tiers: vec![tier(Kind::Compute, "cpu", bands)], ..Terms::default() });
    // 8000 core-hours of two pools: 6000 at 0.04 and 2000 at 0.08 are 400 EUR, 0.05 each.
    let charges = || vec![cpu("a", "6000", "0.04"), used("a", Kind::Compute, "cpu", "2000", "0.08", false)];
    for (bands, lines) in [
        (vec![off("8000", 10)], vec![]),
        (vec![off("5000", 10)], vec!["CC-1 a tier:cpu above 5000 -15"]),
        (
            vec![off("1000", 10), off("5000", 20), off("9000", 50)],
            vec!["CC-1 a tier:cpu above 1000 -20", "CC-1 a tier:cpu above 5000 -30"],
        ),
        (vec![at("5000", "0.03")], vec!["CC-1 a tier:cpu above 5000 -60"]),
        (
            vec![at("5000", "0.06"), at("7999.5", "0")],
            vec!["CC-1 a tier:cpu above 5000 29.995", "CC-1 a tier:cpu above 7999.5 -0.025"],
        ),
        (vec![band("5000", BandRate::Percentage(500_000_000))], vec!["CC-1 a tier:cpu above 5000 75"]),
    ] {
        assert_eq!(acted(&month(&terms(&bands), &[], charges())), lines, "{bands:?}");
    }
}

#[test]
fn a_tier_counts_all_tenants_of_the_cost_centre_and_is_split_by_what_it_acts_on() {
    let book =
        agreed(Terms { tiers: vec![tier(Kind::Compute, "cpu", &[off("100", 50)])], ..Terms::default() });
    let memory = used("c", Kind::Compute, "memory", "500", "1", true);
    let mut elsewhere = cpu("d", "1000", "1");
    elsewhere.key.cost_center = "CC-2".into();
    let mut nobodys = cpu("__unassigned__", "1000", "1");
    nobodys.key.cost_center = "CC-1".into();
    let mut kept = cpu("__platform__", "1000", "1");
    kept.key.cost_center = "CC-1".into();
    let charges = vec![cpu("a", "90", "1"), cpu("b", "30", "1"), memory, elsewhere, nobodys, kept];
    // 20 of 120 at half price, 3 : 1.
    let wanted = ["CC-1 a tier:cpu above 100 -7.5", "CC-1 b tier:cpu above 100 -2.5"];
    assert_eq!(acted(&month(&book, &[], charges)), wanted);
}

#[test]
fn what_costs_nothing_is_split_evenly() {
    let book =
        agreed(Terms { tiers: vec![tier(Kind::Compute, "cpu", &[at("100", "0.5")])], ..Terms::default() });
    let charges = vec![cpu("a", "90", "0"), cpu("b", "30", "0")];
    let wanted = ["CC-1 a tier:cpu above 100 5", "CC-1 b tier:cpu above 100 5"];
    assert_eq!(acted(&month(&book, &[], charges)), wanted);
}

#[test]
fn classes_are_counted_together_and_a_price_per_month_is_spread_over_the_real_hours() {
    let bands = [band("100", BandRate::Price(MeteredRate::PerUnitMonth(price("744"))))];
    let tiers = vec![tier(Kind::Storage, "gp*", &bands), tier(Kind::LoadBalancer, "*", &[off("10", 100)])];
    let book = agreed(Terms { tiers, ..Terms::default() });
    let storage = |class: &str| used("a", Kind::Storage, class, "80", "2", true);
    let balancer = used("a", Kind::LoadBalancer, "load_balancer", "11", "3", true);
    let charges = vec![storage("gp2"), storage("gp3"), storage("io2"), balancer];
    // 60 of 160 GiB-hours at 744 a month of 744 hours in place of 2.
    let wanted = ["CC-1 a tier:load_balancer above 10 -3", "CC-1 a tier:storage:gp* above 100 -60"];
    assert_eq!(acted(&month(&book, &[], charges)), wanted);
}

#[test]
fn overrides_tiers_percentage_and_minimum_act_each_on_the_result_of_those_before() {
    let price_override = |price_of: &str| Override {
        kind: Kind::Compute,
        pool: pattern("*"),
        item: pattern("cpu"),
        rate: MeteredRate::PerUnit(price(price_of)),
    };
    let terms = Terms {
        overrides: vec![price_override("0.5")],
        tiers: vec![tier(Kind::Compute, "cpu", &[off("100", 20)])],
        percentage: -100_000_000,
        percentage_kinds: [Kind::Compute].into(),
        minimum_fee: Some(per_month("74400")),
        reporting_currency: None,
    };
    let charges = vec![cpu("a", "200", "1"), used("a", Kind::Storage, "fast", "20", "1", true)];
    // 200 at 0.5 are 100; the upper half of that 20 % less: 90; of it 10 % less: 81; with storage 101.
    // The cost centre had a tenant in two hours, at 100 each: 99 are missing.
    let hours = ["2026-10-05T10:00:00Z", "2026-10-05T11:00:00Z"].map(|at| existing(at, &[("a", "CC-1")]));
    let statements = month(&agreed(terms), &hours, charges);
    assert_eq!(
        acted(&statements),
        [
            "CC-1 a minimum fee 99",
            "CC-1 a override:compute:*:cpu -100",
            "CC-1 a percentage -9",
            "CC-1 a tier:cpu above 100 -10",
        ]
    );
    assert_eq!(statements.amount, money("200"));
}

#[test]
fn an_override_of_some_of_the_units_lowers_their_average_price() {
    let terms = Terms {
        overrides: vec![Override {
            kind: Kind::Storage,
            pool: pattern("*"),
            item: pattern("gp2"),
            rate: MeteredRate::PerUnit(price("0.5")),
        }],
        tiers: vec![tier(Kind::Storage, "*", &[off("100", 10)])],
        ..Terms::default()
    };
    let storage = |tenant: &str, class: &str| used(tenant, Kind::Storage, class, "100", "1", true);
    // 200 units cost 50 + 100, 0.75 each: 100 of them 10 % less, in proportion to what each pays.
    let wanted = [
        "CC-1 a override:storage:gp2 -50",
        "CC-1 a tier:storage:* above 100 -2.5",
        "CC-1 b tier:storage:* above 100 -5",
    ];
    assert_eq!(acted(&month(&agreed(terms), &[], vec![storage("a", "gp2"), storage("b", "gp3")])), wanted);
}

#[test]
fn a_minimum_fee_counts_by_the_hours_in_which_the_cost_centre_had_a_tenant() {
    let minimum = |amount: MonthlyAmount| agreed(Terms { minimum_fee: Some(amount), ..Terms::default() });
    let hours = |tenants: &[(&str, &str)]| -> Vec<Owners> {
        let october = defray_pricing::time::BillingZone::UTC.hours("2026-10".parse().unwrap());
        october.iter().map(|hour| existing(&hour.to_string(), tenants)).collect()
    };
    let spent = |tenant: &str, amount: &str| cpu(tenant, amount, "1");
    let book = minimum(per_month("500"));
    let all = hours(&[("a", "CC-1"), ("b", "CC-1"), ("other", "CC-2")]);
    for (charges, lines) in [
        (vec![spent("a", "500")], vec![]),
        (
            vec![spent("a", "300"), spent("b", "199")],
            vec!["CC-1 a minimum fee 0.601202405", "CC-1 b minimum fee 0.398797595"],
        ),
        (vec![spent("a", "300")], vec!["CC-1 a minimum fee 200"]),
        (vec![], vec!["CC-1 a minimum fee 250", "CC-1 b minimum fee 250"]),
        (vec![spent("a", "0")], vec!["CC-1 a minimum fee 250", "CC-1 b minimum fee 250"]),
        (vec![spent("__unassigned__", "600")], vec!["CC-1 a minimum fee 250", "CC-1 b minimum fee 250"]),
    ] {
        assert_eq!(acted(&month(&book, &all, charges.clone())), lines, "{charges:?}");
    }
    // A year's 6000.05 are 500.01 in each of the first five months and 500.00 in October.
    let yearly = minimum(MonthlyAmount::Year { minor: 600_005 });
    assert_eq!(acted(&month(&yearly, &all, vec![])).first().unwrap(), "CC-1 a minimum fee 250");
    // Ten days: each hour takes its part, the earliest the larger ones.
    let ten_days: Vec<Owners> = all.iter().take(240).cloned().collect();
    let lines = acted(&month(&book, &ten_days, vec![spent("a", "100")]));
    assert_eq!(lines, ["CC-1 a minimum fee 61.29032264"], "240 x 0.672043011, less 100");
    assert_eq!(acted(&month(&book, &hours(&[("other", "CC-2")]), vec![])), [""; 0], "no tenant, no minimum");
}

fn adjusted(on: AdjustmentOn, date: &str, reference: &str, amount: &str) -> Adjustment {
    Adjustment {
        date: date.parse().unwrap(),
        reference: reference.to_owned(),
        reason: "outage".to_owned(),
        on,
        amount: money(amount),
    }
}

#[test]
fn a_tenants_adjustment_is_booked_on_the_cost_centre_of_that_days_last_hour() {
    let mut book = book(edition());
    let on = |date: &str, tenant: &str| adjusted(AdjustmentOn::Tenant(tenant.into()), date, date, "-250");
    let hours = [
        existing("2026-10-13T09:00:00Z", &[("a", "CC-0")]),
        existing("2026-10-13T10:00:00Z", &[("a", "CC-1")]),
        existing("2026-10-14T09:00:00Z", &[("a", "CC-2")]),
        existing("2026-10-14T10:00:00Z", &[("a", "CC-3")]),
        existing("2026-10-14T11:00:00Z", &[("b", "CC-9")]),
    ];
    for (date, tenant, booked) in [
        ("2026-10-14", "a", vec!["CC-3 a 2026-10-14: outage -250"]),
        ("2026-10-13", "a", vec!["CC-1 a 2026-10-13: outage -250"]),
        // Gone: where it was last. Not there yet: where it came to be. Never there: shown, on nobody's.
        ("2026-10-31", "a", vec!["CC-3 a 2026-10-31: outage -250"]),
        ("2026-10-01", "a", vec!["CC-0 a 2026-10-01: outage -250"]),
        ("2026-10-14", "ghost", vec!["__unassigned__ ghost 2026-10-14: outage -250"]),
        ("2026-09-30", "a", vec![]),
        ("2026-11-01", "a", vec![]),
    ] {
        book.adjustments = vec![on(date, tenant)];
        let statements = month(&book, &hours, vec![]);
        assert_eq!(acted(&statements), booked, "{date} {tenant}");
        assert!(statements.month_level.iter().all(|charge| charge.key.kind == Kind::Adjustment));
    }
}

#[test]
fn a_cost_centres_adjustment_is_split_over_its_statements_and_never_dropped() {
    let terms = Terms { percentage: -500_000_000, ..Terms::default() };
    let credit =
        |amount: &str| adjusted(AdjustmentOn::CostCenter("CC-1".into()), "2026-10-14", "CN-1", amount);
    let (here, elsewhere) = ([("a", "CC-1")], [("a", "CC-2")]);
    for (existed, charges, amount, lines) in [
        (
            &here,
            vec![cpu("a", "30", "1"), cpu("b", "10", "1"), cpu("__platform__", "10", "1")],
            "-8",
            vec!["CC-1 a CN-1: outage -6", "CC-1 b CN-1: outage -2"],
        ),
        (
            &here,
            vec![cpu("a", "0", "1"), cpu("b", "0", "1")],
            "1",
            vec!["CC-1 a CN-1: outage 0.5", "CC-1 b CN-1: outage 0.5"],
        ),
        // A tenant that used nothing is a tenant all the same.
        (&here, vec![], "-1", vec!["CC-1 a CN-1: outage -1"]),
        (&here, vec![cpu("__platform__", "10", "1")], "1", vec!["CC-1 a CN-1: outage 1"]),
        (&elsewhere, vec![cpu("__platform__", "10", "1")], "1", vec!["CC-1 __platform__ CN-1: outage 1"]),
        (&elsewhere, vec![], "-1", vec!["CC-1 __unassigned__ CN-1: outage -1"]),
    ] {
        let mut book = agreed(terms.clone());
        book.adjustments = vec![credit(amount)];
        let statements = month(&book, &[existing(HOUR, existed)], charges.clone());
        let lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
        let got: Vec<String> = acted(&statements).into_iter().filter(|line| line.contains("CN-1")).collect();
        assert_eq!(got, lines, "{charges:?}");
    }
}

#[test]
fn a_minimum_fee_does_not_compare_adjustments_and_adjustments_do_not_act_on_each_other() {
    let mut book = agreed(Terms { minimum_fee: Some(per_month("7440")), ..Terms::default() });
    let on = AdjustmentOn::CostCenter("CC-1".into());
    book.adjustments = vec![
        adjusted(AdjustmentOn::Tenant("a".into()), "2026-10-05", "CN-1", "1000"),
        adjusted(on.clone(), "2026-10-06", "CN-2", "-30"),
        adjusted(on, "2026-10-07", "CN-3", "-30"),
    ];
    let hours = [existing(HOUR, &[("a", "CC-1"), ("b", "CC-1")])];
    // One hour's minimum is 10; 8 were spent, 3 : 1.
    let charges = vec![cpu("a", "6", "1"), cpu("b", "2", "1")];
    let statements = month(&book, &hours, charges);
    assert_eq!(
        acted(&statements),
        [
            "CC-1 a minimum fee 1.5",
            "CC-1 a CN-1: outage 1000",
            "CC-1 a CN-2: outage -22.5",
            "CC-1 a CN-3: outage -22.5",
            "CC-1 b minimum fee 0.5",
            "CC-1 b CN-2: outage -7.5",
            "CC-1 b CN-3: outage -7.5",
        ]
    );
    assert_eq!(statements.amount, money("950"));
}
