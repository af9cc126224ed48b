//! What must hold of every hour and every month, whatever the inputs: for tests, and for the daemon to
//! ask before it keeps a result.

use std::collections::BTreeMap;

use crate::Overflow;
use crate::charge::Kind;
use crate::money::Money;
use crate::names::ClusterName;
use crate::rating::RatedHour;
use crate::statement::{PeriodStatements, Reporting, Statement};
use crate::time::{Hour, Period};

/// A result that contradicts itself. It must not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Parts do not add up to what was paid for.
    #[error("in {hour} the charges add up to {charged}, but {paid} was paid for")]
    NotConserved {
        /// The hour.
        hour: Hour,
        /// What the charges add up to.
        charged: Money,
        /// What was paid for.
        paid: Money,
    },
    /// A pool's cost is neither borne nor idle.
    #[error("in {hour} pool {pool} cost {paid}, but {recovered} was recovered and {idle} is idle")]
    PoolNotConserved {
        /// The hour.
        hour: Hour,
        /// The pool.
        pool: String,
        /// What it cost.
        paid: Money,
        /// What usage bears.
        recovered: Money,
        /// What it does not.
        idle: Money,
    },
    /// The idle lines of a pool are not what is idle in it.
    #[error("in {hour} {idle} is idle in pool {pool}, but its idle charges add up to {charged}")]
    IdleNotConserved {
        /// The hour.
        hour: Hour,
        /// The pool, or the entry of the book that was paid for without nodes.
        pool: String,
        /// What is idle.
        idle: Money,
        /// What the charges add up to.
        charged: Money,
    },
    /// Charges or lines come twice, or in another order than that of their keys.
    #[error("{what} of {of} are out of order or come twice")]
    OutOfOrder {
        /// Charges or lines.
        what: &'static str,
        /// Of which hour or statement.
        of: String,
    },
    /// A line or a statement does not add up.
    #[error("in {period}, {of}: parts add up to {parts}, the whole is {whole}")]
    DoesNotAddUp {
        /// The period.
        period: Period,
        /// Of what.
        of: String,
        /// The sum of the parts.
        parts: Money,
        /// The whole.
        whole: Money,
    },
    /// A line is not what its quantity and its list price make it.
    #[error("in {period}, {of}: quantity x unit price is {product}, but the exact amount is {exact}")]
    NotItsPrice {
        /// The period.
        period: Period,
        /// Of what.
        of: String,
        /// What a calculator says.
        product: Money,
        /// What the line says.
        exact: Money,
    },
    /// A sum does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// Conservation: everything that was paid for in an hour is charged, exactly, once.
pub fn check_hour(rated: &RatedHour) -> Result<(), Violation> {
    let hour = rated.hour;
    for ((_, name), pool) in &rated.control.pools {
        if pool.recovered.checked_add(pool.idle)? != pool.paid {
            let (paid, recovered, idle) = (pool.paid, pool.recovered, pool.idle);
            return Err(Violation::PoolNotConserved { hour, pool: name.clone(), paid, recovered, idle });
        }
    }
    check_idle(rated)?;
    let charged = Money::sum(rated.charges.iter().map(|charge| charge.amount))?;
    let paid = rated.control.total()?;
    if charged != paid {
        return Err(Violation::NotConserved { hour, charged, paid });
    }
    let order = |pair: &[crate::charge::Charge]| match pair {
        [a, b] => (&a.key, &a.namespace) < (&b.key, &b.namespace),
        _ => true,
    };
    if !rated.charges.windows(2).all(order) {
        return Err(Violation::OutOfOrder { what: "charges", of: hour.to_string() });
    }
    Ok(())
}

