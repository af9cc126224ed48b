//! A decimal as a JSON number, digit by digit: no float is made on the way.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A decimal that is written as a JSON number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number(String);

impl Number {
    /// From a plain decimal, as money, quantities and ratios are displayed.
    pub(crate) fn new(decimal: impl std::fmt::Display) -> Self {
        Self(decimal.to_string())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // RawValue checks that the text is JSON, so a slip here is an error and not a broken document.
        RawValue::from_string(self.0.clone()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_a_float_would_lose_survive() {
        let exact = "-12345678901234567890.123456789012345678";
        assert_eq!(serde_json::to_string(&Number::new(exact)).unwrap(), exact);
        assert_eq!(serde_json::to_string(&Number::new("800.00")).unwrap(), "800.00");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert!(serde_json::to_string(&Number::new("1,5")).is_err());
    }
}
