//! Charge days: rated from their hours and replaced whole.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use defray_pricing::charge::Charge;
use defray_pricing::digest::Digest;
use defray_pricing::time::{Hour, Period};

use crate::{Ledger, LedgerError, Scope, WriteGuard};

/// One local day of charges, hour by hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeDay {
    /// The day in the billing zone.
    pub day: NaiveDate,
    /// The billing period it belongs to.
    pub period: Period,
    /// Of everything it was made from: revisions, ownership, book, engine.
    pub inputs: Digest,
    /// The charges of each hour, as they were rated.
    pub hours: Vec<(Hour, Vec<Charge>)>,
}

/// One charge of one day: the day's charges of one key and namespace, added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyAmount {
    /// The day in the billing zone.
    pub day: NaiveDate,
    /// The charge, folded over the day.
    pub charge: Charge,
}

impl Ledger {
    /// Replaces a day whole. Under the digest it already has, nothing is written; says whether it was.
    pub async fn put_day(&self, _guard: &WriteGuard, _day: ChargeDay) -> Result<bool, LedgerError> {
        Err(LedgerError::NotYet("put_day"))
    }

    /// Under which digest each day of a period was rated.
    pub async fn day_inputs(
        &self,
        _scope: &Scope,
        _period: Period,
    ) -> Result<BTreeMap<NaiveDate, Digest>, LedgerError> {
        Err(LedgerError::NotYet("day_inputs"))
    }

    /// A day's charges folded over its hours, in the order of key, namespace.
    pub async fn day_charges(&self, _scope: &Scope, _day: NaiveDate) -> Result<Vec<Charge>, LedgerError> {
        Err(LedgerError::NotYet("day_charges"))
    }

    /// A day's charges hour by hour, as they were rated.
    pub async fn day_hours(
        &self,
        _scope: &Scope,
        _day: NaiveDate,
    ) -> Result<Vec<(Hour, Vec<Charge>)>, LedgerError> {
        Err(LedgerError::NotYet("day_hours"))
    }

    /// Folded charges of the days `[from, until)`, in the order of day, key, namespace.
    pub async fn daily(
        &self,
        _scope: &Scope,
        _from: NaiveDate,
        _until: NaiveDate,
    ) -> Result<Vec<DailyAmount>, LedgerError> {
        Err(LedgerError::NotYet("daily"))
    }
}
