//! From when on, and how fast, hours are measured.

use std::time::Duration;

use defray_pricing::problem::Refused;
use defray_pricing::time::Hour;
use defray_pricing::yaml::Value;

use super::page::{self, Page};

/// From when on, and how fast, hours are measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The first hour; none for the first in which the cluster was observed.
    pub since: Option<Hour>,
    /// How long after its end an hour is measured.
    pub settle: Duration,
    /// How many hours of a cluster are measured at once while catching up.
    pub concurrency: usize,
    /// How long to rest between past hours, to spare the metrics store.
    pub pause: Duration,
}

impl Default for History {
    fn default() -> Self {
        Self { since: None, settle: Duration::from_mins(5), concurrency: 2, pause: Duration::ZERO }
    }
}

pub(super) fn read(value: &Value<'_>) -> Result<History, Refused> {
    let default = History::default();
    let mut keys = value.mapping()?;
    let since = keys.optional("since", Value::parsed::<Hour>);
    let settle = keys.with_default("settle", default.settle, |value| {
        value.duration(Duration::from_secs(0)..=Duration::from_hours(6))
    });
    let concurrency =
        keys.with_default("concurrency", default.concurrency, |value| value.whole_number(1..=16));
    let pause = keys.with_default("pause", default.pause, |value| {
        value.duration(Duration::ZERO..=Duration::from_mins(10))
    });
    keys.finish();
    Ok(History { since: since?, settle: settle?, concurrency: concurrency?, pause: pause? })
}

impl History {
    pub(super) fn print(&self, page: &mut Page) {
        page.section("history", "From when on, and how fast, hours are measured.", |page| {
            let since = self.since.map(|hour| hour.to_string());
            page.maybe(
                "since",
                since.as_deref(),
                "2026-10-01T00:00:00Z",
                "The first hour to measure, if the metrics store still holds it. Without it, the first hour in which \
                 defray saw the cluster.",
            );
            page.raw(
                "settle",
                &page::duration(self.settle),
                "How long after its end an hour is measured: late samples must have arrived by then.",
            );
            page.raw(
                "concurrency",
                &self.concurrency.to_string(),
                "How many past hours of one cluster are measured at once while catching up.",
            );
            page.raw(
                "pause",
                &page::duration(self.pause),
                "How long to rest between past hours, to spare the metrics store.",
            );
        });
    }
}
