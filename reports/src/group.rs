//! Lines summed by group, with polars.
//!
//! Only whole numbers go in: amounts in minor units, quantities in millionths. polars adds 64-bit integers
//! and wraps silently, so the magnitudes of everything that goes in are added up beside it, in 128 bits,
//! and once they leave 64 bits the report is refused: no sum of a part can then have wrapped. Each batch
//! of lines is folded into the groups before the next, so that memory holds groups, never a month.

use defray_pricing::Overflow;
use defray_pricing::decimal;
use defray_pricing::money::Money;
use defray_pricing::quantity::{QUANTITY_SCALE, Unit};
use defray_pricing::statement::Line;
use polars::prelude::{
    Column as Series, DataFrame, Expr, IntoLazy, PolarsError, SortMultipleOptions, UnionArgs, col, concat,
    lit, when,
};

use crate::cell;
use crate::definition::{Column, Definition, Field, Sum, Value};
use crate::error::WriteError;
use crate::month::Month;

/// Lines that are folded at once.
const BATCH: usize = 4096;

const KIND: &str = "kind";
const UNIT: &str = "unit";
const AMOUNT: &str = "amount";
const QUANTITY: &str = "quantity";

/// Why lines could not be grouped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GroupError {
    #[error(transparent)]
    Overflow(#[from] Overflow),
    #[error(transparent)]
    Engine(#[from] PolarsError),
}

impl<E: std::error::Error + 'static> From<GroupError> for WriteError<E> {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Overflow(overflow) => Self::Overflow(overflow),
            GroupError::Engine(error) => Self::Group(error.to_string()),
        }
    }
}

