//! CSV as finance imports it: a row for every line, or for every group of a definition.
//!
//! RFC 4180: CRLF, UTF-8 without a byte-order mark, quotes only where they are needed. Amounts have
//! exactly the currency's decimals, quantities six, prices and exact amounts all they have. What has no
//! value is an empty cell, never a zero: so usage without a price has a quantity and no amount.

use std::borrow::Borrow;
use std::io::Write;

use ::csv::{QuoteStyle, Terminator, Writer, WriterBuilder};
use defray_pricing::statement::Statement;

use crate::definition::{Definition, Value};
use crate::error::WriteError;
use crate::group::Groups;
use crate::month::Month;
use crate::order::Order;

/// Writes a month as a definition says. `statements` come in the order of cost centre and tenant; the
/// first one that cannot be read ends the file with an error.
pub fn write<S, E>(
    definition: &Definition,
    month: &Month,
    statements: impl IntoIterator<Item = Result<S, E>>,
    out: impl Write,
) -> Result<(), WriteError<E>>
where
    S: Borrow<Statement>,
    E: std::error::Error + 'static,
{
    let mut rows =
        WriterBuilder::new().terminator(Terminator::CRLF).quote_style(QuoteStyle::Necessary).from_writer(out);
    rows.write_record(definition.header())?;
    let mut order = Order::default();
    let mut groups = (!definition.group_by.is_empty()).then(|| Groups::new(definition));
    for statement in statements {
        let statement = statement.map_err(WriteError::Read)?;
        let statement = statement.borrow();
        order.next(statement)?;
        match &mut groups {
            Some(groups) => groups.add(month, statement)?,
            None => lines(definition, month, statement, &mut rows)?,
        }
    }
    if let Some(groups) = groups {
        for row in groups.rows(month)? {
            rows.write_record(row)?;
        }
    }
    rows.flush()?;
    Ok(())
}

fn lines<W: Write, E: std::error::Error + 'static>(
    definition: &Definition,
    month: &Month,
    statement: &Statement,
    rows: &mut Writer<W>,
) -> Result<(), WriteError<E>> {
    for line in &statement.lines {
        for column in &definition.columns {
            // A sum needs a grouping, which the definition's reader sees to.
            if let Value::Field(field) = column.value {
                rows.write_field(field.of_line(month, statement, line)?)?;
            }
        }
        rows.write_record(None::<&[u8]>)?;
    }
    Ok(())
}
