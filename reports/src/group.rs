//! Lines summed by group, with polars.
//!
//! Only whole numbers go in: amounts in minor units, quantities in millionths. polars adds 64-bit integers
//! and wraps silently, so the magnitudes of everything that goes in are added up beside it, in 128 bits,
//! and once they leave 64 bits the report is refused: no sum of a part can then have wrapped. Each batch
//! of lines is folded into the groups before the next, so that memory holds groups, never a month.

use defray_pricing::Overflow;
use defray_pricing::decimal;
use defray_pricing::money::{Currency, Money};
use defray_pricing::quantity::QUANTITY_SCALE;
use defray_pricing::statement::{Line, Statement};
use polars::prelude::{
    Column as Series, DataFrame, Expr, IntoLazy, PolarsError, SortMultipleOptions, UnionArgs, col, concat,
    lit, when,
};

use crate::cell;
use crate::definition::{Column, Definition, Field, Measure, Sum, Value};
use crate::error::WriteError;
use crate::month::Month;

/// Lines that are folded at once.
const BATCH: usize = 4096;

const KIND: &str = "kind";
const UNIT: &str = "unit";
const AMOUNT: &str = "amount";
const QUANTITY: &str = "quantity";
const REPORTING: &str = "reporting";

/// What every line of a cost centre has alike.
const ALIKE: [Field; 2] = [Field::ReportingCurrency, Field::ExchangeRate];

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
    reporting: Magnitude,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(definition: &'a Definition) -> Self {
        let (amounts, quantities, reporting) = Default::default();
        Self { definition, folded: None, amounts, quantities, reporting }
    }

    /// Folds a statement in.
    pub(crate) fn add(&mut self, month: &Month, statement: &Statement) -> Result<(), GroupError> {
        let alike = || ALIKE.iter().map(|field| col(field.name()).first());
        for batch in statement.lines.chunks(BATCH) {
            let frame = self.frame(month, statement, batch)?;
            let sums = self.sums().map(|(index, sum)| expression(sum).alias(measure(index)));
            let sums: Vec<Expr> = sums.chain(alike()).collect();
            let batch = frame.lazy().group_by(self.keys()).agg(sums);
            let folded = match self.folded.take() {
                None => batch,
                Some(before) => {
                    let again = self.sums().map(|(index, _)| col(measure(index)).sum());
                    let again: Vec<Expr> = again.chain(alike()).collect();
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
                let money = |exponent: u32| {
                    Ok(Money::from_minor(value, exponent).map(|money| money.format(exponent))?)
                };
                match sum.of {
                    Measure::Quantity(_) => Ok(decimal::format(value, QUANTITY_SCALE, QUANTITY_SCALE)),
                    Measure::Amount => money(month.currency.exponent()),
                    // Without a rate there is no amount, which is not zero.
                    Measure::Reporting => match converted(sorted, row)? {
                        Some(currency) => money(currency.exponent()),
                        None => Ok(String::new()),
                    },
                }
            }
        };
        self.definition.columns.iter().enumerate().map(cell).collect()
    }

    /// The lines as whole numbers, beside what they are grouped by.
    fn frame(
        &mut self,
        month: &Month,
        statement: &Statement,
        lines: &[Line],
    ) -> Result<DataFrame, GroupError> {
        let exponent = statement.reporting.map_or(0, |reporting| reporting.currency.exponent());
        let [mut amounts, mut quantities, mut reporting] = [(); 3].map(|()| Vec::with_capacity(lines.len()));
        for line in lines {
            let minor = line.reporting.unwrap_or_default().to_minor_half_away(exponent)?;
            reporting.push(self.reporting.take(minor)?);
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
        columns.push(Series::new(REPORTING.into(), reporting));
        columns.extend(ALIKE.map(|field| text(field.name(), &|_| field.of_statement(statement))));
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

/// The currency into which the lines of a group were converted, if they were.
fn converted(sorted: &DataFrame, row: usize) -> Result<Option<Currency>, GroupError> {
    let text = |field: Field| Ok::<_, PolarsError>(sorted.column(field.name())?.str()?.get(row));
    let (currency, rate) = (text(Field::ReportingCurrency)?, text(Field::ExchangeRate)?);
    let rated = rate.is_some_and(|rate| !rate.is_empty());
    Ok(currency.filter(|_| rated).and_then(|currency| currency.parse().ok()))
}

fn expression(sum: &Sum) -> Expr {
    let (of, unit) = match sum.of {
        Measure::Amount => (AMOUNT, None),
        Measure::Reporting => (REPORTING, None),
        Measure::Quantity(unit) => (QUANTITY, Some(unit)),
    };
    let of = col(of);
    let kinds = sum.kinds.iter().map(|kind| col(KIND).eq(lit(kind.as_str()))).reduce(Expr::or);
    let unit = unit.map(|unit| col(UNIT).eq(lit(unit.as_str())));
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
