//! What a restatement changes, line by line.

use defray_pricing::money::Money;
use defray_pricing::rating::rate;
use defray_pricing::restatement::deltas;
use defray_pricing::statement::{MonthFacts, PeriodStatements, build};
use proptest::prelude::*;

use crate::properties::config;
use crate::worlds::{World, world};

fn month(world: &World) -> PeriodStatements {
    let charges = rate(&world.book, &world.owners, &world.usage).unwrap().charges;
    let facts = MonthFacts::of(world.book.zone, [&world.owners]);
    build(&world.book, world.book.zone.period_of(world.owners.hour), &facts, charges).unwrap()
}

#[test]
fn a_line_that_is_absent_is_zero_on_either_side() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let month = loop {
        let world = proptest::strategy::ValueTree::current(&world().new_tree(&mut runner).unwrap());
        let month = month(&world);
        if month.statements.iter().any(|statement| statement.lines.iter().any(|line| !line.amount.is_zero()))
        {
            break month;
        }
    };
    let none = PeriodStatements { statements: Vec::new(), amount: Money::ZERO, ..month.clone() };
    let (gone, new) = (deltas(&month, &none).unwrap(), deltas(&none, &month).unwrap());
    assert!(!new.is_empty());
    assert_eq!(gone.len(), new.len());
    for (gone, new) in gone.iter().zip(&new) {
        assert_eq!(gone.key, new.key);
        assert_eq!(gone.amount.checked_add(new.amount), Ok(Money::ZERO));
    }
    assert_eq!(deltas(&month, &month), Ok(Vec::new()));
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn deltas_add_up_to_the_difference_of_the_totals(old in world(), new in world()) {
        let (old, new) = (month(&old), month(&new));
        let found = deltas(&old, &new).unwrap();
        let sum = Money::sum(found.iter().map(|delta| delta.amount));
        prop_assert_eq!(sum, new.amount.checked_sub(old.amount));
        prop_assert!(found.windows(2).all(|pair| pair[0].key < pair[1].key));
        prop_assert!(found.iter().all(|delta| delta.amount != Money::ZERO));
    }
}
