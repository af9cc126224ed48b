//! Listens while a month is rated.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{EditionInForce, MonthReason, Monthly, Step, StepKey};
use crate::Overflow;
use crate::book::PriceBook;
use crate::charge::{Charge, LineKey};
use crate::digest::Digest;
use crate::names::TenantName;
use crate::rating::{How, Trace};
use crate::statement::{MonthStep, MonthTrace};
use crate::time::{BillingZone, Hour};

/// Keeps how the charges of one tenant came about, by day or by hour: of a month never more than that.
#[derive(Debug, Clone)]
pub struct Recorder {
    pub(super) tenant: TenantName,
    pub(super) by_hour: bool,
    pub(super) zone: BillingZone,
    pub(super) book: Digest,
    pub(super) editions: Vec<EditionInForce>,
    pub(super) lines: BTreeMap<LineKey, BTreeMap<StepKey, Step>>,
    pub(super) month: Monthly,
}

impl Recorder {
    /// Listens for a tenant while a month is rated by a book.
    pub fn new(book: &PriceBook, tenant: TenantName, by_hour: bool) -> Self {
        let editions = book.editions.iter().map(|edition| EditionInForce {
            version: edition.version.clone(),
            effective_from: edition.effective_from,
        });
        Self {
            tenant,
            by_hour,
            zone: book.zone,
            book: book.digest,
            editions: editions.collect(),
            lines: BTreeMap::new(),
            month: Monthly::new(),
        }
    }

    /// Another that listens for the same, and has heard nothing yet.
    #[must_use]
    pub fn beside(&self) -> Self {
        let (lines, month) = (BTreeMap::new(), Monthly::new());
        let (tenant, editions) = (self.tenant.clone(), self.editions.clone());
        Self { tenant, by_hour: self.by_hour, zone: self.zone, book: self.book, editions, lines, month }
    }

    /// Adds what another heard of other hours.
    pub fn join(&mut self, other: Self) -> Result<(), Overflow> {
        for (line, steps) in other.lines {
            for step in steps.into_values() {
                self.step(&line, step)?;
            }
        }
        for (line, reasons) in other.month {
            self.month.entry(line).or_default().extend(reasons);
        }
        Ok(())
    }

    fn step(&mut self, line: &LineKey, step: Step) -> Result<(), Overflow> {
        let steps = self.lines.entry(line.clone()).or_default();
        match steps.entry(step.key.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(step);
                Ok(())
            }
            Entry::Occupied(mut entry) => entry.get_mut().add(&step, line),
        }
    }
}

impl Trace for Recorder {
    fn charge(&mut self, hour: Hour, charge: &Charge, how: &How<'_>) -> Result<(), Overflow> {
        if charge.key.tenant != self.tenant {
            return Ok(());
        }
        let in_force = self.editions.partition_point(|edition| edition.effective_from <= hour);
        let place = (self.zone.day_of(hour), self.by_hour.then_some(hour), in_force.saturating_sub(1));
        let step = Step::of(hour, place, charge, how)?;
        self.step(&charge.key, step)
    }
}

impl MonthTrace for Recorder {
    fn month(&mut self, charge: &Charge, step: &MonthStep<'_>) -> Result<(), Overflow> {
        if charge.key.tenant == self.tenant {
            let reasons = self.month.entry(charge.key.clone()).or_default();
            reasons.push(MonthReason::of(charge, step)?);
        }
        Ok(())
    }
}
