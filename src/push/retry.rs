//! When to try again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use defray_pricing::digest::Digest;

/// The first and the longest pause between two tries of one report; it doubles in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(5), longest: Duration::from_mins(30) }
    }
}

/// No receiver may ask for a longer pause: a typing error there must not silence us for a year.
const LONGEST_ASKED: Duration = Duration::from_hours(24);

/// The pause after a failed try. What the receiver asked for counts, if it asked; otherwise between half
/// and all of the doubled pause, spread by the report and the try, so that reports do not come back as one.
pub(super) fn delay(backoff: Backoff, id: i64, attempts: u32, asked: Option<Duration>) -> Duration {
    if let Some(asked) = asked {
        return asked.min(LONGEST_ASKED).max(Duration::from_secs(1));
    }
    let doubled = backoff.first.saturating_mul(2_u32.saturating_pow(attempts.min(31)));
    let whole = doubled.min(backoff.longest);
    let spread = Digest::of_fields([id.to_le_bytes().as_slice(), &attempts.to_le_bytes()]);
    let part = u32::from(spread.as_bytes().first().copied().unwrap_or(0));
    // 256/512 … 511/512 of it.
    whole.saturating_mul(part.saturating_add(256)).checked_div(512).unwrap_or(whole)
}

/// `Retry-After`: seconds, or a date.
pub(super) fn retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(header.parse().map_or(LONGEST_ASKED, Duration::from_secs));
    }
    let at = DateTime::parse_from_rfc2822(header).ok()?.with_timezone(&Utc);
    Some(at.signed_duration_since(now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_are_spread() {
        let backoff = Backoff { first: Duration::from_secs(4), longest: Duration::from_secs(100) };
        for (attempts, whole) in [(0, 4), (1, 8), (4, 64), (5, 100), (4_000_000_000, 100)] {
            let whole = Duration::from_secs(whole);
            let delays: Vec<_> = (0..50).map(|id| delay(backoff, id, attempts, None)).collect();
            assert!(
                delays.iter().all(|delay| *delay >= whole / 2 && *delay < whole),
                "{attempts}: {delays:?}"
            );
            assert!(delays.iter().collect::<std::collections::BTreeSet<_>>().len() > 20);
        }
    }

    #[test]
    fn what_the_receiver_asks_for_counts_within_a_day() {
        let now: DateTime<Utc> = "2026-11-06T08:49:37Z".parse().unwrap();
        let asked =
            |text: &str| retry_after(text, now).map(|asked| delay(Backoff::default(), 1, 9, Some(asked)));
        assert_eq!(asked("120"), Some(Duration::from_mins(2)));
        assert_eq!(asked("0"), Some(Duration::from_secs(1)));
        assert_eq!(asked("Fri, 06 Nov 2026 08:50:37 GMT"), Some(Duration::from_mins(1)));
        assert_eq!(asked("Fri, 06 Nov 2026 08:00:00 GMT"), Some(Duration::from_secs(1)));
        assert_eq!(asked("99999999999999999999999"), Some(Duration::from_hours(24)));
        for text in ["", "soon", "-5", "1.5"] {
            assert_eq!(asked(text), None, "{text}");
        }
    }
}
