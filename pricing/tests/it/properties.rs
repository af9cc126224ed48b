//! What must hold whatever the clusters, books and owners are.

use std::collections::BTreeMap;

use defray_pricing::book::{Adjustment, Basis, Model, NodeCost, Policy, PriceBook, SharedWhat, Terms};
use defray_pricing::charge::{Charge, Kind, LineKey};
use defray_pricing::invariants::{check_hour, check_period};
use defray_pricing::money::Money;
use defray_pricing::names::{CostCenter, TenantName};
use defray_pricing::ownership::Owners;
use defray_pricing::quantity::Quantity;
use defray_pricing::rating::rate;
use defray_pricing::statement::{MonthFacts, PeriodStatements, Statement, build};
use defray_pricing::time::Period;
use defray_pricing::usage::{ComputeRow, UsageHour};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use crate::fixture::{book_in, edition};
use crate::oracle;
use crate::worlds::{World, adjustments, charges, other_hours, policy, terms, world};

/// One hour of usage many times over, and some more hours in which tenants existed.
struct Month {
    book: PriceBook,
    owners: Vec<Owners>,
    charges: Vec<Charge>,
}

impl Month {
    fn new(
        world: World,
        terms: BTreeMap<CostCenter, Terms>,
        adjustments: Vec<Adjustment>,
        mut owners: Vec<Owners>,
        copies: usize,
    ) -> Self {
        let mut book = world.book;
        book.editions[0].cost_centers = terms;
        book.adjustments = adjustments;
        let charges = rate(&book, &world.owners, &world.usage).unwrap().charges;
        let charges = std::iter::repeat_n(charges, copies).flatten().collect();
        owners.retain(|other| other.hour != world.owners.hour);
        owners.push(world.owners);
        Self { book, owners, charges }
    }

    fn period() -> Period {
        "2026-10".parse().unwrap()
    }

    fn statements(&self) -> PeriodStatements {
        let facts = MonthFacts::of(self.book.zone, &self.owners);
        build(&self.book, Self::period(), &facts, self.charges.clone()).unwrap()
    }
}

/// Totals against fractions: what acts on the month is cut once a cost centre, a statement is rounded once.
fn agrees_with_the_oracle(month: &Month) -> Result<(), TestCaseError> {
    let statements = month.statements();
    let (exact, totals) = oracle::statements(&month.book, Month::period(), &month.owners, &month.charges);
    let book = &month.book;
    let rounding = |statement: &Statement| {
        let lines = statement.lines.iter().filter(|line| line.key.kind == Kind::Rounding);
        Money::sum(lines.map(|line| line.amount)).unwrap()
    };
    for statement in &statements.statements {
        let key = (statement.cost_center.clone(), statement.tenant.clone());
        let fitted = statement.amount.checked_sub(rounding(statement)).unwrap();
        let none = oracle::whole(0);
        prop_assert_eq!(&oracle::of_money(statement.exact), exact.get(&key).unwrap_or(&none));
        prop_assert_eq!(&oracle::of_money(fitted), totals.get(&key).unwrap_or(&none));
    }
    let all = statements.statements.len();
    prop_assert!(all == exact.len() || all == exact.len().checked_add(1).unwrap(), "one for the rounding");
    let sum: oracle::Q = exact.values().sum();
    prop_assert_eq!(oracle::of_money(statements.amount), oracle::half_away(&sum, book));
    Ok(())
}

/// So many cases where the environment asks for no number of its own; what failed once is tried first, for ever.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    const REGRESSIONS: FileFailurePersistence = FileFailurePersistence::Direct("proptest-regressions/it.txt");
    let usual = ProptestConfig::default();
    let asked = usual.cases != 256;
    ProptestConfig {
        cases: if asked { usual.cases } else { cases },
        failure_persistence: Some(Box::new(REGRESSIONS)),
        ..usual
    }
}

