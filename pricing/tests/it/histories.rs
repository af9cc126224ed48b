//! Random timelines: some hours of a month in which tenants come, go and change their cost centre, and a
//! book whose second edition begins inside it.

use defray_pricing::book::PriceBook;
use defray_pricing::invariants::{check_hour, check_period};
use defray_pricing::money::Money;
use defray_pricing::ownership::Owners;
use defray_pricing::rating::{RatedHour, rate};
use defray_pricing::statement::{Month, MonthFacts, PeriodStatements};
use defray_pricing::time::Hour;
use defray_pricing::usage::UsageHour;
use proptest::collection::btree_map;
use proptest::option;
use proptest::prelude::*;

use crate::fixture::book_in;
use crate::oracle;
use crate::properties::config;
use crate::worlds::{World, adjustments, an_edition, owned, terms, usage};

/// Hours of October 2026 in Berlin, each with its owners and its usage, and the book of all of them.
#[derive(Debug, Clone)]
struct History {
    book: PriceBook,
    hours: Vec<(Owners, Vec<UsageHour>)>,
}

impl History {
    fn world(&self, place: usize) -> World {
        let (owners, usage) = self.hours[place].clone();
        World { book: self.book.clone(), owners, usage }
    }

    fn rated(&self) -> Vec<RatedHour> {
        self.hours.iter().map(|(owners, usage)| rate(&self.book, owners, usage).unwrap()).collect()
    }

    fn facts(&self) -> MonthFacts {
        MonthFacts::of(self.book.zone, self.hours.iter().map(|(owners, _)| owners))
    }
}

fn history() -> impl Strategy<Value = History> {
    let second = option::weighted(0.8, (0..745_i64, an_edition()));
    let currency = prop_oneof![Just("EUR"), Just("JPY"), Just("KWD")];
    let hour = (owned(Hour::from_index(0)), option::weighted(0.9, usage(0)), option::weighted(0.7, usage(1)));
    (an_edition(), second, currency, terms(), adjustments(), btree_map(0..745_i64, hour, 1..5)).prop_map(
        |(first, second, currency, terms, adjustments, hours)| {
            let mut book = book_in(currency, "Europe/Berlin", vec![first]);
            let start = book.zone.hours("2026-10".parse().unwrap()).from.index();
            if let Some((index, mut edition)) = second {
                edition.effective_from = Hour::from_index(start + index);
                book.editions.push(edition);
            }
            book.adjustments = adjustments;
            // Terms hold all month: they change only at the start of a period.
            for edition in &mut book.editions {
                edition.cost_centers.clone_from(&terms);
            }
            let hours = hours.into_iter().map(|(index, (owners, east, west))| {
                let hour = Hour::from_index(start + index);
                let usage = [east, west].into_iter().flatten().map(|usage| UsageHour { hour, ..usage });
                (Owners { hour, ..owners }, usage.collect())
            });
            History { book, hours: hours.collect() }
        },
    )
}

fn statements(history: &History, rated: &[RatedHour]) -> PeriodStatements {
    let mut month = Month::new(&history.book, "2026-10".parse().unwrap());
    for charge in rated.iter().flat_map(|hour| &hour.charges) {
        month.add(charge.clone()).unwrap();
    }
    month.finish(&history.facts()).unwrap()
}

/// The same charges, the hours of each part added up to one charge of each key and namespace, as days are.
fn folded(rated: &[RatedHour]) -> RatedHour {
    let mut all: Vec<_> = rated.iter().flat_map(|hour| hour.charges.iter().cloned()).collect();
    all.sort_by(|a, b| (&a.key, &a.namespace).cmp(&(&b.key, &b.namespace)));
    let mut charges: Vec<defray_pricing::charge::Charge> = Vec::new();
    for charge in all {
        match charges.last_mut() {
            Some(last) if last.key == charge.key && last.namespace == charge.namespace => {
                last.amount = last.amount.checked_add(charge.amount).unwrap();
                last.quantity = last.quantity.zip(charge.quantity).map(|((sum, unit), (more, same))| {
                    assert_eq!(unit, same);
                    (sum.checked_add(more).unwrap(), unit)
                });
            }
            _ => charges.push(charge),
        }
    }
    RatedHour { charges, ..rated[0].clone() }
}

proptest! {
    #![proptest_config(config(40))]

    /// Every hour to the last digit, whoever owned what in it and whichever edition held.
    #[test]
    fn each_hour_of_a_history_agrees_with_the_naive_oracle(history in history()) {
        for (place, rated) in history.rated().iter().enumerate() {
            prop_assert_eq!(check_hour(rated), Ok(()));
            let ours = oracle::ledger_of(&rated.charges);
            prop_assert_eq!(ours, oracle::rate(&history.world(place)));
        }
    }

    /// A month is the sum of its hours, in any order, by hours or by days, rated once or again.
    #[test]
    fn a_month_is_the_sum_of_its_hours_however_they_come(history in history(), cut in any::<prop::sample::Index>()) {
        let mut rated = history.rated();
        let once = statements(&history, &rated);
        let paid = Money::sum(rated.iter().map(|hour| hour.control.total().unwrap())).unwrap();
        prop_assert_eq!(check_period(&once, paid), Ok(()));
        let cut = cut.index(rated.len());
        let days: Vec<RatedHour> =
            [&rated[..cut], &rated[cut..]].into_iter().filter(|part| !part.is_empty()).map(folded).collect();
        prop_assert_eq!(&statements(&history, &days), &once);
        rated.reverse();
        prop_assert_eq!(&statements(&history, &rated), &once);
        prop_assert_eq!(&statements(&history, &history.rated()), &once);
    }

    /// Lost hours keep everything that is not measured, and an hour never moves another.
    #[test]
    fn an_hour_measured_again_moves_that_hour_alone(history in history(), again in usage(0), place in any::<prop::sample::Index>()) {
        let before = history.rated();
        let place = place.index(history.hours.len());
        let mut changed = history.clone();
        let (owners, hours) = &mut changed.hours[place];
        hours.retain(|usage| usage.cluster != again.cluster);
        hours.push(UsageHour { hour: owners.hour, ..again });
        let after = changed.rated();
        for (index, (before, after)) in before.iter().zip(&after).enumerate() {
            prop_assert!(index == place || before == after);
            let unmeasured = |hour: &RatedHour| (hour.control.fixed, hour.control.service_fees);
            prop_assert_eq!(unmeasured(before), unmeasured(after));
        }
    }

    /// Terms and rounding of a month with two editions and moving cost centres, against fractions.
    #[test]
    fn statements_of_a_history_agree_with_the_naive_oracle(history in history()) {
        let rated = history.rated();
        let ours = statements(&history, &rated);
        let charges: Vec<_> = rated.iter().flat_map(|hour| hour.charges.iter().cloned()).collect();
        let owners: Vec<Owners> = history.hours.iter().map(|(owners, _)| owners.clone()).collect();
        let (exact, _) = oracle::statements(&history.book, "2026-10".parse().unwrap(), &owners, &charges);
        let none = oracle::whole(0);
        for statement in &ours.statements {
            let key = (statement.cost_center.clone(), statement.tenant.clone());
            prop_assert_eq!(&oracle::of_money(statement.exact), exact.get(&key).unwrap_or(&none));
        }
        prop_assert_eq!(oracle::of_money(ours.amount), oracle::half_away(&exact.values().sum(), &history.book));
    }
}
