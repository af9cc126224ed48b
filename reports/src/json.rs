//! The monthly statement as JSON: the same lines as the CSV, with totals.
//!
//! Money and quantities are decimal strings, so that no reader turns them into floats behind finance's
//! back; what has no value is `null`. The document is written statement by statement, totals at the end.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::io::Write;

use defray_pricing::Overflow;
use defray_pricing::charge::Kind;
use defray_pricing::money::{Currency, Money};
use defray_pricing::names::ClusterName;
use defray_pricing::statement::{Line, Statement};
use serde::Serialize;

use crate::error::WriteError;
use crate::month::Month;
use crate::order::Order;
use crate::{SCHEMA_VERSION, describe};

/// Writes a month, or with one tenant's statements alone (several where it changed its cost centre) that
/// tenant's part of it: totals are those of what was handed in.
pub fn write<S, E>(
    month: &Month,
    statements: impl IntoIterator<Item = Result<S, E>>,
    mut out: impl Write,
) -> Result<(), WriteError<E>>
where
    S: Borrow<Statement>,
    E: std::error::Error + 'static,
{
    let mut sums = Sums::default();
    let mut order = Order::default();
    head(month, &mut out)?;
    let mut separator: &[u8] = b"\n";
    for statement in statements {
        let statement = statement.map_err(WriteError::Read)?;
        let statement = statement.borrow();
        order.next(statement)?;
        sums.add(statement)?;
        out.write_all(separator)?;
        serde_json::to_writer(&mut out, &statement_view(month, statement)?)?;
        separator = b",\n";
    }
    out.write_all(b"\n],\n\"cost_centers\":")?;
    serde_json::to_writer(&mut out, &sums.by_cost_center(month.currency))?;
    out.write_all(b",\n\"total\":")?;
    serde_json::to_writer(&mut out, &sums.total(month.currency)?)?;
    out.write_all(b"}\n")?;
    out.flush()?;
    Ok(())
}

/// Everything up to the first statement.
fn head<E: std::error::Error + 'static>(month: &Month, out: &mut impl Write) -> Result<(), WriteError<E>> {
    let head = Head {
        schema_version: SCHEMA_VERSION,
        period: month.period.to_string(),
        period_start: month.start(),
        period_end: month.end(),
        status: month.status.as_str(),
        version: month.version,
        currency: month.currency.code(),
        demo: month.demo,
        coverage: month
            .coverage
            .iter()
            .map(|(cluster, coverage)| (cluster.as_str(), coverage.ratio()))
            .collect(),
        hours_missing: month.hours_missing,
        hours_lost: month.hours_lost,
        price_book_versions: &month.book_versions,
        price_book_digest: month.book_digest.to_string(),
    };
    let text = serde_json::to_string(&head)?;
    // The object goes on with the statements, so its closing brace comes later.
    out.write_all(text.strip_suffix('}').unwrap_or(&text).as_bytes())?;
    out.write_all(b",\n\"statements\":[")?;
    Ok(())
}

#[derive(Serialize)]
struct Head<'a> {
    schema_version: &'static str,
    period: String,
    period_start: String,
    period_end: String,
    status: &'static str,
    version: u32,
    currency: &'a str,
    demo: bool,
    coverage: BTreeMap<&'a str, Option<String>>,
    hours_missing: u64,
    hours_lost: u64,
    price_book_versions: &'a [String],
    price_book_digest: String,
}

#[derive(Serialize)]
struct StatementView<'a> {
    cost_center: &'a str,
    tenant: &'a str,
    exact_amount: String,
    amount: String,
    coverage: Option<String>,
    lines: Vec<LineView<'a>>,
    reporting_currency: Option<String>,
    exchange_rate: Option<String>,
    reporting_amount: Option<String>,
}

#[derive(Serialize)]
struct LineView<'a> {
    cluster: Option<&'a str>,
    virtual_namespace: &'a str,
    kind: &'static str,
    pool: Option<&'a str>,
    instance_type: Option<&'a str>,
    capacity_type: Option<&'a str>,
    item: &'a str,
    description: String,
    quantity: Option<String>,
    unit: Option<&'static str>,
    unit_price: Option<String>,
    exact_amount: Option<String>,
    rounding: Option<String>,
    amount: Option<String>,
    coverage: Option<String>,
    reporting_amount: Option<String>,
}