/// The rows of each namespace and class added up over its virtual namespaces.
fn merge_virtual_namespaces(usage: &mut UsageHour) {
    let mut rows: BTreeMap<_, ComputeRow> = BTreeMap::new();
    for row in std::mem::take(&mut usage.compute) {
        let whole = rows
            .entry((row.class.clone(), row.namespace.clone()))
            .or_insert_with(|| ComputeRow::zero(row.namespace.clone(), None, row.class.clone()));
        let add = |sum: &mut Quantity, more: Quantity| *sum = sum.checked_add(more).unwrap();
        add(&mut whole.cpu_request, row.cpu_request);
        add(&mut whole.cpu_usage, row.cpu_usage);
        add(&mut whole.cpu_max, row.cpu_max);
        add(&mut whole.memory_request, row.memory_request);
        add(&mut whole.memory_usage, row.memory_usage);
        add(&mut whole.memory_max, row.memory_max);
        for (name, gpus) in row.gpu_request {
            add(whole.gpu_request.entry(name).or_default(), gpus);
        }
    }
    usage.compute = rows.into_values().collect();
}

proptest! {
    #![proptest_config(config(80))]

    /// Every charge of the hour, to the last digit, and conservation.
    #[test]
    fn the_engine_agrees_with_the_naive_oracle(world in world()) {
        let rated = rate(&world.book, &world.owners, &world.usage).unwrap();
        prop_assert_eq!(check_hour(&rated), Ok(()));
        let (ours, theirs) = (oracle::ledger_of(&rated.charges), oracle::rate(&world));
        for (key, value) in &theirs {
            prop_assert_eq!(ours.get(key), Some(value), "{:?}", key);
        }
        prop_assert_eq!(ours.len(), theirs.len(), "{:#?}", ours);
    }

    /// Rows, clusters and hours in any order, rated again: the same.
    #[test]
    fn order_and_repetition_change_nothing(world in world()) {
        let once = rate(&world.book, &world.owners, &world.usage).unwrap();
        let mut usage = world.usage.clone();
        usage.reverse();
        for hour in &mut usage {
            hour.compute.reverse();
            hour.nodes.reverse();
            hour.storage.reverse();
            hour.network.reverse();
            hour.quotas.reverse();
        }
        prop_assert_eq!(&rate(&world.book, &world.owners, &usage).unwrap(), &once);
    }

    /// A month of the same hour, with all that acts on the month, adds up in every way and in any order.
    #[test]
    fn statements_add_up_to_their_hours_and_what_acts_on_the_month(
        world in world(), terms in terms(), adjustments in adjustments(), others in other_hours(), copies in 1..40_usize,
    ) {
        let mut month = Month::new(world, terms, adjustments, others, copies);
        let hours = Money::sum(month.charges.iter().map(|charge| charge.amount)).unwrap();
        let statements = month.statements();
        prop_assert_eq!(check_period(&statements, hours), Ok(()));
        month.charges.reverse();
        month.owners.reverse();
        month.book.adjustments.reverse();
        prop_assert_eq!(month.statements(), statements);
    }

    /// Statement totals against fractions: terms cut once a cost centre, one rounding a statement.
    #[test]
    fn statements_agree_with_the_naive_oracle(
        world in world(), terms in terms(), adjustments in adjustments(), others in other_hours(), copies in 1..40_usize,
    ) {
        agrees_with_the_oracle(&Month::new(world, terms, adjustments, others, copies))?;
    }

    /// The same of lines as they may come, whatever made them.
    #[test]
    fn statements_of_any_lines_agree_with_the_naive_oracle(
        charges in charges(), terms in terms(), adjustments in adjustments(), others in other_hours(),
        currency in prop_oneof![Just("EUR"), Just("JPY"), Just("KWD")],
    ) {
        let mut book = book_in(currency, "Europe/Berlin", vec![edition()]);
        book.editions[0].cost_centers = terms;
        book.adjustments = adjustments;
        agrees_with_the_oracle(&Month { book, owners: others, charges })?;
    }

    /// Usage split into several rows of one namespace, or a cluster rated alone, adds up to the same.
    #[test]
    fn a_cluster_is_the_sum_of_what_is_charged_in_it(world in world()) {
        // What spans clusters (fixed amounts, entries that price several) is left out.
        let mut book = world.book.clone();
        let edition = &mut book.editions[0];
        edition.shared_costs.retain(|cost| !matches!(cost.what, SharedWhat::Fixed(_)));
        edition.pools.retain(|entry| !matches!(entry.nodes, Some(NodeCost::PerMonth(_))));
        edition.clusters.clear();
        let of = |usage: &[UsageHour]| -> Vec<Charge> {
            let mut charges = rate(&book, &world.owners, usage).unwrap().charges;
            charges.retain(|charge| charge.key.kind != Kind::ServiceFee);
            charges
        };
        let mut apart: Vec<Charge> =
            world.usage.iter().flat_map(|usage| of(std::slice::from_ref(usage))).collect();
        apart.sort_by(|a, b| (&a.key, &a.namespace).cmp(&(&b.key, &b.namespace)));
        prop_assert_eq!(of(&world.usage), apart);
    }

    /// A tenant is the sum of its virtual namespaces: without them it is charged the same quantities, and the
    /// same money wherever a unit has a price; by full recovery to the billionths that a finer split moves.
    #[test]
    fn a_tenant_is_the_sum_of_its_virtual_namespaces(world in world()) {
        let mut merged = world.clone();
        for usage in &mut merged.usage {
            merge_virtual_namespaces(usage);
        }
        let by_line = |world: &World| {
            let rated = rate(&world.book, &world.owners, &world.usage).unwrap();
            let mut lines = BTreeMap::new();
            for charge in rated.charges.into_iter().filter(|charge| charge.quantity.is_some()) {
                let key = LineKey { virtual_namespace: None, ..charge.key };
                let sum = lines.entry((key, charge.namespace)).or_insert((Quantity::ZERO, Money::ZERO));
                sum.0 = sum.0.checked_add(charge.quantity.unwrap().0).unwrap();
                sum.1 = sum.1.checked_add(charge.amount).unwrap();
            }
            lines
        };
        let (apart, together) = (by_line(&world), by_line(&merged));
        prop_assert_eq!(apart.len(), together.len());
        for ((key, namespace), (quantity, amount)) in apart {
            let (whole, money) = together[&(key.clone(), namespace)];
            prop_assert_eq!(quantity, whole);
            let off = amount.checked_sub(money).unwrap().attos().abs();
            let split = if key.unit_price.is_none() && key.kind == Kind::Compute { 3_000_000_000 } else { 0 };
            prop_assert!(off <= split, "{key:?} is off by {off}");
        }
    }

    /// More billable usage never lowers what a tenant pays by the rate model.
    #[test]
    fn more_usage_never_costs_less_by_rate(world in world(), row in any::<prop::sample::Index>(), more in 1..9_000_000_i64) {
        let mut world = world;
        world.book.editions[0].pools.retain(|entry| matches!(entry.model, Model::Rate { .. }) && entry.basis != Basis::Quota);
        world.book.editions[0].clusters.clear();
        let compute = |world: &World| -> BTreeMap<TenantName, Money> {
            let mut sums = BTreeMap::new();
            for charge in rate(&world.book, &world.owners, &world.usage).unwrap().charges {
                if charge.key.kind == Kind::Compute {
                    let sum = sums.entry(charge.key.tenant).or_insert(Money::ZERO);
                    *sum = sum.checked_add(charge.amount).unwrap();
                }
            }
            sums
        };
        let before = compute(&world);
        let mut rows: Vec<_> = world.usage.iter_mut().flat_map(|usage| &mut usage.compute).collect();
        prop_assume!(!rows.is_empty());
        let place = row.index(rows.len());
        let more = Quantity::from_micros(more);
        rows[place].cpu_request = rows[place].cpu_request.checked_add(more).unwrap();
        rows[place].cpu_max = rows[place].cpu_max.checked_add(more).unwrap();
        let after = compute(&world);
        for (tenant, amount) in before {
            prop_assert!(after.get(&tenant).is_some_and(|later| *later >= amount), "{}", tenant);
        }
    }

    /// The same with terms, where all units of a resource have one price: but for the last digits, to which
    /// what is computed for a cost centre is cut and split.
    #[test]
    fn more_usage_never_costs_less_in_a_tier_whose_units_have_one_price(
        world in world(), mut terms in terms(), row in any::<prop::sample::Index>(), more in 1..9_000_000_i64,
    ) {
        let mut world = world;
        let edition = &mut world.book.editions[0];
        edition.clusters.clear();
        edition.pools.retain(|entry| matches!(entry.model, Model::Rate { .. }) && entry.basis != Basis::Quota);
        let Some(one) = edition.pools.first().map(|entry| entry.model.clone()) else { return Ok(()) };
        for entry in &mut edition.pools {
            entry.model = one.clone();
        }
        for terms in terms.values_mut() {
            terms.overrides.retain(|entry| entry.kind == Kind::Compute);
            terms.tiers.retain(|tier| tier.kind == Kind::Compute);
            terms.percentage_kinds = [Kind::Compute].into();
            terms.minimum_fee = None;
        }
        edition.cost_centers = terms;
        let paid = |world: &World| -> BTreeMap<TenantName, (Money, i128)> {
            let month = Month::new(world.clone(), world.book.editions[0].cost_centers.clone(), Vec::new(), Vec::new(), 1);
            let mut paid = BTreeMap::new();
            for line in month.statements().statements.into_iter().flat_map(|statement| statement.lines) {
                if matches!(line.key.kind, Kind::Compute | Kind::Term) {
                    let (sum, cut) = paid.entry(line.key.tenant).or_insert((Money::ZERO, 0_i128));
                    *sum = sum.checked_add(line.exact).unwrap();
                    *cut = cut.checked_add(i128::from(line.key.kind == Kind::Term)).unwrap();
                }
            }
            paid
        };
        let before = paid(&world);
        let mut rows: Vec<_> = world
            .usage
            .iter_mut()
            .flat_map(|usage| usage.compute.iter_mut().map(|row| (usage.cluster.clone(), row)))
            .collect();
        prop_assume!(!rows.is_empty());
        let place = row.index(rows.len());
        let more = Quantity::from_micros(more);
        let (cluster, row) = &mut rows[place];
        row.cpu_request = row.cpu_request.checked_add(more).unwrap();
        row.cpu_max = row.cpu_max.checked_add(more).unwrap();
        let owned = world.owners.namespaces.get(&(cluster.clone(), row.namespace.clone()));
        let owner = owned.and_then(|state| state.tenant.clone());
        let after = paid(&world);
        for (tenant, (amount, terms)) in before.into_iter().filter(|(tenant, _)| Some(tenant) == owner.as_ref()) {
            let Some((later, terms_later)) = after.get(&tenant) else { panic!("{tenant} pays nothing") };
            // Each term of either month is off by one unit of 1e-9 for cutting and one for splitting.
            let digits = terms.checked_add(*terms_later).and_then(|terms| terms.checked_mul(2)).unwrap();
            let least = amount.checked_sub(Money::from_nanos(digits).unwrap()).unwrap();
            prop_assert!(*later >= least, "{tenant}: {amount} before, {later} after");
        }
    }

    /// What a tenant does on its own pool is nobody else's business where sharing is not by usage.
    #[test]
    fn usage_on_a_dedicated_pool_moves_nobody_elses_charges(
        world in world(), terms in terms(), adjustments in adjustments(),
        policies in proptest::collection::vec(policy(), 4), extra in 1..9_000_000_i64,
    ) {
        let mut world = world;
        let unmoved = |policy: &Policy| {
            if matches!(policy, Policy::Proportional(_)) { Policy::Even } else { policy.clone() }
        };
        let edition = &mut world.book.editions[0];
        edition.idle = unmoved(&policies[0]);
        for (cost, policy) in edition.shared_costs.iter_mut().zip(&policies[1..]) {
            cost.policy = unmoved(policy);
        }
        let Some(((cluster, pool), tenant)) = world.owners.dedicated.clone().into_iter().next() else {
            return Ok(());
        };
        let others = |world: &World| -> (Vec<Charge>, Vec<Statement>) {
            let mut charges = rate(&world.book, &world.owners, &world.usage).unwrap().charges;
            charges.retain(|charge| charge.key.tenant != tenant);
            let month = Month::new(world.clone(), terms.clone(), adjustments.clone(), Vec::new(), 3);
            let mut statements = month.statements().statements;
            // The period's rounding is nobody's own.
            statements.retain(|statement| statement.tenant != tenant && !statement.tenant.is_reserved());
            (charges, statements)
        };
        let before = others(&world);
        for usage in world.usage.iter_mut().filter(|usage| usage.cluster == cluster) {
            for row in usage.compute.iter_mut().filter(|row| row.class.pool == pool) {
                row.cpu_request = row.cpu_request.checked_add(Quantity::from_micros(extra)).unwrap();
                row.cpu_max = row.cpu_max.checked_add(Quantity::from_micros(extra)).unwrap();
                row.memory_usage = Quantity::ZERO;
            }
        }
        prop_assert_eq!(others(&world), before);
    }
}
