//! How far back a metrics store reaches: what it says that it keeps, and what it has.

use chrono::{DateTime, TimeDelta, Utc};
use defray_pricing::time::Hour;
use defray_pricing::usage::Source;

use super::Collector;
use super::error::MeasureError;
use super::settings::Dialect;

/// A mark stands for the five minutes before it: at this step no sample goes unseen.
const STEP: i64 = 300;
/// How much is asked for at once; of what a store does not have it costs nothing.
const STRETCH: i64 = 7 * 86_400;
const FEEDS: &str = "how far back the metrics store reaches";

impl Collector {
    /// How long the server keeps samples, where it says so: Prometheus does, and only of itself. Size limits may make
    /// it less.
    pub async fn keeps(&self) -> Option<TimeDelta> {
        match self.settings.dialect {
            Dialect::Prometheus => {
                let info = self.client.status("api/v1/status/runtimeinfo").await.ok()?;
                retention(info.pointer("/data/storageRetention")?.as_str()?)
            }
            Dialect::Thanos | Dialect::Mimir | Dialect::VictoriaMetrics => None,
        }
    }

    /// The first moment, to five minutes, at which the store knows a node of this cluster, looked for from a week
    /// before an hour on; none if it knows none to this day.
    pub async fn first_sample(&self, oldest: Hour) -> Result<Option<DateTime<Utc>>, MeasureError> {
        let nodes = self.queries().all(Source::KubeStateMetrics, &self.settings.names.metrics.kube_node_info);
        let text = format!("count({})", self.settings.dialect.at_marks(&nodes));
        let failed = |query: &str| {
            let query = query.to_owned();
            move |source| MeasureError::Query { feeds: FEEDS, query, source }
        };
        let now = self.client.server_time().await.map_err(failed("vector(time())"))?.div_euclid(1000);
        let mut from = oldest.start().timestamp().saturating_sub(STRETCH);
        while from <= now {
            let until = from.saturating_add(STRETCH).min(now);
            if let Some(first) = self.client.first(&text, from, until, STEP).await.map_err(failed(&text))? {
                return Ok(DateTime::from_timestamp_millis(first));
            }
            from = from.saturating_add(STRETCH).saturating_add(STEP);
        }
        Ok(None)
    }
}

/// `15d`, `1d12h`, `15d or 10GiB`; none where only the size is limited.
pub(super) fn retention(text: &str) -> Option<TimeDelta> {
    let mut rest = text.split(" or ").next()?;
    let mut whole = TimeDelta::zero();
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let unit = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let seconds: i64 = match unit.0 {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            "y" => 365 * 86_400,
            _ => return None,
        };
        let part = TimeDelta::try_seconds(number.parse::<i64>().ok()?.checked_mul(seconds)?)?;
        whole = whole.checked_add(&part)?;
        rest = unit.1;
    }
    Some(whole).filter(|whole| !whole.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_read_as_prometheus_writes_it() {
        let hours = |hours| Some(TimeDelta::hours(hours));
        for (text, expected) in [
            ("15d", hours(360)),
            ("1y", hours(365 * 24)),
            ("36h", hours(36)),
            ("1d12h", hours(36)),
            ("2w", hours(336)),
            ("90m", Some(TimeDelta::minutes(90))),
            ("15d or 10GiB", hours(360)),
            ("10GiB", None),
            ("0s", None),
            ("99999999999999999999d", None),
            ("", None),
        ] {
            assert_eq!(retention(text), expected, "{text}");
        }
    }
}
