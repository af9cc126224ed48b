//! Prices, amounts, weights, percentages, patterns and dates, each with its limits.

use std::collections::BTreeMap;

use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, Utc};

use crate::book::{MonthlyAmount, Pattern, Weights};
use crate::decimal;
use crate::money::{Currency, Money, UnitPrice};
use crate::problem::Refused;
use crate::time::{BillingZone, Hour};
use crate::yaml::{Mapping, Value};

/// Decimals of prices, amounts per month and weights in a book.
const SCALE: u32 = 9;
/// Decimals of a percentage, so that its fraction has nine.
const PERCENT_SCALE: u32 = 7;
/// Decimals of amounts without a currency: the book is refused anyway, and most currencies have two.
const TWO_DIGITS: u32 = 2;
/// Decimals that turn a price in 1e-9 into one in 1e-12.
const NANOS_TO_PICOS: i128 = decimal::pow10(3);
/// No price or amount is larger: a million million, in any currency.
const MOST: i128 = decimal::pow10(12);
/// No markup is larger.
const MOST_PERCENT: i128 = 1_000;

/// A count of `10^-scale`, not negative and not absurd.
fn amount(value: &Value<'_>, scale: u32) -> Result<i128, Refused> {
    let text = value.text()?;
    let number =
        value.parse_with("write it like 0.031, in quotes or not", |text| decimal::parse(text, scale))?;
    if text.starts_with('-') {
        let mend = "a price is zero or more; to charge less, agree a discount with the cost centre";
        return Err(value.refuse(format!("`{text}` is negative"), mend));
    }
    if number.checked_div(decimal::pow10(scale)).is_none_or(|units| units >= MOST) {
        return Err(value.refuse(format!("`{text}` is too large"), "prices stay below 1000000000000"));
    }
    Ok(number)
}

/// A price of at most nine decimals.
pub(super) fn price(value: &Value<'_>) -> Result<UnitPrice, Refused> {
    let nanos = amount(value, SCALE)?;
    match nanos.checked_mul(NANOS_TO_PICOS) {
        Some(picos) => Ok(UnitPrice::from_picos(picos)),
        None => Err(value.refuse("the price is too large", "")),
    }
}

/// `per_month` or `per_year`; both or none is refused.
pub(super) fn monthly(keys: &mut Mapping<'_>, currency: Option<Currency>) -> Result<MonthlyAmount, Refused> {
    match keys.exactly_one(&["per_month", "per_year"])? {
        "per_month" => keys.required("per_month", per_month),
        _ => keys.required("per_year", |value| per_year(value, currency)),
    }
}

/// An amount per month, of at most nine decimals.
pub(super) fn per_month(value: &Value<'_>) -> Result<MonthlyAmount, Refused> {
    amount(value, SCALE).map(|nanos| MonthlyAmount::Month { nanos })
}

/// What somebody means to spend: whole minor units above zero, as statements are in.
pub(super) fn budgeted(value: &Value<'_>, currency: Option<Currency>) -> Result<Money, Refused> {
    let text = value.text()?;
    let exponent = currency.map_or(TWO_DIGITS, |currency| currency.exponent());
    let minor =
        value.parse_with("a budget is in whole minor units", |text| decimal::parse(text, exponent))?;
    if minor <= 0 {
        let message = format!("`{text}` is no budget: no share of it can be told");
        return Err(value.refuse(message, "give an amount above zero, or remove the entry"));
    }
    whole(value, minor, exponent)
}

/// An amount per year: twelve months are made of whole minor units, so it is a number of them.
pub(super) fn per_year(value: &Value<'_>, currency: Option<Currency>) -> Result<MonthlyAmount, Refused> {
    let exponent = currency.map_or(TWO_DIGITS, |currency| currency.exponent());
    amount(value, exponent).map(|minor| MonthlyAmount::Year { minor })
}

/// Whole minor units, to give or to take; not zero and not absurd.
pub(super) fn signed_minor(value: &Value<'_>, currency: Option<Currency>) -> Result<Money, Refused> {
    let exponent = currency.map_or(TWO_DIGITS, |currency| currency.exponent());
    let minor =
        value.parse_with("a credit is negative: \"-250.00\"", |text| decimal::parse(text, exponent))?;
    if minor == 0 {
        return Err(value.refuse("nothing is adjusted by zero", "write the amount, or remove the entry"));
    }
    whole(value, minor, exponent)
}

/// So many minor units, if they are not absurd.
fn whole(value: &Value<'_>, minor: i128, exponent: u32) -> Result<Money, Refused> {
    let units = minor.checked_abs().and_then(|minor| minor.checked_div(decimal::pow10(exponent)));
    match Money::from_minor(minor, exponent) {
        Ok(amount) if units.is_some_and(|units| units < MOST) => Ok(amount),
        _ => {
            let message = format!("`{}` is too large", value.text()?);
            Err(value.refuse(message, "amounts stay below 1000000000000"))
        }
    }
}

/// What a core, a GiB and each kind of GPU are worth to each other.
pub(super) fn weights(value: &Value<'_>) -> Result<Weights, Refused> {
    let mut keys = value.mapping()?;
    let cpu = keys.required("cpu", weight);
    let memory = keys.required("memory", weight);
    let gpu = keys.with_default("gpu", BTreeMap::new(), |value| by_gpu(value, weight));
    keys.finish();
    let weights = Weights { cpu: cpu?, memory: memory?, gpu: gpu? };
    if weights.cpu == 0 && weights.memory == 0 && weights.gpu.values().all(|weight| *weight == 0) {
        let mend = "give at least one resource a weight above zero";
        return Err(value.refuse("all weights are zero, so the cost cannot be split", mend));
    }
    Ok(weights)
}

