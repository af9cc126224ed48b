//! Whether pods are followed, said once when that changes: whether the watch works, and what it saw is written.

use std::time::Duration;

use tokio::time::Instant;

use super::Shared;
use crate::telemetry::ClusterLabel;

/// How long a watch that cannot be had is waited for, at first; the watch itself tries again by its own measure.
const DELAY_MIN: Duration = Duration::from_secs(1);
/// How long at most.
const DELAY_MAX: Duration = Duration::from_mins(1);

/// The watch as people hear of it.
#[derive(Debug)]
pub(super) struct Watching<'a> {
    shared: &'a Shared,
    label: ClusterLabel,
    /// Whether all that was there was ever seen: not before the cluster was recognised.
    has_begun: bool,
    broken: Option<String>,
    unwritten: Option<String>,
    delay: Duration,
    /// Before this nobody is asked.
    pub(super) resume: Instant,
}

impl<'a> Watching<'a> {
    pub(super) fn new(shared: &'a Shared, cluster: &str) -> Self {
        let label = ClusterLabel { cluster: cluster.to_owned() };
        let watching = Self {
            shared,
            label,
            has_begun: false,
            broken: None,
            unwritten: None,
            delay: DELAY_MIN,
            resume: Instant::now(),
        };
        watching.show();
        watching
    }

    /// The watch does not work, and tries again by itself. Says whether that is news.
    pub(super) fn broken(&mut self, reason: String) -> bool {
        let is_news = self.broken.as_ref() != Some(&reason);
        if is_news {
            tracing::warn!(
                cluster.name = self.label.cluster,
                "the watch on pods is broken and tried again by itself; meanwhile only lists tell of them: {reason}"
            );
        }
        self.broken = Some(reason);
        self.show();
        is_news
    }

    /// It is not to be had: it is asked for again, later each time.
    pub(super) fn refused(&mut self, reason: String) {
        self.broken(reason);
        self.resume = Instant::now() + self.delay;
        self.delay = self.delay.saturating_mul(2).min(DELAY_MAX);
    }

    /// All that is there was seen.
    pub(super) fn works(&mut self) {
        self.delay = DELAY_MIN;
        self.has_begun = true;
        if self.broken.take().is_some() {
            tracing::info!(cluster.name = self.label.cluster, "the watch on pods works again");
        }
        self.show();
    }

    /// What it saw cannot be written. It is kept.
    pub(super) fn not_written(&mut self, reason: String) {
        if self.unwritten.as_ref() != Some(&reason) {
            tracing::warn!(
                cluster.name = self.label.cluster,
                error = reason,
                "what was seen of pods cannot be written and is tried again"
            );
        }
        self.unwritten = Some(reason);
        self.show();
    }

    pub(super) fn written(&mut self) {
        if self.unwritten.take().is_some() {
            tracing::info!(cluster.name = self.label.cluster, "what was seen of pods is written again");
        }
        self.show();
    }

    fn show(&self) {
        let is_broken = !self.has_begun || self.broken.is_some() || self.unwritten.is_some();
        self.shared.metrics.pod_watch_broken.get_or_create(&self.label).set(i64::from(is_broken));
    }
}
