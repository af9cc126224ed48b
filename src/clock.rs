//! The only reader of time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// What time it is: the wall clock, or in tests and in the demo a clock that stands where it was put.
#[derive(Debug, Clone)]
pub struct Clock(Reading);

#[derive(Debug, Clone)]
enum Reading {
    Wall,
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub const fn wall() -> Self {
        Self(Reading::Wall)
    }

    /// A clock that stands still until it is moved.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self(Reading::Fixed(Arc::new(AtomicI64::new(at.timestamp_millis()))))
    }

    /// What time it is.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the Clock")]
            Reading::Wall => Utc::now(),
            Reading::Fixed(millis) => DateTime::from_timestamp_millis(millis.load(Ordering::SeqCst))
                .unwrap_or(DateTime::<Utc>::MIN_UTC),
        }
    }

    /// Moves a fixed clock on; the wall clock is not ours to move, and stays.
    pub fn advance(&self, by: Duration) {
        if let Reading::Fixed(millis) = &self.0 {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            millis.fetch_add(by, Ordering::SeqCst);
        }
    }
}
