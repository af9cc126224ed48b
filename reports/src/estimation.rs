//! What a proposed tenant would cost, for people (text) and for programs (JSON).

use std::io::{self, Write};

use defray_pricing::decimal;
use defray_pricing::estimate::Estimate;
use defray_pricing::statement::Line;
use serde::Serialize;

use crate::SCHEMA_VERSION;
use crate::words::{line_name, table};

#[derive(Serialize)]
struct Document<'e> {
    schema_version: &'static str,
    demo: bool,
    tenant: &'e str,
    cost_center: &'e str,
    period: String,
    hours: u32,
    hours_known: u32,
    currency: String,
    lines: Vec<LineView<'e>>,
    amount: String,
    assumptions: &'e [String],
    not_estimated: &'e [String],
}

#[derive(Serialize)]
struct LineView<'e> {
    kind: &'static str,
    price_class: Option<String>,
    item: &'e str,
    quantity: Option<String>,
    unit: Option<&'static str>,
    unit_price: Option<String>,
    amount: String,
}

/// Writes it for programs: every number a decimal string.
pub fn json(estimate: &Estimate, demo: bool, out: &mut dyn Write) -> io::Result<()> {
    let exponent = estimate.currency.exponent();
    let lines = estimate.lines.iter().map(|line| LineView {
        kind: line.key.kind.as_str(),
        price_class: line.key.class.as_ref().map(ToString::to_string),
        item: &line.key.item,
        quantity: line.quantity.map(|(quantity, _)| quantity.to_string()),
        unit: line.quantity.map(|(_, unit)| unit.as_str()),
        unit_price: line.unit_price.map(|price| price.to_string()),
        amount: line.amount.format(exponent),
    });
    let document = Document {
        schema_version: SCHEMA_VERSION,
        demo,
        tenant: estimate.tenant.as_str(),
        cost_center: estimate.cost_center.as_str(),
        period: estimate.period.to_string(),
        hours: estimate.hours,
        hours_known: estimate.hours_known,
        currency: estimate.currency.to_string(),
        lines: lines.collect(),
        amount: estimate.amount.format(exponent),
        assumptions: &estimate.assumptions,
        not_estimated: &estimate.not_estimated,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// Writes it for the terminal.
pub fn text(estimate: &Estimate, demo: bool, out: &mut dyn Write) -> io::Result<()> {
    let (tenant, cost_center) = (&estimate.tenant, &estimate.cost_center);
    if demo {
        writeln!(out, "Demo data: every number is made up.")?;
    }
    writeln!(out, "What {tenant} on {cost_center} would cost a month, in {}", estimate.currency)?;
    let Estimate { period, hours, hours_known, .. } = estimate;
    writeln!(out, "Made on {period}, of which {hours_known} of {hours} hours were measured\n")?;
    let exponent = estimate.currency.exponent();
    let mut rows: Vec<Vec<String>> = estimate.lines.iter().map(|line| cells(line, exponent)).collect();
    let total = ["total", "", "", &estimate.amount.format(exponent)].map(str::to_owned);
    rows.push(total.to_vec());
    table(out, "  ", 1, &rows)?;
    list("Assumed", &estimate.assumptions, out)?;
    list("Not in the total", &estimate.not_estimated, out)
}

fn cells(line: &Line, exponent: u32) -> Vec<String> {
    let quantity = line
        .quantity
        .map(|(quantity, unit)| format!("{} {unit}", decimal::format(i128::from(quantity.micros()), 6, 0)));
    let price = line.unit_price.map(|price| format!("at {price}"));
    vec![
        line_name(&line.key),
        quantity.unwrap_or_default(),
        price.unwrap_or_default(),
        line.amount.format(exponent),
    ]
}

fn list(title: &str, items: &[String], out: &mut dyn Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}:")?;
    items.iter().try_for_each(|item| writeln!(out, "  - {item}"))
}
