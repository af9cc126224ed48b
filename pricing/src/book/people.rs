//! Whom a book names beside its prices, held against who existed.

use std::collections::{BTreeMap, BTreeSet};

use super::places::Entry;
use super::seen::{Misfits, problem};
use super::{AdjustmentOn, BudgetOf, Edition, PriceBook, Problem, Seen};
use crate::money::Currency;
use crate::names::CostCenter;
use crate::time::{HourRange, Period};

impl PriceBook {
    /// What the book says of tenants and cost centres that did not exist in the hours: it moves no amount, so
    /// it may be meant. Sorted, each once.
    pub fn doubts(&self, seen: &Seen, hours: HourRange) -> Vec<Problem> {
        let mut doubts = Vec::new();
        for period in self.periods_in(hours) {
            self.doubt_terms(seen, period, &mut doubts);
            self.doubt_budgets(seen, period, &mut doubts);
        }
        doubts.sort();
        doubts.dedup();
        doubts
    }

    /// The months that have some of the hours.
    pub(super) fn periods_in(&self, hours: HourRange) -> impl Iterator<Item = Period> {
        let first = (!hours.is_empty()).then(|| self.zone.period_of(hours.from));
        std::iter::successors(first, |period| Some(period.next()))
            .take_while(move |period| self.zone.hours(*period).from < hours.until)
    }

    fn doubt_terms(&self, seen: &Seen, period: Period, doubts: &mut Vec<Problem>) {
        let Some(edition) = self.terms_in(self.zone.hours(period)) else { return };
        let booked = self.booked_on(seen, period);
        for (name, terms) in &edition.cost_centers {
            // Terms act on what tenants are charged; a reporting currency on whatever is booked.
            let shown = terms.reporting_currency.is_some() && booked.contains(name);
            if !shown && !seen.cost_centers.contains(name) {
                let message = format!("terms for the cost centre `{name}`, which had no tenant in {period}");
                let mend = "correct the name, or let them wait for a tenant";
                doubts.push(self.places.of_entry(edition, Entry::Terms(name.clone()), message, mend));
            }
        }
    }

    fn doubt_budgets(&self, seen: &Seen, period: Period, doubts: &mut Vec<Problem>) {
        let booked = self.booked_on(seen, period);
        for budget in self.budgets_in(period) {
            let (known, but) = match &budget.of {
                BudgetOf::Tenant(name) => (seen.tenants.contains(name), "did not exist"),
                BudgetOf::CostCenter(name) => (booked.contains(name), "had nothing booked on it"),
            };
            if !known {
                let message = format!("a budget of the {}, which {but} in {period}", budget.of);
                let mend = "correct the name, or end it with `until`";
                doubts.push(self.places.of_budget(budget, message, mend));
            }
        }
    }

    /// Adjustments of those days for whom there was not: their lines are nobody's.
    pub(super) fn check_adjustments(&self, seen: &Seen, hours: HourRange, found: &mut Misfits) {
        let (from, until) = (self.zone.day_of(hours.from), self.zone.day_of(hours.until.previous()));
        let kept: BTreeSet<&CostCenter> = self.in_force(hours).flat_map(Edition::keepers).collect();
        for adjustment in self.adjustments.iter().filter(|entry| (from..=until).contains(&entry.date)) {
            let reference = &adjustment.reference;
            let (who, mend) = match &adjustment.on {
                AdjustmentOn::Tenant(name) if !seen.tenants.contains(name) => (
                    format!("`{name}`, which is no tenant"),
                    "correct the name, or give it to a cost centre: as it is it falls to `__unassigned__`",
                ),
                AdjustmentOn::CostCenter(name)
                    if !seen.cost_centers.contains(name) && !kept.contains(name) =>
                {
                    (
                        format!("the cost centre `{name}`, which had no tenant"),
                        "correct the name: as it is it falls to `__unassigned__`",
                    )
                }
                AdjustmentOn::Tenant(_) | AdjustmentOn::CostCenter(_) => continue,
            };
            let message = format!("the adjustment `{reference}` is for {who}");
            found.is_odd(self.places.of_adjustment(reference, message, mend));
        }
    }

    /// Months without the rate of a reporting currency cannot be closed, if anyone has a statement in it.
    pub(super) fn check_rates(&self, seen: &Seen, hours: HourRange, found: &mut Misfits) {
        for period in self.periods_in(hours) {
            let Some(edition) = self.terms_in(self.zone.hours(period)) else { continue };
            let booked = self.booked_on(seen, period);
            for (currency, cost_centers) in self.missing_rates(edition, period, &booked) {
                let message = format!(
                    "{currency} has no exchange rate for {period}, in which it is the reporting currency of {}",
                    cost_centers.join(", ")
                );
                let mend = format!("add it: currencies: {{{currency}: {{{period}: …}}}}");
                found.blocks(problem(edition, message, &mend));
            }
        }
    }

    /// The reporting currencies that a month has no rate for, with those that want them.
    fn missing_rates<'b>(
        &self,
        edition: &'b Edition,
        period: Period,
        booked: &BTreeSet<&CostCenter>,
    ) -> BTreeMap<Currency, Vec<&'b str>> {
        let mut missing: BTreeMap<Currency, Vec<&str>> = BTreeMap::new();
        for (cost_center, terms) in &edition.cost_centers {
            if let Some(currency) = terms.reporting_currency
                && self.rate(currency, period).is_none()
                && booked.contains(cost_center)
            {
                missing.entry(currency).or_default().push(cost_center.as_str());
            }
        }
        missing
    }

    /// The cost centres that something can be booked on in a month: their tenants', what is kept on them,
    /// what they are given by hand.
    fn booked_on<'b>(&'b self, seen: &'b Seen, period: Period) -> BTreeSet<&'b CostCenter> {
        let mut booked: BTreeSet<&CostCenter> = seen.cost_centers.iter().collect();
        for edition in self.in_force(self.zone.hours(period)) {
            booked.extend(edition.keepers());
        }
        booked.extend(self.adjustments_in(period).filter_map(|entry| match &entry.on {
            AdjustmentOn::CostCenter(cost_center) => Some(cost_center),
            AdjustmentOn::Tenant(_) => None,
        }));
        booked
    }
}
