//! What a restatement changes: signed differences of rounded lines, what is absent being zero.

use std::collections::BTreeMap;

use crate::Overflow;
use crate::charge::LineKey;
use crate::money::Money;
use crate::statement::PeriodStatements;

/// By how much one line differs between a version of a month and the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The line, with its price: one whose price changed is two, the old taken back and the new added.
    pub key: LineKey,
    /// What the next version adds, in whole minor units; negative for what it takes back.
    pub amount: Money,
}

/// The lines that differ, in the order of their keys. Together they are the difference of the two totals.
pub fn deltas(old: &PeriodStatements, new: &PeriodStatements) -> Result<Vec<Delta>, Overflow> {
    let mut sums: BTreeMap<&LineKey, Money> = BTreeMap::new();
    for line in new.statements.iter().flat_map(|statement| &statement.lines) {
        let sum = sums.entry(&line.key).or_default();
        *sum = sum.checked_add(line.amount)?;
    }
    for line in old.statements.iter().flat_map(|statement| &statement.lines) {
        let sum = sums.entry(&line.key).or_default();
        *sum = sum.checked_sub(line.amount)?;
    }
    let moved = sums.into_iter().filter(|(_, amount)| *amount != Money::ZERO);
    Ok(moved.map(|(key, amount)| Delta { key: key.clone(), amount }).collect())
}
