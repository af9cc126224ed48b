//! Ways to read a single value.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::suggest::nearest;
use super::tree::Kind;
use super::value::Value;
use crate::problem::Refused;

/// A unit of time and its milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl<'d> Value<'d> {
    /// The text of a single value, as it was written, quotes removed. Empty text only if quoted.
    pub fn text(&self) -> Result<&'d str, Refused> {
        match self.kind {
            Kind::Scalar { text, .. } if !self.is_null() => Ok(text),
            _ => Err(self.expected("a single value")),
        }
    }

    /// The text of a single value, not empty.
    pub fn string(&self) -> Result<String, Refused> {
        match self.text()? {
            "" => Err(self.refuse("empty text", "give it a value, or remove the key")),
            text => Ok(text.to_owned()),
        }
    }

    /// Whatever its text means. The message is the error's.
    pub fn parsed<T>(&self) -> Result<T, Refused>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.parse_with("", T::from_str)
    }

    /// Whatever a function makes of its text; `mend` says how to write it right.
    pub fn parse_with<T, E: Display>(
        &self,
        mend: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Refused> {
        parse(self.text()?).map_err(|error| self.refuse(error.to_string(), mend))
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Result<bool, Refused> {
        self.word(&[("true", true), ("false", false)])
    }

    /// One of a few words.
    pub fn word<T: Clone>(&self, words: &[(&str, T)]) -> Result<T, Refused> {
        let text = self.text()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(value.clone());
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let list = format!("one of: {}", known.join(", "));
        let mend = match nearest(text, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? {list}"),
            None => list,
        };
        Err(self.refuse(format!("unknown value `{text}`"), mend))
    }

    /// A whole number inside a range.
    pub fn whole_number<N>(&self, range: RangeInclusive<N>) -> Result<N, Refused>
    where
        N: FromStr + PartialOrd + Display,
    {
        let text = self.text()?;
        match text.parse::<N>() {
            // `+5` parses, but nobody means it.
            Ok(number) if range.contains(&number) && !text.starts_with('+') => Ok(number),
            _ => {
                let message =
                    format!("`{text}` is not a whole number from {} to {}", range.start(), range.end());
                Err(self.refuse(message, ""))
            }
        }
    }

    /// A length of time inside a range: a whole number and a unit, `500ms`, `30s`, `5m`, `2h`, `7d`.
    pub fn duration(&self, range: RangeInclusive<Duration>) -> Result<Duration, Refused> {
        let text = self.text()?;
        let Some(duration) = duration(text) else {
            let mend = "write a whole number and a unit: 30s, 5m, 2h, 7d";
            return Err(self.refuse(format!("`{text}` is not a duration"), mend));
        };
        if range.contains(&duration) {
            return Ok(duration);
        }
        let (least, most) = (show_duration(*range.start()), show_duration(*range.end()));
        Err(self.refuse(format!("`{text}` is not between {least} and {most}"), ""))
    }
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}

/// In the largest unit that shows it exactly.
fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in UNITS.into_iter().rev() {
        let whole = millis.checked_rem(u128::from(size)) == Some(0);
        if let (true, Some(count @ 1..)) = (whole, millis.checked_div(u128::from(size))) {
            return format!("{count}{unit}");
        }
    }
    "0s".to_owned()
}
