//! What another price book would have changed, for people (text, Markdown) and for programs (JSON).

use std::io;

use defray_pricing::charge::Kind;
use defray_pricing::decimal;
use defray_pricing::diff::{
    Change, Diff, LineDiff, Reported, ReportedChange, Side, StatementDiff, Threshold,
};
use defray_pricing::digest::Digest;
use defray_pricing::money::Money;

mod markdown;
mod text;
mod wire;

pub use markdown::write as markdown;
pub use text::write as text;
pub use wire::write as json;

/// A comparison with what is known about both sides.
#[derive(Debug, Clone)]
pub struct PriceDiff {
    /// What moved.
    pub diff: Diff,
    /// By which book it was.
    pub old: Book,
    /// By which book it would be.
    pub new: Book,
    /// Whether the old amounts are the stored statements; if not, they were rated again under their own book,
    /// because something was recorded since.
    pub old_is_stored: bool,
    /// How much may move, if that was said.
    pub threshold: Option<Threshold>,
    /// Whether every number is made up.
    pub demo: bool,
}

/// A price book by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    /// Its digest.
    pub digest: Digest,
    /// The labels of its editions.
    pub versions: Vec<String>,
}

impl Book {
    fn named(&self) -> String {
        let digest: String = self.digest.to_string().chars().take(12).collect();
        format!("{} (book {digest})", self.versions.join(", "))
    }
}

impl PriceDiff {
    fn money(&self, amount: Money) -> String {
        amount.format(self.diff.currency.exponent())
    }

    fn signed(&self, amount: Money) -> String {
        let sign = if amount.attos() > 0 { "+" } else { "" };
        format!("{sign}{}", self.money(amount))
    }

    /// Where the old amounts come from.
    fn old_from(&self) -> &'static str {
        if self.old_is_stored {
            "the stored statements"
        } else {
            "rated again under their own book: something was recorded since the statements were made"
        }
    }

    /// Whether the threshold says that a person has to look at it; never without one.
    pub fn fails(&self) -> Result<bool, defray_pricing::Overflow> {
        self.threshold.map_or(Ok(false), |threshold| self.diff.fails(threshold))
    }

    /// What is above the threshold, by name.
    fn above(&self) -> Result<Vec<String>, defray_pricing::Overflow> {
        let Some(threshold) = self.threshold else { return Ok(Vec::new()) };
        let above = self.diff.above(threshold)?;
        let name = |statement: &StatementDiff| format!("{} / {}", statement.cost_center, statement.tenant);
        Ok(above.into_iter().map(|of| of.map_or_else(|| "the total".to_owned(), name)).collect())
    }

    /// What fails beside what moved: lines without a price in the new book; nothing where there are none.
    fn unpriced(&self) -> Option<String> {
        match self.diff.newly_unpriced().count() {
            0 => None,
            1 => Some("1 line loses its price".to_owned()),
            lines => Some(format!("{lines} lines lose their price")),
        }
    }

    /// Statements that moved, in the book's currency or in another.
    fn moved(&self) -> impl Iterator<Item = &StatementDiff> {
        self.diff.statements.iter().filter(|statement| {
            let reported = statement.reporting.as_ref().is_some_and(ReportedChange::moved);
            reported || !statement.change.difference.is_zero()
        })
    }

    /// Statements that either book shows in a reporting currency too.
    fn reported(&self) -> impl Iterator<Item = (&StatementDiff, &ReportedChange)> {
        let statements = self.diff.statements.iter();
        statements.filter_map(|statement| Some((statement, statement.reporting.as_ref()?)))
    }
}

/// Old, new and difference in a reporting currency, each with its currency, for reading.
fn reported(change: &ReportedChange) -> [String; 3] {
    let side = |side: Option<Reported>| match side {
        None => "none".to_owned(),
        Some(Reported { currency, amount: None, .. }) => format!("no rate for {currency}"),
        Some(Reported { currency, rate, amount: Some(amount) }) => {
            let at = rate.map(|rate| format!(" at {rate}")).unwrap_or_default();
            format!("{} {currency}{at}", amount.format(currency.exponent()))
        }
    };
    let difference = change.difference.zip(change.currency()).map(|(difference, currency)| {
        let sign = if difference.attos() > 0 { "+" } else { "" };
        format!("{sign}{} {currency}", difference.format(currency.exponent()))
    });
    [side(change.old), side(change.new), difference.unwrap_or_default()]
}

/// A line in its statement's reporting currency, for reading; nothing where the two sides have none in common.
fn reported_line(statement: &StatementDiff, line: &LineDiff) -> String {
    let currency = statement.reporting.as_ref().and_then(ReportedChange::currency);
    currency.zip(line.reporting).map_or_else(String::new, |(currency, change)| {
        let [old, new] = [change.old, change.new].map(|amount| amount.format(currency.exponent()));
        format!("{old} -> {new} {currency}")
    })
}

/// A change in percent with two decimals, for reading; `new` where there was nothing.
fn percent(change: Change) -> String {
    let old = change.old.attos();
    if old == 0 {
        return if change.difference.is_zero() { String::new() } else { "new".to_owned() };
    }
    // A ten-thousandth of the old amount goes into the difference so many times.
    let per = old.unsigned_abs().div_ceil(10_000).max(1);
    let hundredths =
        i128::try_from(per).ok().and_then(|per| decimal::div_half_away(change.difference.attos(), per).ok());
    let Some(hundredths) = hundredths else { return String::new() };
    let sign = if hundredths > 0 { "+" } else { "" };
    format!("{sign}{} %", decimal::format(hundredths, 2, 2))
}

/// The prices of both sides; nothing where there is none.
fn prices(line: &LineDiff) -> String {
    let side = |side: &Option<Side>| {
        let prices = side.iter().flat_map(|side| &side.unit_prices);
        prices.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match (side(&line.old), side(&line.new)) {
        (old, new) if old == new => old,
        (old, new) if old.is_empty() => format!("-> {new}"),
        (old, new) if new.is_empty() => format!("{old} ->"),
        (old, new) => format!("{old} -> {new}"),
    }
}

/// Lines of a statement that moved by a minor unit at least, in whichever currency, and how many moved by less.
fn told(statement: &StatementDiff) -> (Vec<&LineDiff>, usize) {
    let visible = |line: &&LineDiff| {
        let reported = line.reporting.is_some_and(|change| !change.difference.is_zero());
        reported || !line.change.difference.is_zero() || line.key.kind == Kind::Unpriced
    };
    let shown: Vec<&LineDiff> = statement.lines.iter().filter(visible).collect();
    let hidden = statement.lines.len().saturating_sub(shown.len());
    (shown, hidden)
}

/// An overflow while writing.
fn broken(overflow: defray_pricing::Overflow) -> io::Error {
    io::Error::other(overflow)
}
