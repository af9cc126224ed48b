//! What belongs to the book as a whole and has its own months: exchange rates and budgets.

use super::amounts::{budgeted, name};
use super::part::{Part, Several};
use super::{Placed, compete};

use crate::book::{Budget, BudgetOf, ExchangeRates};
use crate::exchange::ExchangeRate;
use crate::money::Currency;
use crate::names::{CostCenter, TenantName};
use crate::problem::Refused;
use crate::time::Period;
use crate::yaml::{Mapping, Value};

/// A rate of a currency in a month.
pub(super) type Rate = (Currency, Period, ExchangeRate);

/// The rates under `currencies`: by currency, by month.
pub(super) fn rates<'d>(keys: &mut Mapping<'d>, own: Option<Currency>) -> Several<'d, Rate> {
    let Some(value) = keys.get("currencies") else { return Several::NONE };
    let Ok(currencies) = value.entries() else { return Several::UNREADABLE };
    let mut rates = Several::NONE;
    for (key, months) in currencies {
        let currency =
            match key.text().parse::<Currency>() {
                Ok(currency) if Some(currency) == own => Err(key
                    .refuse(format!("`{currency}` is the currency of the book itself"), "remove its rates")),
                Ok(currency) => Ok(currency),
                Err(error) => Err(key.refuse(error.to_string(), "")),
            };
        let Ok(months) = months.entries() else {
            rates.complete = false;
            continue;
        };
        for (month, value) in months {
            let period = month.text().parse::<Period>();
            let period = period.map_err(|error| month.refuse(error.to_string(), "write the month: 2026-10"));
            let mend = "write how many units of it a unit of the book's currency is worth: \"163.52\"";
            let rate = value.parse_with(mend, str::parse::<ExchangeRate>);
            match (currency, period, rate) {
                (Ok(currency), Ok(period), Ok(rate)) => {
                    rates.items.push(Placed { place: value, value: (currency, period, rate) });
                }
                _ => rates.complete = false,
            }
        }
    }
    rates
}

/// One entry of `budgets`.
pub(super) fn budget(value: &Value<'_>, currency: Option<Currency>) -> Result<Budget, Refused> {
    let mut keys = value.mapping()?;
    let of = match keys.exactly_one(&["tenant", "cost_center"]) {
        Err(refused) => Err(refused),
        Ok("tenant") => keys.required("tenant", name).map(|name| BudgetOf::Tenant(TenantName::new(name))),
        Ok(_) => keys.required("cost_center", name).map(|name| BudgetOf::CostCenter(CostCenter::new(name))),
    };
    let from = keys.required("from", Value::parsed::<Period>);
    let until = keys.optional("until", |value| {
        let until = value.parsed::<Period>()?;
        match from {
            Ok(from) if until <= from => {
                let message = format!("`{until}` is not after `{from}`");
                Err(value.refuse(message, "write the first month in which it does not hold any more"))
            }
            _ => Ok(until),
        }
    });
    let per_month = keys.required("per_month", |value| budgeted(value, currency));
    keys.finish();
    Ok(Budget { of: of?, from: from?, until: until?, per_month: per_month? })
}

/// The rates of all files. A month has one rate.
pub(super) fn all_rates<'p, 'd: 'p>(parts: impl Iterator<Item = &'p Part<'d>>) -> ExchangeRates {
    let placed: Vec<_> = parts.flat_map(|part| part.rates.items.iter().cloned()).collect();
    compete::tell(
        &placed,
        |(currency, period, _)| (currency, period),
        |a, b| {
            let (currency, period, _) = b.value;
            let message = format!("the rate of {currency} in {period} is already given in {}", a.at());
            Some((message, "a month has one rate: keep one of the two"))
        },
    );
    let mut rates = ExchangeRates::new();
    for (currency, period, rate) in placed.into_iter().map(|placed| placed.value) {
        rates.entry(currency).or_default().insert(period, rate);
    }
    rates
}

/// The budgets of all files, in the order of whose they are and when. A month has one of each.
pub(super) fn all_budgets<'p, 'd: 'p>(parts: impl Iterator<Item = &'p Part<'d>>) -> Vec<Budget> {
    let placed: Vec<_> = parts.flat_map(|part| part.budgets.items.iter().cloned()).collect();
    compete::tell(
        &placed,
        |budget| &budget.of,
        |a, b| {
            a.value.overlaps(&b.value).then(|| {
                let message = format!("the {} already has a budget then, in {}", b.value.of, a.at());
                (message, "let the first end where the second begins: add `until` to it")
            })
        },
    );
    let mut budgets: Vec<Budget> = placed.into_iter().map(|placed| placed.value).collect();
    budgets.sort_by(|a, b| (&a.of, a.from).cmp(&(&b.of, b.from)));
    budgets
}

/// A reporting currency without a single rate is a slip: no statement could ever be shown in it.
pub(super) fn reporting_currencies_have_rates<'p, 'd: 'p>(
    parts: impl Iterator<Item = &'p Part<'d>> + Clone,
    rates: &ExchangeRates,
) {
    if parts.clone().any(|part| !part.rates.complete) {
        return;
    }
    for placed in parts.flat_map(|part| &part.cost_centers.items) {
        let (cost_center, terms) = &placed.value;
        if let Some(currency) = terms.reporting_currency.filter(|currency| !rates.contains_key(currency)) {
            let message = format!(
                "the reporting currency of `{cost_center}` is {currency}, which has no exchange rate"
            );
            let mend = format!("add its monthly rates: currencies: {{{currency}: {{2026-10: \"1.08\"}}}}");
            placed.place.refuse(message, mend);
        }
    }
}
