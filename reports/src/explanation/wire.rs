//! For programs: every number a decimal string.

use std::io::{self, Write};

use defray_pricing::explain::{
    Conversion, ConvertedLine, Explained as Statement, ExplainedLine, MonthReason, Reason, Split, Step,
    amount_in_words, paid_in_words, rate_in_words, rule_in_words,
};
use defray_pricing::names::{ClusterName, Namespace, VirtualNamespace};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Explained, scaled};
use crate::SCHEMA_VERSION;

#[derive(Serialize)]
struct Document<'e> {
    schema_version: &'static str,
    demo: bool,
    period: String,
    period_hours: u32,
    billing_zone: &'static str,
    currency: String,
    tenant: &'e str,
    book_digest: String,
    editions: Vec<EditionView<'e>>,
    /// Whether this explains the stored statements.
    of_stored: bool,
    statements: Vec<StatementView<'e>>,
}

#[derive(Serialize)]
struct EditionView<'e> {
    version: &'e str,
    effective_from: String,
}

#[derive(Serialize)]
struct StatementView<'e> {
    cost_center: &'e str,
    exact: String,
    amount: String,
    /// The total in the reporting currency of its cost centre, if it has one.
    reporting: Option<ConversionView>,
    lines: Vec<LineView<'e>>,
}

#[derive(Serialize)]
struct ConversionView {
    currency: String,
    /// None, like what follows from it, while the price book has no rate for the month.
    rate: Option<String>,
    /// Where in the price book the rate stands, or is missing.
    rate_from: String,
    exact: Option<String>,
    amount: Option<String>,
}

#[derive(Serialize)]
struct ConvertedView {
    exact: String,
    rounding: RoundingView,
    amount: String,
}

#[derive(Serialize)]
struct LineView<'e> {
    cluster: Option<&'e str>,
    virtual_namespace: Option<&'e str>,
    kind: &'static str,
    price_class: Option<String>,
    item: &'e str,
    quantity: Option<String>,
    unit: Option<&'static str>,
    unit_price: Option<String>,
    exact: String,
    rounding: RoundingView,
    amount: String,
    /// The same in the reporting currency; none where there is none, or no rate.
    reporting: Option<ConvertedView>,
    steps: Vec<StepView<'e>>,
    /// For what acts on the month: what was computed for the cost centre, and the tenant's part.
    month: Vec<MonthView>,
}

#[derive(Serialize)]
struct MonthView {
    rule: String,
    whole: String,
    /// How the whole fell on the cost centre's tenants: `alone`, `own`, `proportional`, `even`.
    split: &'static str,
    /// What it acts on, of this tenant: for `own` the exact difference, for `even` none.
    base: Option<String>,
    /// What it acts on, of everyone who takes part; only for `proportional`.
    bases: Option<String>,
    /// How many take part; only for `proportional` and `even`.
    tenants: Option<usize>,
    amount: String,
}

#[derive(Serialize)]
struct RoundingView {
    floor: String,
    remainder: String,
    topped_up: bool,
}

#[derive(Serialize)]
struct StepView<'e> {
    day: String,
    hour: Option<String>,
    hours: u32,
    namespace: Option<&'e str>,
    edition: Option<&'e str>,
    quantity: Option<String>,
    unit: Option<&'static str>,
    amount: String,
    rule: Value,
}

