//! What differs in the reporting currencies of cost centres.

use super::{Change, Threshold};
use crate::Overflow;
use crate::exchange::ExchangeRate;
use crate::money::{Currency, Money};
use crate::statement::Statement;

/// A total in a reporting currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// The currency.
    pub currency: Currency,
    /// The month's rate; none where the book has none, or nothing was converted.
    pub rate: Option<ExchangeRate>,
    /// The amount; none without a rate.
    pub amount: Option<Money>,
}

/// Totals in a reporting currency before and after: two books may name two currencies, and two rates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedChange {
    /// Before; none where the old book gives the cost centre no reporting currency.
    pub old: Option<Reported>,
    /// After; none where the new book gives it none.
    pub new: Option<Reported>,
    /// After without before; none unless both are amounts in one currency.
    pub difference: Option<Money>,
}

impl Reported {
    fn of(statement: &Statement) -> Option<Self> {
        let reporting = statement.reporting?;
        let (rate, amount) = reporting.converted.map(|converted| (converted.rate, converted.amount)).unzip();
        Some(Self { currency: reporting.currency, rate, amount })
    }

    /// Nothing in the same currency: at no rate, for nothing was converted.
    fn nothing(self) -> Self {
        Self { rate: None, amount: self.amount.map(|_| Money::ZERO), ..self }
    }

    fn add(self, other: Self) -> Result<Self, Overflow> {
        let amount = match (self.amount, other.amount) {
            (Some(sum), Some(more)) => Some(sum.checked_add(more)?),
            _ => None,
        };
        Ok(Self { rate: self.rate.or(other.rate), amount, ..self })
    }
}

impl ReportedChange {
    /// Of two statements; who has none on one side has nothing there, in the other side's currency.
    pub(super) fn of(old: Option<&Statement>, new: Option<&Statement>) -> Result<Option<Self>, Overflow> {
        let side = |own: Option<&Statement>, other: Option<&Statement>| match own {
            Some(statement) => Reported::of(statement),
            None => other.and_then(Reported::of).map(Reported::nothing),
        };
        Self::between(side(old, new), side(new, old))
    }

    /// Of a cost centre: its statements have one currency and one rate on each side.
    pub(super) fn sum<'c>(changes: impl Iterator<Item = Option<&'c Self>>) -> Result<Option<Self>, Overflow> {
        let (mut old, mut new) = (None, None);
        for change in changes.flatten() {
            plus(&mut old, change.old)?;
            plus(&mut new, change.new)?;
        }
        Self::between(old, new)
    }

    fn between(old: Option<Reported>, new: Option<Reported>) -> Result<Option<Self>, Overflow> {
        if old.is_none() && new.is_none() {
            return Ok(None);
        }
        let difference = match (old, new) {
            (Some(old), Some(new)) if old.currency == new.currency => match (old.amount, new.amount) {
                (Some(before), Some(after)) => Some(Change::of(before, after)?.difference),
                _ => None,
            },
            _ => None,
        };
        Ok(Some(Self { old, new, difference }))
    }

    /// Whether a person has to look at it: what was an amount is none any more or is in another currency, what is
    /// new has no rate, or it moved by more than a threshold. An amount is one of the book's currency, so here it
    /// is only asked whether anything may move at all.
    pub fn exceeds(&self, threshold: Threshold) -> Result<bool, Overflow> {
        let amount = |side: Option<Reported>| side.and_then(|side| side.amount);
        match (amount(self.old), amount(self.new), self.currency()) {
            (Some(old), Some(new), Some(_)) => {
                let change = Change::of(old, new)?;
                match threshold {
                    Threshold::Amount(most) => Ok(most == Money::ZERO && change.difference != Money::ZERO),
                    Threshold::Percent(_) => threshold.is_below(change),
                }
            }
            (Some(_), _, _) => Ok(true),
            (None, new, _) => Ok(new.is_none() && self.new.is_some() && self.old.is_none()),
        }
    }

    /// The currency of both; none where they are in two, or one is in none.
    pub fn currency(&self) -> Option<Currency> {
        let (old, new) = (self.old?, self.new?);
        (old.currency == new.currency).then_some(old.currency)
    }

    /// Whether something else stands there: an amount, a currency, a rate.
    pub fn moved(&self) -> bool {
        self.old != self.new
    }
}

fn plus(sum: &mut Option<Reported>, more: Option<Reported>) -> Result<(), Overflow> {
    *sum = match (*sum, more) {
        (Some(sum), Some(more)) => Some(sum.add(more)?),
        (sum, more) => sum.or(more),
    };
    Ok(())
}
