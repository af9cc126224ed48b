//! How statements become files: CSV and JSON for finance, the cost report that is pushed, the series
//! Grafana draws, and summaries grouped by a definition.
//!
//! Every writer takes what is known about the [`Month`] and an iterator of statements that may fail, in
//! canonical order, one statement a batch, and writes to an `io::Write`. None reads a clock, none holds a
//! month in memory, and the same input gives the same bytes. Money and quantities leave as the decimals
//! they are; no float is ever made from them. Nothing here rounds an amount: statements already did.

mod cell;
mod describe;
mod error;
mod group;
mod month;
mod number;
mod order;
mod usage;
mod words;

pub mod cost_report;
pub mod csv;
pub mod definition;
pub mod estimation;
pub mod explanation;
pub mod grafana;
pub mod json;
pub mod price_diff;

pub use definition::{Definition, Definitions};
pub use error::WriteError;
pub use month::{Coverage, Month, Status};
pub use words::{has_words, line_name};

/// The version of every layout written here, shown in each. Columns and keys are only ever appended
/// within a version.
pub const SCHEMA_VERSION: &str = "1";

#[cfg(test)]
mod tests;
