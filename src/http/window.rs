//! The span of time a series is asked for.

use chrono::{DateTime, NaiveDate, Utc};
use defray_pricing::time::{Hour, Period};

use super::State;
use super::query::Query;

/// A span of time `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
}

impl Window {
    /// Reads `from` and `to` (RFC 3339 or milliseconds since 1970), or `period`. What is wrong is left with
    /// the query; the answer is none then.
    pub(super) fn read(query: &mut Query, state: &State) -> Option<Self> {
        let (from, to, period) = (query.one("from"), query.one("to"), query.one("period"));
        if period.is_some() && (from.is_some() || to.is_some()) {
            query.refuse("period", "it cannot be given together with from and to");
            return None;
        }
        if let Some(text) = period {
            let Ok(period) = text.parse::<Period>() else {
                query.refuse("period", format!("`{text}` is not a billing period such as 2026-10"));
                return None;
            };
            let hours = state.zone.hours(period);
            return Some(Self { from: hours.from.start(), to: hours.until.start() });
        }
        let mut read = |name: &str, text: Option<String>| {
            let Some(text) = text else {
                query.refuse(name, "it is missing; give from and to, or period");
                return None;
            };
            let instant = instant(&text);
            if instant.is_none() {
                query.refuse(
                    name,
                    format!(
                        "`{text}` is neither RFC 3339 (2026-10-01T00:00:00Z) nor milliseconds since 1970"
                    ),
                );
            }
            instant
        };
        let (from, to) = (read("from", from), read("to", to));
        let window = Self { from: from?, to: to? };
        if window.from >= window.to {
            query.refuse("to", "it must be later than from");
            return None;
        }
        Some(window)
    }

    /// The local days that lie in it, wholly or in part: `[first, after the last)`.
    pub(super) fn days(self, state: &State) -> (NaiveDate, NaiveDate) {
        let first = state.zone.day_of(Hour::containing(self.from));
        let last = state.zone.day_of(Hour::containing(last_instant(self.to)));
        (first, last.succ_opt().unwrap_or(last))
    }

    /// The periods that lie in it, wholly or in part.
    pub(super) fn periods(self, state: &State) -> impl Iterator<Item = Period> + use<> {
        let first = state.zone.period_of(Hour::containing(self.from));
        let last = state.zone.period_of(Hour::containing(last_instant(self.to)));
        std::iter::successors(Some(first), |period| Some(period.next()))
            .take_while(move |period| *period <= last)
    }
}

fn last_instant(to: DateTime<Utc>) -> DateTime<Utc> {
    to.checked_sub_signed(chrono::TimeDelta::milliseconds(1)).unwrap_or(to)
}

/// Years that a period can name; beyond them dates lose their four digits.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let instant = if text.bytes().all(|b| b.is_ascii_digit()) {
        DateTime::from_timestamp_millis(text.parse().ok()?)?
    } else {
        DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc)
    };
    let year = chrono::Datelike::year(&instant);
    (1970..=9998).contains(&year).then_some(instant)
}
