//! What acts on the month says how it came about, to whoever listens.

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;

use crate::Overflow;
use crate::book::BandRate;
use crate::charge::Charge;
use crate::money::{Money, UnitPrice};
use crate::names::TenantName;
use crate::quantity::Quantity;

/// Listens while terms and adjustments are applied.
pub trait MonthTrace: fmt::Debug {
    /// A charge, and how it came about.
    fn month(&mut self, charge: &Charge, step: &MonthStep<'_>) -> Result<(), Overflow>;
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unheard;

impl MonthTrace for Unheard {
    fn month(&mut self, _charge: &Charge, _step: &MonthStep<'_>) -> Result<(), Overflow> {
        Ok(())
    }
}

/// Something that was computed for a cost centre and split over its statements.
#[derive(Debug, Clone, Copy)]
pub struct MonthStep<'m> {
    /// All of it, in 1e-9.
    pub whole: i128,
    /// What it acts on, of each tenant; empty where it is one tenant's alone.
    pub bases: &'m BTreeMap<&'m TenantName, Money>,
    /// By which rule.
    pub rule: &'m MonthRule,
}

/// What acts on a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MonthRule {
    /// A price in place of the list's.
    Override {
        /// The price, per unit in this month.
        price: UnitPrice,
    },
    /// A band of a tier.
    Band {
        /// How many units are in the band.
        units: Quantity,
        /// How many the cost centre has in all.
        of: Quantity,
        /// What these cost.
        cost: Money,
        /// What the band's units cost instead.
        rate: BandRate,
    },
    /// A discount or markup, in 1e-9.
    Percentage(i64),
    /// What misses to a minimum.
    Minimum {
        /// The least that the month costs, by the hours in which the cost centre had a tenant.
        least: Money,
        /// What it came to without.
        reached: Money,
    },
    /// A correction by hand.
    Adjustment {
        /// Its day.
        date: NaiveDate,
        /// Why.
        reason: String,
        /// Finance's own number for it.
        reference: String,
    },
}