/// Groups under way.
pub(crate) struct Groups<'a> {
    definition: &'a Definition,
    folded: Option<DataFrame>,
    amounts: Magnitude,
    quantities: Magnitude,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(definition: &'a Definition) -> Self {
        Self { definition, folded: None, amounts: Magnitude::default(), quantities: Magnitude::default() }
    }

    /// Folds lines in.
    pub(crate) fn add(&mut self, month: &Month, lines: &[Line]) -> Result<(), GroupError> {
        for batch in lines.chunks(BATCH) {
            let frame = self.frame(month, batch)?;
            let sums: Vec<Expr> =
                self.sums().map(|(index, sum)| expression(sum).alias(measure(index))).collect();
            let batch = frame.lazy().group_by(self.keys()).agg(sums);
            let folded = match self.folded.take() {
                None => batch,
                Some(before) => {
                    let again: Vec<Expr> = self.sums().map(|(index, _)| col(measure(index)).sum()).collect();
                    concat([before.lazy(), batch], UnionArgs::default())?.group_by(self.keys()).agg(again)
                }
            };
            self.folded = Some(folded.collect()?);
        }
        Ok(())
    }

    /// The rows in the order of the definition.
    pub(crate) fn rows(self, month: &Month) -> Result<Vec<Vec<String>>, GroupError> {
        let Some(folded) = &self.folded else { return Ok(Vec::new()) };
        let by: Vec<Expr> = self.order().into_iter().map(col).collect();
        let sorted = folded.clone().lazy().sort_by_exprs(by, SortMultipleOptions::default()).collect()?;
        (0..sorted.height()).map(|row| self.row(month, &sorted, row)).collect()
    }

    fn row(&self, month: &Month, sorted: &DataFrame, row: usize) -> Result<Vec<String>, GroupError> {
        let cell = |(index, column): (usize, &Column)| match &column.value {
            Value::Field(field) => {
                if let Some(text) = field.of_month(month)? {
                    return Ok(text);
                }
                let text = sorted.column(field.name())?.str()?.get(row).unwrap_or_default();
                Ok(cell::text(text).into_owned())
            }
            Value::Sum(sum) => {
                let value = i128::from(sorted.column(&measure(index))?.i64()?.get(row).unwrap_or_default());
                if sum.unit.is_some() {
                    return Ok(decimal::format(value, QUANTITY_SCALE, QUANTITY_SCALE));
                }
                let exponent = month.currency.exponent();
                Ok(Money::from_minor(value, exponent)?.format(exponent))
            }
        };
        self.definition.columns.iter().enumerate().map(cell).collect()
    }

    /// The lines as whole numbers, beside what they are grouped by.
    fn frame(&mut self, month: &Month, lines: &[Line]) -> Result<DataFrame, GroupError> {
        let mut amounts = Vec::with_capacity(lines.len());
        let mut quantities = Vec::with_capacity(lines.len());
        for line in lines {
            let minor = line.amount.to_minor_half_away(month.currency.exponent())?;
            amounts.push(self.amounts.take(minor)?);
            let micros = line.quantity.map_or(0, |(quantity, _)| quantity.micros());
            quantities.push(self.quantities.take(i128::from(micros))?);
        }
        let text = |name: &str, of: &dyn Fn(&Line) -> String| {
            Series::new(name.into(), lines.iter().map(of).collect::<Vec<String>>())
        };
        let mut columns: Vec<Series> = self
            .definition
            .group_by
            .iter()
            .map(|field| text(field.name(), &|line| field.label(line).to_owned()))
            .collect();
        if !self.definition.group_by.contains(&Field::Kind) {
            columns.push(text(KIND, &|line| line.key.kind.to_string()));
        }
        columns.push(text(UNIT, &|line| line.quantity.map(|(_, unit)| unit.to_string()).unwrap_or_default()));
        columns.push(Series::new(AMOUNT.into(), amounts));
        columns.push(Series::new(QUANTITY.into(), quantities));
        Ok(DataFrame::new_infer_height(columns)?)
    }

    fn keys(&self) -> Vec<Expr> {
        self.definition.group_by.iter().map(|field| col(field.name())).collect()
    }

    fn sums(&self) -> impl Iterator<Item = (usize, &Sum)> {
        self.definition.columns.iter().enumerate().filter_map(|(index, column)| match &column.value {
            Value::Sum(sum) => Some((index, sum)),
            Value::Field(_) => None,
        })
    }

    /// The columns to sort by: as the definition says, then by the grouping, so that no two rows tie.
    fn order(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let asked = self.definition.order.iter().filter_map(|index| {
            let column = self.definition.columns.get(*index)?;
            match &column.value {
                Value::Field(field) => {
                    self.definition.group_by.contains(field).then(|| field.name().to_owned())
                }
                Value::Sum(_) => Some(measure(*index)),
            }
        });
        for name in asked.chain(self.definition.group_by.iter().map(|field| field.name().to_owned())) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// The name of a sum's column inside frames: its place, so that it never meets a field's name.
fn measure(index: usize) -> String {
    format!("sum {index}")
}

fn expression(sum: &Sum) -> Expr {
    let of = col(if sum.unit.is_some() { QUANTITY } else { AMOUNT });
    let kinds = sum.kinds.iter().map(|kind| col(KIND).eq(lit(kind.as_str()))).reduce(Expr::or);
    let unit = sum.unit.map(|unit: Unit| col(UNIT).eq(lit(unit.as_str())));
    match (kinds, unit) {
        (None, None) => of.sum(),
        (Some(condition), None) | (None, Some(condition)) => {
            when(condition).then(of).otherwise(lit(0_i64)).sum()
        }
        (Some(kinds), Some(unit)) => when(kinds.and(unit)).then(of).otherwise(lit(0_i64)).sum(),
    }
}

/// The sum of magnitudes that went in: while it fits into 64 bits, so does the sum of any part of them.
#[derive(Debug, Default)]
struct Magnitude(u128);

impl Magnitude {
    fn take(&mut self, value: i128) -> Result<i64, Overflow> {
        const WHAT: Overflow = Overflow("sum of a report");
        self.0 = self.0.checked_add(value.unsigned_abs()).ok_or(WHAT)?;
        i64::try_from(self.0).map_err(|_| WHAT)?;
        i64::try_from(value).map_err(|_| WHAT)
    }
}
