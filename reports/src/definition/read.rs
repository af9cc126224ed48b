//! A definition from YAML.

use defray_pricing::charge::Kind;
use defray_pricing::problem::{Problem, Refused};
use defray_pricing::quantity::Unit;
use defray_pricing::yaml::{Document, Value as Yaml};

use super::{Column, Definition, Field, Measure, Sum, Value};

pub(super) fn definition(file: &str, text: &str) -> Result<Definition, Vec<Problem>> {
    Document::parse(file, text)?.read(root)
}

fn root(value: &Yaml<'_>) -> Result<Definition, Refused> {
    let mut keys = value.mapping()?;
    // The name is for people who list definitions; nothing depends on it.
    let name = keys.required("name", Yaml::string);
    let group_by = keys.with_default("group_by", Vec::new(), |v| v.list(|v| v.word(&Field::GROUPS)));
    // Columns cannot be held against a grouping that is itself in doubt.
    let groups = group_by.as_deref().ok();
    let columns = keys.required("columns", |v| {
        if v.list(|_| Ok(()))?.is_empty() {
            return Err(v.refuse("there is no column", "list at least one"));
        }
        v.list(|v| column(v, groups))
    });
    let order = keys.with_default("order", Vec::new(), |v| {
        if groups.is_some_and(<[Field]>::is_empty) {
            return Err(v.refuse(
                "lines have one order and cannot be sorted",
                "leave `order` out, or group with `group_by`",
            ));
        }
        let Ok(columns) = &columns else { return Ok(Vec::new()) };
        let names: Vec<(&str, usize)> =
            columns.iter().enumerate().map(|(index, column)| (column.name.as_str(), index)).collect();
        v.list(|v| v.word(&names))
    });
    keys.finish();
    let (_, group_by, columns, order) = (name?, group_by?, columns?, order?);
    unique(value, &columns)?;
    Ok(Definition { columns, group_by, order })
}

fn unique(value: &Yaml<'_>, columns: &[Column]) -> Result<(), Refused> {
    let mut seen = std::collections::BTreeSet::new();
    match columns.iter().find(|column| !seen.insert(column.name.as_str())) {
        Some(twice) => {
            Err(value.refuse(format!("the column `{}` is there twice", twice.name), "give each its own name"))
        }
        None => Ok(()),
    }
}

fn column(value: &Yaml<'_>, group_by: Option<&[Field]>) -> Result<Column, Refused> {
    if value.is_mapping() {
        return sum(value, group_by);
    }
    let field = value.word(&Field::NAMES)?;
    let of_month = matches!(
        field,
        Field::SchemaVersion
            | Field::Period
            | Field::Status
            | Field::Version
            | Field::Currency
            | Field::Coverage
            | Field::PriceBookVersion
            | Field::PriceBookDigest
    );
    let converts = matches!(field, Field::ReportingCurrency | Field::ExchangeRate);
    let of_group = of_month || (converts && has_cost_center(group_by));
    if of_group || group_by.is_none_or(|groups| groups.is_empty() || groups.contains(&field)) {
        return Ok(Column { name: field.name().to_owned(), value: Value::Field(field) });
    }
    Err(value.refuse(
        format!("lines of one group differ in `{}`", field.name()),
        "add it to `group_by`, or sum it: {name: …, sum: amount}",
    ))
}

fn sum(value: &Yaml<'_>, group_by: Option<&[Field]>) -> Result<Column, Refused> {
    let mut keys = value.mapping()?;
    let name = keys.required("name", Yaml::string);
    let what = keys.required("sum", |v| {
        v.word(&[("amount", "amount"), ("reporting_amount", "reporting_amount"), ("quantity", "quantity")])
    });
    let unit = keys.optional("unit", Yaml::parsed::<Unit>);
    let kinds = keys.with_default("kinds", Vec::new(), |v| v.list(Yaml::parsed::<Kind>));
    keys.finish();
    let (name, what, unit, kinds) = (name?, what?, unit?, kinds?);
    if group_by.is_some_and(<[Field]>::is_empty) {
        return Err(value.refuse("there is nothing to sum over", "group with `group_by`"));
    }
    let of = match (what, unit) {
        ("quantity", None) => {
            return Err(value.refuse(
                "quantities of different units do not add up",
                "name the `unit`, for example Core-Hours",
            ));
        }
        ("quantity", Some(unit)) => Measure::Quantity(unit),
        (_, Some(_)) => return Err(value.refuse("amounts have no unit", "leave `unit` out")),
        ("reporting_amount", None) if !has_cost_center(group_by) => {
            return Err(value.refuse(
                "cost centres have different reporting currencies, which do not add up",
                "group by `cost_center` too",
            ));
        }
        ("reporting_amount", None) => Measure::Reporting,
        (_, None) => Measure::Amount,
    };
    Ok(Column { name, value: Value::Sum(Sum { of, kinds }) })
}

/// Whether every group is of one cost centre, and so of one reporting currency; taken as given while the grouping
/// is itself in doubt.
fn has_cost_center(group_by: Option<&[Field]>) -> bool {
    group_by.is_none_or(|groups| groups.contains(&Field::CostCenter))
}
