//! Adjustments: corrections by hand, each once.

use chrono::NaiveDate;

use super::amounts::{date, name, signed_minor};
use crate::book::{Adjustment, AdjustmentOn};
use crate::money::Currency;
use crate::names::{CostCenter, TenantName};
use crate::problem::Refused;
use crate::yaml::Value;

/// One entry of `adjustments`.
pub(super) fn adjustment(value: &Value<'_>, currency: Option<Currency>) -> Result<Adjustment, Refused> {
    let mut keys = value.mapping()?;
    let date = keys.required("date", local_date);
    let reference = keys.required("reference", reference);
    let reason = keys.required("reason", name);
    let amount = keys.required("amount", |value| signed_minor(value, currency));
    let on = match keys.exactly_one(&["tenant", "cost_center"]) {
        Err(refused) => Err(refused),
        Ok("tenant") => keys.required("tenant", name).map(|name| AdjustmentOn::Tenant(TenantName::new(name))),
        Ok(_) => {
            keys.required("cost_center", name).map(|name| AdjustmentOn::CostCenter(CostCenter::new(name)))
        }
    };
    keys.finish();
    Ok(Adjustment { date: date?, reference: reference?, reason: reason?, on: on?, amount: amount? })
}

/// Lines say `reference: reason`, and no two adjustments may read alike.
fn reference(value: &Value<'_>) -> Result<String, Refused> {
    let text = name(value)?;
    if text.contains(": ") {
        return Err(value.refuse(
            format!("`{text}` is no reference: `: ` parts the reference from the reason on statements"),
            "write the number alone, such as CN-1042",
        ));
    }
    Ok(text)
}

fn local_date(value: &Value<'_>) -> Result<NaiveDate, Refused> {
    let text = value.text()?;
    date(text).ok_or_else(|| {
        value.refuse(format!("`{text}` is not a date"), "write a local date of the billing zone: 2026-10-14")
    })
}
