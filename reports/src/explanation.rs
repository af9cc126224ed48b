//! Why a tenant pays what it pays, for people (text) and for programs (JSON).

use defray_pricing::decimal;
use defray_pricing::explain::Explanation;
use defray_pricing::quantity::Quantity;

mod text;
mod wire;

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

/// A quantity without the zeros at its end.
fn short(quantity: Quantity) -> String {
    decimal::format(i128::from(quantity.micros()), 6, 0)
}

/// A count of `10^-scale`, as a decimal.
fn scaled(value: u128, scale: u32) -> String {
    i128::try_from(value)
        .map_or_else(|_| format!("{value}e-{scale}"), |value| decimal::format(value, scale, 0))
}
