//! For programs: amounts are decimal strings, as everywhere.

use std::io::{self, Write};

use defray_pricing::diff::{Change, LineDiff, Reported, ReportedChange, Side};
use defray_pricing::money::Currency;
use serde::Serialize;

use super::{Book, PriceDiff, broken};
use crate::SCHEMA_VERSION;

#[derive(Serialize)]
struct Document {
    schema_version: &'static str,
    demo: bool,
    period: String,
    currency: String,
    old: BookView,
    new: BookView,
    /// Whether the old amounts are the stored statements.
    old_is_stored: bool,
    total: ChangeView,
    threshold: Option<ThresholdView>,
    cost_centers: Vec<CostCenterView>,
    statements: Vec<StatementView>,
    /// How many lines have a price in the old book and none in the new one, for all of their usage or some.
    newly_unpriced: usize,
}

#[derive(Serialize)]
struct BookView {
    book_digest: String,
    book_versions: Vec<String>,
}

#[derive(Serialize)]
struct ChangeView {
    old: String,
    new: String,
    difference: String,
}

/// In a reporting currency: the books may name two, and two rates.
#[derive(Serialize)]
struct ReportedChangeView {
    old: Option<ReportedView>,
    new: Option<ReportedView>,
    /// None unless both are amounts in one currency.
    difference: Option<String>,
}

#[derive(Serialize)]
struct ReportedView {
    currency: String,
    rate: Option<String>,
    amount: Option<String>,
}

#[derive(Serialize)]
struct ThresholdView {
    value: String,
    /// What moved by more: `the total`, or cost centre and tenant.
    above: Vec<String>,
    /// Whether a pipeline has to stop: something moved by more, or lost its price (`newly_unpriced`).
    fails: bool,
}

#[derive(Serialize)]
struct CostCenterView {
    cost_center: String,
    #[serde(flatten)]
    change: ChangeView,
    /// Where either book gives the cost centre a reporting currency.
    reporting: Option<ReportedChangeView>,
}

#[derive(Serialize)]
struct StatementView {
    cost_center: String,
    tenant: String,
    #[serde(flatten)]
    change: ChangeView,
    /// Where either book gives the cost centre a reporting currency.
    reporting: Option<ReportedChangeView>,
    /// Those that moved.
    lines: Vec<LineView>,
}

#[derive(Serialize)]
struct LineView {
    cluster: Option<String>,
    virtual_namespace: Option<String>,
    kind: &'static str,
    price_class: Option<String>,
    item: String,
    #[serde(flatten)]
    change: ChangeView,
    /// In the statement's reporting currency, where both sides are in one and have its rate.
    reporting: Option<ChangeView>,
    old_line: Option<SideView>,
    new_line: Option<SideView>,
}

#[derive(Serialize)]
struct SideView {
    quantity: Option<String>,
    unit: Option<&'static str>,
    unit_prices: Vec<String>,
    exact: String,
}

/// Writes everything.
pub fn write(of: &PriceDiff, out: &mut dyn Write) -> io::Result<()> {
    let diff = &of.diff;
    let statements = diff.statements.iter().map(|statement| StatementView {
        cost_center: statement.cost_center.to_string(),
        tenant: statement.tenant.to_string(),
        change: change(of, statement.change),
        reporting: statement.reporting.as_ref().map(reported_change),
        lines: statement.lines.iter().map(|moved| line(of, statement.reporting.as_ref(), moved)).collect(),
    });
    let cost_centers = diff.cost_centers.iter().map(|moved| CostCenterView {
        cost_center: moved.cost_center.to_string(),
        change: change(of, moved.change),
        reporting: moved.reporting.as_ref().map(reported_change),
    });
    let threshold = match of.threshold {
        Some(value) => Some(ThresholdView {
            value: value.to_string(),
            above: of.above().map_err(broken)?,
            fails: of.fails().map_err(broken)?,
        }),
        None => None,
    };
    let document = Document {
        schema_version: SCHEMA_VERSION,
        demo: of.demo,
        period: diff.period.to_string(),
        currency: diff.currency.to_string(),
        old: book(&of.old),
        new: book(&of.new),
        old_is_stored: of.old_is_stored,
        total: change(of, diff.total),
        threshold,
        cost_centers: cost_centers.collect(),
        statements: statements.collect(),
        newly_unpriced: diff.newly_unpriced().count(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn book(of: &Book) -> BookView {
    BookView { book_digest: of.digest.to_string(), book_versions: of.versions.clone() }
}

fn change(of: &PriceDiff, change: Change) -> ChangeView {
    let Change { old, new, difference } = change;
    ChangeView { old: of.money(old), new: of.money(new), difference: of.money(difference) }
}

fn reported_change(change: &ReportedChange) -> ReportedChangeView {
    let side = |side: Option<Reported>| {
        side.map(|side| ReportedView {
            currency: side.currency.to_string(),
            rate: side.rate.map(|rate| rate.to_string()),
            amount: side.amount.map(|amount| amount.format(side.currency.exponent())),
        })
    };
    let difference = change.difference.zip(change.currency());
    ReportedChangeView {
        old: side(change.old),
        new: side(change.new),
        difference: difference.map(|(amount, currency)| amount.format(currency.exponent())),
    }
}

fn in_currency(currency: Currency, change: Change) -> ChangeView {
    let [old, new, difference] =
        [change.old, change.new, change.difference].map(|amount| amount.format(currency.exponent()));
    ChangeView { old, new, difference }
}

fn line(of: &PriceDiff, reporting: Option<&ReportedChange>, moved: &LineDiff) -> LineView {
    let key = &moved.key;
    let currency = reporting.and_then(ReportedChange::currency);
    LineView {
        cluster: key.cluster.as_ref().map(ToString::to_string),
        virtual_namespace: key.virtual_namespace.as_ref().map(ToString::to_string),
        kind: key.kind.as_str(),
        price_class: key.class.as_ref().map(ToString::to_string),
        item: key.item.clone(),
        change: change(of, moved.change),
        reporting: currency.zip(moved.reporting).map(|(currency, change)| in_currency(currency, change)),
        old_line: moved.old.as_ref().map(side),
        new_line: moved.new.as_ref().map(side),
    }
}

fn side(side: &Side) -> SideView {
    SideView {
        quantity: side.quantity.map(|(quantity, _)| quantity.to_string()),
        unit: side.quantity.map(|(_, unit)| unit.as_str()),
        unit_prices: side.unit_prices.iter().map(ToString::to_string).collect(),
        exact: side.exact.to_string(),
    }
}