/// Something by GPU resource name.
pub(super) fn by_gpu<T>(
    value: &Value<'_>,
    read: impl Fn(&Value<'_>) -> Result<T, Refused>,
) -> Result<BTreeMap<String, T>, Refused> {
    value.map(
        |key| match key.text() {
            name if name.contains('/') => Ok(name.to_owned()),
            name => {
                let message = format!("`{name}` is not the name of a GPU resource");
                Err(key.refuse(message, "write it as Kubernetes does: nvidia.com/gpu"))
            }
        },
        read,
    )
}

/// A relative worth, in 1e-9.
pub(super) fn weight(value: &Value<'_>) -> Result<u64, Refused> {
    let text = value.text()?;
    let nanos = value.parse_with("", |text| decimal::parse(text, SCALE))?;
    let narrow = u64::try_from(nanos).ok().filter(|_| !text.starts_with('-'));
    narrow.ok_or_else(|| {
        let message = format!("`{text}` is negative or too large for a weight");
        value.refuse(message, "a weight is zero or more, and below 18000000000")
    })
}

/// A percentage such as `2.5%`, as 1e-9 of the whole.
pub(super) fn percentage(value: &Value<'_>, most: i128) -> Result<i64, Refused> {
    let text = value.text()?;
    let Some(number) = text.strip_suffix('%') else {
        return Err(value.refuse(format!("`{text}` is not a percentage"), "write it like \"10%\""));
    };
    let share = decimal::parse(number.trim_end(), PERCENT_SCALE)
        .map_err(|error| value.refuse(error.to_string(), "write it like \"10%\""))?;
    let limit = most.saturating_mul(decimal::pow10(PERCENT_SCALE));
    match i64::try_from(share) {
        Ok(narrow) if !number.starts_with('-') && share <= limit => Ok(narrow),
        _ => Err(value.refuse(format!("`{text}` is not between 0% and {most}%"), "")),
    }
}

/// At most all of it.
pub(super) fn discount(value: &Value<'_>) -> Result<i64, Refused> {
    percentage(value, 100)
}

/// A surcharge.
pub(super) fn markup(value: &Value<'_>) -> Result<i64, Refused> {
    percentage(value, MOST_PERCENT)
}

/// A name or a glob, not empty.
pub(super) fn pattern(value: &Value<'_>) -> Result<Pattern, Refused> {
    match value.text()? {
        "" => Err(value.refuse("empty text matches no name", "write a name, or `*` for all")),
        _ => value.parsed(),
    }
}

/// A name or a glob; `""` matches only what has no name.
pub(super) fn pattern_or_empty(value: &Value<'_>) -> Result<Pattern, Refused> {
    value.parsed()
}

/// A name: not empty, no white space around it, none of the reserved ones.
pub(super) fn name(value: &Value<'_>) -> Result<String, Refused> {
    check_name(value.text()?).map_err(|message| value.refuse(message, ""))
}

/// Whether text can be a name.
pub(super) fn check_name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("empty text is no name".to_owned())
    } else if text.trim() != text || text.chars().any(char::is_control) {
        Err(format!("`{text}` has white space around it or control characters in it"))
    } else if text.starts_with("__") {
        Err(format!("`{text}` is reserved, like every name that begins with `__`"))
    } else {
        Ok(text.to_owned())
    }
}

/// A date or time of the billing zone, or a time with an offset; on a full UTC hour.
pub(super) fn instant(value: &Value<'_>, zone: BillingZone) -> Result<Hour, Refused> {
    const MEND: &str = "write a local date (2026-10-01), a local time (2026-10-01T06:00) or a time with \
                        an offset (2026-10-01T06:00:00+02:00)";
    let text = value.text()?;
    let instant: DateTime<Utc> = if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        instant.with_timezone(&Utc)
    } else if let Some(date) = date(text) {
        zone.midnight(date)
    } else if let Some(local) = local_time(text) {
        match zone.instants(local) {
            MappedLocalTime::Single(instant) => instant,
            MappedLocalTime::Ambiguous(_, _) => {
                let message = format!("`{text}` happens twice in {}: clocks are set back", zone.name());
                return Err(value.refuse(message, "write it with an offset"));
            }
            MappedLocalTime::None => {
                let message = format!("`{text}` does not happen in {}: clocks are set forward", zone.name());
                return Err(value.refuse(message, "write it with an offset"));
            }
        }
    } else {
        return Err(value.refuse(format!("`{text}` is not a date"), MEND));
    };
    let hour = Hour::containing(instant);
    if hour.start() == instant {
        return Ok(hour);
    }
    let utc = instant.format("%Y-%m-%dT%H:%M:%SZ");
    let message = format!("`{text}` is {utc}, which is not on a full UTC hour");
    Err(value.refuse(message, "prices change at the start of a UTC hour"))
}

/// A date such as 2026-10-01.
pub(super) fn date(text: &str) -> Option<NaiveDate> {
    // chrono takes one-digit months too.
    (text.len() == "2026-10-01".len()).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

fn local_time(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        .into_iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}