/// Writes everything.
pub fn write(of: &Explained, out: &mut dyn Write) -> io::Result<()> {
    let explanation = &of.explanation;
    let editions = explanation.editions.iter().map(|edition| EditionView {
        version: &edition.version,
        effective_from: edition.effective_from.to_string(),
    });
    let document = Document {
        schema_version: SCHEMA_VERSION,
        demo: of.demo,
        period: explanation.period.to_string(),
        period_hours: explanation.hours,
        billing_zone: explanation.zone.name(),
        currency: explanation.currency.to_string(),
        tenant: explanation.tenant.as_str(),
        book_digest: explanation.book.to_string(),
        editions: editions.collect(),
        of_stored: of.of_stored,
        statements: explanation.statements.iter().map(|statement| view(of, statement)).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn view<'e>(of: &'e Explained, statement: &'e Statement) -> StatementView<'e> {
    StatementView {
        cost_center: statement.cost_center.as_str(),
        exact: statement.exact.to_string(),
        amount: statement.amount.format(of.explanation.currency.exponent()),
        reporting: statement.reporting.as_ref().map(|conversion| conversion_view(of, conversion)),
        lines: statement.lines.iter().map(|line| line_view(of, statement, line)).collect(),
    }
}

fn conversion_view(of: &Explained, conversion: &Conversion) -> ConversionView {
    let exponent = conversion.currency.exponent();
    let converted = conversion.converted;
    ConversionView {
        currency: conversion.currency.to_string(),
        rate: converted.map(|converted| converted.rate.to_string()),
        rate_from: conversion.source(of.explanation.period),
        exact: converted.map(|converted| converted.exact.to_string()),
        amount: converted.map(|converted| converted.amount.format(exponent)),
    }
}

fn converted_view(conversion: &Conversion, line: &ConvertedLine) -> ConvertedView {
    let exponent = conversion.currency.exponent();
    ConvertedView {
        exact: line.exact.to_string(),
        rounding: RoundingView {
            floor: line.floor.format(exponent),
            remainder: line.remainder.to_string(),
            topped_up: line.topped_up,
        },
        amount: line.amount.format(exponent),
    }
}

fn line_view<'e>(of: &'e Explained, statement: &Statement, explained: &'e ExplainedLine) -> LineView<'e> {
    let exponent = of.explanation.currency.exponent();
    let (line, rounding) = (&explained.line, explained.rounding);
    let conversion = statement.reporting.as_ref().zip(explained.reporting.as_ref());
    LineView {
        cluster: line.key.cluster.as_ref().map(ClusterName::as_str),
        virtual_namespace: line.key.virtual_namespace.as_ref().map(VirtualNamespace::as_str),
        kind: line.key.kind.as_str(),
        price_class: line.key.class.as_ref().map(ToString::to_string),
        item: &line.key.item,
        quantity: line.quantity.map(|(quantity, _)| quantity.to_string()),
        unit: line.quantity.map(|(_, unit)| unit.as_str()),
        unit_price: line.unit_price.map(|price| price.to_string()),
        exact: line.exact.to_string(),
        rounding: RoundingView {
            floor: rounding.floor.format(exponent),
            remainder: rounding.remainder.to_string(),
            topped_up: rounding.topped_up,
        },
        amount: line.amount.format(exponent),
        reporting: conversion.map(|(conversion, line)| converted_view(conversion, line)),
        steps: explained.steps.iter().map(|step| step_view(of, step)).collect(),
        month: explained.month.iter().map(month_view).collect(),
    }
}

fn month_view(reason: &MonthReason) -> MonthView {
    let (split, base, bases, tenants) = match &reason.split {
        Split::Alone => ("alone", None, None, None),
        Split::Own { difference } => ("own", Some(difference), None, None),
        Split::Proportional { base, bases, tenants } => {
            ("proportional", Some(base), Some(bases), Some(*tenants))
        }
        Split::Even { tenants } => ("even", None, None, Some(*tenants)),
    };
    MonthView {
        rule: rule_in_words(&reason.rule),
        whole: reason.whole.to_string(),
        split,
        base: base.map(ToString::to_string),
        bases: bases.map(ToString::to_string),
        tenants,
        amount: reason.amount.to_string(),
    }
}

fn step_view<'e>(of: &'e Explained, step: &'e Step) -> StepView<'e> {
    let edition = of.explanation.editions.get(step.key.edition);
    StepView {
        day: step.key.day.to_string(),
        hour: step.key.hour.map(|hour| hour.to_string()),
        hours: step.hours,
        namespace: step.key.namespace.as_ref().map(Namespace::as_str),
        edition: edition.map(|edition| edition.version.as_str()),
        quantity: step.quantity.map(|(quantity, _)| quantity.to_string()),
        unit: step.quantity.map(|(_, unit)| unit.as_str()),
        amount: step.amount.to_string(),
        rule: rule(of, &step.reason),
    }
}

fn rule(of: &Explained, reason: &Reason) -> Value {
    let currency = &of.explanation.currency;
    match reason {
        Reason::Price { rate, price } => json!({
            "rule": "quantity x unit price",
            "unit_price": price.to_string(),
            "price": rate_in_words(*rate, of.explanation.hours),
        }),
        Reason::Nodes { paid } => json!({"rule": "whole pool", "paid": paid_in_words(*paid, currency)}),
        Reason::NodeShare(share) => json!({
            "rule": "resource part x own / the larger of wanted and capacity",
            "paid": paid_in_words(share.paid, currency),
            "node_hours": share.node_hours.to_string(),
            "node_cost": share.cost.to_string(),
            "weight": scaled(u128::from(share.weight), 9),
            // Weights have nine digits after the point, capacities six.
            "weight_x_capacity": scaled(share.worth, 15),
            "weight_x_capacity_of_all": scaled(share.worths, 15),
            "resource_part": share.part.to_string(),
            "wanted": share.wanted.to_string(),
            "capacity": share.capacity.to_string(),
            "hours_scaled": share.scaled_hours,
        }),
        Reason::Fee { amount } => {
            json!({"rule": "monthly fee by hours", "fee": amount_in_words(*amount, currency)})
        }
        Reason::Share(share) => json!({
            "rule": "whole x own base / all bases",
            "by": share.by.as_str(),
            "whole": share.whole.to_string(),
            "base": scaled(share.base, share.by.scale()),
            "bases": scaled(share.bases, share.by.scale()),
            "recipients": share.recipients,
        }),
        Reason::Kept { on } => {
            json!({"rule": "kept whole", "on": on.as_ref().map(ToString::to_string)})
        }
        Reason::NoNodes => json!({"rule": "paid for nodes that were not there"}),
        Reason::NoPrice => json!({"rule": "no price"}),
    }
}
