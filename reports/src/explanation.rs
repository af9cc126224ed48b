//! Why a tenant pays what it pays, for people (text) and for programs (JSON).

use std::collections::BTreeSet;

use defray_pricing::decimal;
use defray_pricing::explain::Explanation;
use defray_pricing::quantity::Quantity;

use crate::words::line_name;

mod text;
mod wire;

/// How many lines are named where none matches.
const NAMED: usize = 20;

pub use text::write as text;
pub use wire::write as json;

/// An explanation with what is known about it.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The chain from usage to cents.
    pub explanation: Explanation,
    /// Whether it explains the stored statements; if not, something was recorded since, and it explains what
    /// they will be.
    pub of_stored: bool,
    /// Whether every number is made up.
    pub demo: bool,
}

impl Explained {
    fn says(&self) -> &'static str {
        if self.of_stored {
            "the stored statement"
        } else {
            "what the statement will be: something was recorded since it was last computed"
        }
    }
}

/// That no line was explained because none has the words that were asked for, and which lines there are; nothing
/// where one was, or where there are none at all.
pub fn no_such_line(explanation: &Explanation, words: &str) -> Option<String> {
    let statements = || explanation.statements.iter();
    if statements().any(|statement| !statement.lines.is_empty()) {
        return None;
    }
    let names: BTreeSet<String> =
        statements().flat_map(|statement| &statement.others).map(line_name).collect();
    let more = names.len().saturating_sub(NAMED);
    let mut listed: Vec<String> = names.into_iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    if more > 0 {
        listed.push(format!("and {more} more"));
    }
    (!listed.is_empty()).then(|| format!("no line matches `{words}`; its lines are {}", listed.join(", ")))
}

/// A quantity without the zeros at its end.
fn short(quantity: Quantity) -> String {
    decimal::format(i128::from(quantity.micros()), 6, 0)
}

/// A count of `10^-scale`, as a decimal.
fn scaled(value: u128, scale: u32) -> String {
    i128::try_from(value)
        .map_or_else(|_| format!("{value}e-{scale}"), |value| decimal::format(value, scale, 0))
}
