//! Report definitions: which columns a file has, by what its rows are grouped, in which order they stand.
//!
//! A definition without `group_by` has a row for every line, in canonical order; one with it sums amounts
//! and quantities. Definitions are YAML, every problem told at once.

mod field;
mod read;

use defray_pricing::charge::Kind;
use defray_pricing::problem::Problem;
use defray_pricing::quantity::Unit;

pub use field::Field;

/// A report: its columns, grouping and order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub(crate) columns: Vec<Column>,
    /// Empty where every line is a row.
    pub(crate) group_by: Vec<Field>,
    /// Indexes of columns; what is left undecided is decided by the grouping.
    pub(crate) order: Vec<usize>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// What stands in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Something a line or its month has.
    Field(Field),
    /// A sum over the lines of a group.
    Sum(Sum),
}

/// What is summed, over which lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) of: Measure,
    /// Lines of these kinds; of all where it is empty.
    pub(crate) kinds: Vec<Kind>,
}

/// What of a line is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The amount.
    Amount,
    /// The amount in the reporting currency, of which a cost centre has one.
    Reporting,
    /// A quantity of this unit.
    Quantity(Unit),
}

impl Definition {
    /// Reads a definition.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        read::definition(file, text)
    }

    /// The names of its columns.
    pub fn header(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }
}

/// The definitions that come with the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definitions {
    /// One row for every line.
    pub statement: Definition,
    /// One row for every cost centre and tenant.
    pub summary: Definition,
}

impl Definitions {
    /// Reads them.
    pub fn built_in() -> Result<Self, Vec<Problem>> {
        let statement = Definition::parse("statement.yaml", include_str!("../definitions/statement.yaml"));
        let summary = Definition::parse("summary.yaml", include_str!("../definitions/summary.yaml"));
        match (statement, summary) {
            (Ok(statement), Ok(summary)) => Ok(Self { statement, summary }),
            (statement, summary) => {
                Err([statement.err(), summary.err()].into_iter().flatten().flatten().collect())
            }
        }
    }
}