fn statement_view<'a>(month: &Month, statement: &'a Statement) -> Result<StatementView<'a>, Overflow> {
    let lines: Result<Vec<_>, _> =
        statement.lines.iter().map(|line| line_view(month, statement, line)).collect();
    let reporting = statement.reporting;
    let converted = reporting.and_then(|reporting| Some((reporting.currency, reporting.converted?)));
    Ok(StatementView {
        cost_center: statement.cost_center.as_str(),
        tenant: statement.tenant.as_str(),
        exact_amount: statement.exact.to_string(),
        amount: statement.amount.format(month.currency.exponent()),
        coverage: month.coverage_of_statement(statement)?,
        lines: lines?,
        reporting_currency: reporting.map(|reporting| reporting.currency.to_string()),
        exchange_rate: converted.map(|(_, converted)| converted.rate.to_string()),
        reporting_amount: converted.map(|(currency, converted)| converted.amount.format(currency.exponent())),
    })
}

fn line_view<'a>(month: &Month, statement: &Statement, line: &'a Line) -> Result<LineView<'a>, Overflow> {
    let key = &line.key;
    let class = key.class.as_ref();
    let priced = key.kind != Kind::Unpriced;
    Ok(LineView {
        cluster: key.cluster.as_ref().map(ClusterName::as_str),
        virtual_namespace: describe::virtual_namespace(line),
        kind: key.kind.as_str(),
        pool: class.map(|class| class.pool.as_str()),
        instance_type: class.map(|class| class.instance_type.as_str()),
        capacity_type: class.map(|class| class.capacity_type.as_str()),
        item: &key.item,
        description: describe::line(line),
        quantity: line.quantity.map(|(quantity, _)| quantity.to_string()),
        unit: line.quantity.map(|(_, unit)| unit.as_str()),
        unit_price: line.unit_price.map(|price| price.to_string()),
        exact_amount: priced.then(|| line.exact.to_string()),
        rounding: priced.then(|| line.rounding.to_string()),
        amount: priced.then(|| line.amount.format(month.currency.exponent())),
        coverage: month.coverage_of(line)?,
        reporting_amount: line
            .reporting
            .filter(|_| priced)
            .zip(statement.reporting)
            .map(|(amount, reporting)| amount.format(reporting.currency.exponent())),
    })
}

/// Totals, kept while statements pass.
#[derive(Default)]
struct Sums(BTreeMap<String, Sum>);

#[derive(Default, Clone, Copy)]
struct Sum {
    exact: Money,
    amount: Money,
}

#[derive(Serialize)]
struct SumView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_center: Option<&'a str>,
    exact_amount: String,
    amount: String,
}

impl Sum {
    fn add(self, exact: Money, amount: Money) -> Result<Self, Overflow> {
        Ok(Self { exact: self.exact.checked_add(exact)?, amount: self.amount.checked_add(amount)? })
    }

    fn view(self, cost_center: Option<&str>, currency: Currency) -> SumView<'_> {
        SumView {
            cost_center,
            exact_amount: self.exact.to_string(),
            amount: self.amount.format(currency.exponent()),
        }
    }
}

impl Sums {
    fn add(&mut self, statement: &Statement) -> Result<(), Overflow> {
        let sum = self.0.entry(statement.cost_center.to_string()).or_default();
        *sum = sum.add(statement.exact, statement.amount)?;
        Ok(())
    }

    fn by_cost_center(&self, currency: Currency) -> Vec<SumView<'_>> {
        self.0.iter().map(|(name, sum)| sum.view(Some(name), currency)).collect()
    }

    fn total(&self, currency: Currency) -> Result<SumView<'static>, Overflow> {
        let mut total = Sum::default();
        for sum in self.0.values() {
            total = total.add(sum.exact, sum.amount)?;
        }
        Ok(SumView {
            cost_center: None,
            exact_amount: total.exact.to_string(),
            amount: total.amount.format(currency.exponent()),
        })
    }
}