/// What is idle in each pool is borne, kept or unassigned under that pool's name, and nothing else is.
fn check_idle(rated: &RatedHour) -> Result<(), Violation> {
    let mut charged: BTreeMap<(Option<&ClusterName>, &str), Money> = BTreeMap::new();
    for charge in rated.charges.iter().filter(|charge| charge.key.kind == Kind::Idle) {
        let sum = charged.entry((charge.key.cluster.as_ref(), &charge.key.item)).or_default();
        *sum = sum.checked_add(charge.amount)?;
    }
    let violation = |pool: &str, idle: Money, charged: Money| Violation::IdleNotConserved {
        hour: rated.hour,
        pool: pool.to_owned(),
        idle,
        charged,
    };
    for ((cluster, pool), control) in &rated.control.pools {
        let charged = charged.remove(&(cluster.as_ref(), pool.as_str())).unwrap_or_default();
        if charged != control.idle {
            return Err(violation(pool, control.idle, charged));
        }
    }
    match charged.into_iter().find(|(_, charged)| !charged.is_zero()) {
        Some(((_, pool), charged)) => Err(violation(pool, Money::ZERO, charged)),
        None => Ok(()),
    }
}

/// Additivity: lines add up to statements, statements to the period, and all exact amounts to those of the
/// period's hours (`hours`) and what acts on the month. Lines at list price are what a calculator says.
pub fn check_period(period: &PeriodStatements, hours: Money) -> Result<(), Violation> {
    let adds_up = |of: &str, parts: Money, whole: Money| {
        if parts == whole {
            return Ok(());
        }
        Err(Violation::DoesNotAddUp { period: period.period, of: of.to_owned(), parts, whole })
    };
    for statement in &period.statements {
        check_statement(statement, &adds_up)?;
        check_list_prices(period.period, statement)?;
    }
    let order = |pair: &[Statement]| match pair {
        [a, b] => (&a.cost_center, &a.tenant) < (&b.cost_center, &b.tenant),
        _ => true,
    };
    if !period.statements.windows(2).all(order) {
        return Err(Violation::OutOfOrder { what: "statements", of: period.period.to_string() });
    }
    let exact = Money::sum(period.statements.iter().map(|statement| statement.exact))?;
    let month_level = Money::sum(period.month_level.iter().map(|charge| charge.amount))?;
    adds_up("exact amounts against hours and terms", hours.checked_add(month_level)?, exact)?;
    let amount = Money::sum(period.statements.iter().map(|statement| statement.amount))?;
    adds_up("statements", amount, period.amount)?;
    let exponent = period.currency.exponent();
    let rounded = Money::from_minor(exact.to_minor_half_away(exponent)?, exponent)?;
    adds_up("rounded exact total", rounded, period.amount)
}

fn check_list_prices(period: Period, statement: &Statement) -> Result<(), Violation> {
    for line in &statement.lines {
        let (Some(list), Some((quantity, _))) = (line.key.unit_price, line.quantity) else { continue };
        let product = list.times(quantity)?;
        if product != line.exact || line.unit_price != Some(list) {
            let of = format!("{} of {}, line {}", statement.tenant, statement.cost_center, line.key.item);
            return Err(Violation::NotItsPrice { period, of, product, exact: line.exact });
        }
    }
    Ok(())
}

fn check_statement(
    statement: &Statement,
    adds_up: &impl Fn(&str, Money, Money) -> Result<(), Violation>,
) -> Result<(), Violation> {
    let name = format!("statement of {} on {}", statement.tenant, statement.cost_center);
    for line in &statement.lines {
        adds_up(
            &format!("{name}, line {}", line.key.item),
            line.exact.checked_add(line.rounding)?,
            line.amount,
        )?;
    }
    adds_up(&name, Money::sum(statement.lines.iter().map(|line| line.amount))?, statement.amount)?;
    adds_up(&name, Money::sum(statement.lines.iter().map(|line| line.exact))?, statement.exact)?;
    if let Some(Reporting { currency, converted: Some(converted) }) = statement.reporting {
        let lines = statement.lines.iter().map(|line| line.reporting.unwrap_or_default());
        adds_up(&format!("{name}, in {currency}"), Money::sum(lines)?, converted.amount)?;
    }
    if statement.lines.windows(2).all(|pair| matches!(pair, [a, b] if a.key < b.key)) {
        Ok(())
    } else {
        Err(Violation::OutOfOrder { what: "lines", of: name })
    }
}
