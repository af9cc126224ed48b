//! Charge days and months: their files, their rows, and that parts add up to wholes.

use defray_pricing::charge::Charge;
use defray_pricing::digest::Digest;
use defray_pricing::money::Money;
use defray_pricing::statement::Statement;
use sqlx::AssertSqlSafe;

use super::{Fault, found};
use crate::backend::args;
use crate::charges::fold;
use crate::codec::charges as codec;
use crate::columns::{charge_columns, read_charge};
use crate::error::LedgerError;
use crate::months::read::statements;
use crate::transaction::Transaction;
use crate::{Scope, controls};

/// Says how many days there are.
pub(super) async fn days(tx: &mut Transaction, faults: &mut Vec<Fault>) -> Result<u64, LedgerError> {
    let rows = tx.fetch("SELECT day FROM charge_days ORDER BY day", args![]).await?;
    let days = rows.into_iter().map(|mut row| row.text()).collect::<Result<Vec<_>, _>>()?;
    for day in &days {
        found(one_day(tx, day).await, faults, || format!("the charges of {day}"))?;
    }
    Ok(u64::try_from(days.len()).unwrap_or(u64::MAX))
}

async fn one_day(tx: &mut Transaction, day: &str) -> Result<(), LedgerError> {
    let row = tx
        .fetch_one("SELECT blob_digest, content FROM charge_days WHERE day = $1", args![day])
        .await?
        .ok_or_else(|| broken("it was just there"))?;
    let mut row = row;
    let (digest, content) = (row.digest()?, row.bytes()?);
    if Digest::of(&content) != digest {
        return Err(broken("its file does not match its digest"));
    }
    let hours = codec::read(content, |_| true)?;
    let rated = hours.len();
    let whole = fold(hours.into_iter().flat_map(|(_, charges)| charges))?;
    let sql = concat!("SELECT ", charge_columns!(), " FROM day_charges WHERE day = $1 ORDER BY n");
    let rows = tx.fetch(AssertSqlSafe(sql.to_owned()), args![day]).await?;
    let rows: Vec<Charge> =
        rows.into_iter().map(|mut row| read_charge(&mut row)).collect::<Result<_, _>>()?;
    if rows != whole {
        return Err(broken("its rows are not what its hours add up to"));
    }
    // A day rated by a release that kept no control totals has none.
    let Some((hours, control)) = controls::of_day(tx, day).await? else { return Ok(()) };
    if usize::try_from(hours).ok() != Some(rated) {
        return Err(broken("it counts other hours than its file holds"));
    }
    if Money::sum(rows.iter().map(|charge| charge.amount))? != control.total()? {
        return Err(broken("its charges do not add up to its control total"));
    }
    Ok(())
}

/// Says how many versions of months there are.
pub(super) async fn months(tx: &mut Transaction, faults: &mut Vec<Fault>) -> Result<u64, LedgerError> {
    let rows = tx.fetch("SELECT period, version FROM months ORDER BY period, version", args![]).await?;
    let months = rows
        .into_iter()
        .map(|mut row| Ok((row.text()?, row.number::<u32>("version")?)))
        .collect::<Result<Vec<_>, LedgerError>>()?;
    for (period, version) in &months {
        let place = || format!("{period} version {version}");
        let Some(read) = found(statements(tx, &Scope::everything(), period, *version).await, faults, place)?
        else {
            continue;
        };
        for statement in &read {
            let place =
                || format!("{period} version {version}, {} {}", statement.cost_center, statement.tenant);
            found(one_statement(statement), faults, place)?;
        }
    }
    Ok(u64::try_from(months.len()).unwrap_or(u64::MAX))
}

fn one_statement(statement: &Statement) -> Result<(), LedgerError> {
    let lines = &statement.lines;
    if Money::sum(lines.iter().map(|line| line.amount))? != statement.amount {
        return Err(broken("its lines do not add up to its amount"));
    }
    if Money::sum(lines.iter().map(|line| line.exact))? != statement.exact {
        return Err(broken("its lines do not add up to its exact amount"));
    }
    for line in lines {
        if line.exact.checked_add(line.rounding)? != line.amount {
            return Err(broken("a line is not its exact amount and its rounding"));
        }
    }
    Ok(())
}

fn broken(reason: &str) -> LedgerError {
    LedgerError::Corrupt(reason.to_owned())
}
