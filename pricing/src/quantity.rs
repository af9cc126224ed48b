//! Measured quantities: whole numbers of 1e-6 of a unit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Overflow;
use crate::decimal::{self, DecimalError};
use crate::money::serde_as_text;

/// Digits after the point of a quantity.
pub const QUANTITY_SCALE: u32 = 6;

/// So many units (core-hours, GiB-hours, …), exact to 1e-6. Rounded once, where a reading enters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i64);

impl Quantity {
    /// None of it.
    pub const ZERO: Self = Self(0);

    /// From a count of 1e-6.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The count of 1e-6.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Sum, or overflow.
    pub fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_add(other.0).map(Self).ok_or(Overflow("quantity"))
    }

    /// Difference, or overflow.
    pub fn checked_sub(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_sub(other.0).map(Self).ok_or(Overflow("quantity"))
    }

    /// The sum of many, or overflow.
    pub fn sum(items: impl IntoIterator<Item = Self>) -> Result<Self, Overflow> {
        items.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(i128::from(self.0), QUANTITY_SCALE, QUANTITY_SCALE))
    }
}

impl FromStr for Quantity {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let micros = decimal::parse(text, QUANTITY_SCALE)?;
        i64::try_from(micros).map(Self).map_err(|_| DecimalError::TooLarge(text.to_owned()))
    }
}

/// What a quantity counts. Names follow the FOCUS unit format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Cores times hours.
    CoreHours,
    /// GiB (2^30 bytes) times hours.
    GibHours,
    /// GPUs times hours.
    GpuHours,
    /// Nodes times hours.
    NodeHours,
    /// GiB (2^30 bytes) moved.
    Gib,
    /// Hours something existed or was switched on.
    Hours,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::CoreHours, Self::GibHours, Self::GpuHours, Self::NodeHours, Self::Gib, Self::Hours];

    /// The name in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CoreHours => "Core-Hours",
            Self::GibHours => "GiB-Hours",
            Self::GpuHours => "GPU-Hours",
            Self::NodeHours => "Node-Hours",
            Self::Gib => "GiB",
            Self::Hours => "Hours",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown unit `{0}`")]
pub struct UnknownUnit(pub String);

impl FromStr for Unit {
    type Err = UnknownUnit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == text).ok_or_else(|| UnknownUnit(text.to_owned()))
    }
}

serde_as_text!(Quantity, Unit);
