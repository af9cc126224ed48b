//! The lines of a month while its charges come in.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::charge::{Charge, LineKey};
use crate::money::Money;
use crate::quantity::{Quantity, Unit};
use crate::rating::{RatingError, add_quantities};

/// Lines before terms and rounding.
///
/// Charges come sorted, hour by hour, and hours resemble each other: the line of a charge nearly always follows
/// that of the charge before. So lines stand in a row that is walked along: what a charge costs does not grow
/// with their number, as it would if each were looked for from the root of a tree. In any other order it does.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// In the order of their keys.
    row: Vec<(LineKey, Sum)>,
    /// Where in the row the charge before was found.
    at: usize,
    /// Lines that are not in the row yet.
    fresh: BTreeMap<LineKey, Sum>,
    /// How many charges came since the row was made.
    since: usize,
}

/// What the charges of a line add up to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum {
    pub(super) quantity: Option<(Quantity, Unit)>,
    pub(super) amount: Money,
}

impl Lines {
    /// How many lines are passed over before all are searched: a tenant may miss some in an hour.
    const NEAR: usize = 16;

    /// Adds a charge to its line.
    pub(super) fn add(&mut self, charge: Charge) -> Result<(), RatingError> {
        let place = self.find(&charge.key);
        self.at = place.unwrap_or_else(|next| next);
        let line = match place {
            Ok(place) => self.row.get_mut(place).map(|(_, sum)| sum),
            Err(_) => self.fresh.get_mut(&charge.key),
        };
        let Charge { key, quantity, amount, namespace: _ } = charge;
        if let Some(sum) = line {
            sum.amount = sum.amount.checked_add(amount)?;
            sum.quantity = add_quantities(sum.quantity, quantity, &key)?;
        } else {
            self.fresh.insert(key, Sum { quantity, amount });
        }
        self.since = self.since.saturating_add(1);
        // So many charges pay for making the row anew.
        if self.since >= self.row.len() && !self.fresh.is_empty() {
            self.settle();
        }
        Ok(())
    }

    /// The place of a key in the row, or of the first line after it.
    fn find(&self, key: &LineKey) -> Result<usize, usize> {
        let ahead = (self.at..).zip(self.row.get(self.at..).unwrap_or_default());
        for (place, (other, _)) in ahead.take(Self::NEAR) {
            match other.cmp(key) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(place),
                Ordering::Greater if place > self.at => return Err(place),
                // With every hour the row begins anew.
                Ordering::Greater => break,
            }
        }
        self.row.binary_search_by(|(other, _)| other.cmp(key))
    }

    /// Brings what is fresh into the row.
    fn settle(&mut self) {
        self.row.extend(std::mem::take(&mut self.fresh));
        // Two sorted runs: one pass.
        self.row.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.since = 0;
    }

    /// All of them, in the order of their keys.
    pub(super) fn sorted(&mut self) -> &[(LineKey, Sum)] {
        self.settle();
        &self.row
    }

    /// All of them, in the order of their keys.
    pub(super) fn into_sorted(mut self) -> Vec<(LineKey, Sum)> {
        self.settle();
        self.row
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::charge::Kind;

    fn charge(tenant: u8, item: u8, nanos: i64) -> Charge {
        Charge {
            key: LineKey {
                cost_center: "CC".into(),
                tenant: format!("t{tenant}").into(),
                cluster: None,
                virtual_namespace: None,
                kind: Kind::Idle,
                class: None,
                item: format!("i{item}"),
                unit_price: None,
            },
            namespace: None,
            quantity: None,
            amount: Money::from_nanos(i128::from(nanos)).unwrap(),
        }
    }

    /// The lines that a tree would have made of the same charges.
    fn tree(charges: &[Charge]) -> Vec<(LineKey, Money)> {
        let mut lines: BTreeMap<LineKey, Money> = BTreeMap::new();
        for charge in charges {
            let sum = lines.entry(charge.key.clone()).or_default();
            *sum = sum.checked_add(charge.amount).unwrap();
        }
        lines.into_iter().collect()
    }

    proptest! {
        #[test]
        fn charges_find_their_lines_in_whatever_order_they_come(
            charges in proptest::collection::vec((0..12_u8, 0..12_u8, -9_i64..9), 0..400),
            sorted_by in 1..200_usize,
        ) {
            let mut charges: Vec<Charge> = charges.into_iter().map(|(t, i, n)| charge(t, i, n)).collect();
            // Hours: each is sorted, some have lines that others lack.
            for hour in charges.chunks_mut(sorted_by) {
                hour.sort_by(|a, b| a.key.cmp(&b.key));
            }
            let mut lines = Lines::default();
            for charge in &charges {
                lines.add(charge.clone()).unwrap();
            }
            let found: Vec<_> = lines.into_sorted().into_iter().map(|(key, sum)| (key, sum.amount)).collect();
            prop_assert_eq!(found, tree(&charges));
        }
    }
}
