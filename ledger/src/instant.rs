//! Instants at rest: microseconds since 1970.

use chrono::{DateTime, Utc};

use crate::error::LedgerError;

pub(crate) fn micros(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}

pub(crate) fn instant(micros: i64) -> Result<DateTime<Utc>, LedgerError> {
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| LedgerError::Corrupt(format!("the instant {micros} is out of range")))
}
