//! Whether the sources were whole: a metric that is not there though it must be, and nodes that nobody
//! scraped.

use std::collections::BTreeMap;

use defray_pricing::usage::{Minutes, Source};

use super::super::envelope::Series;
use super::super::error::MeasureError;
use super::super::gauges::MarkSet;
use super::super::names::MayBeAbsent;
use super::Measurement;
use super::pods::Pods;

/// How many minutes one source may know of something before another does, or after: a sample stands for
/// five minutes.
const SLACK: u8 = 5;

/// What came of one query.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) source: Source,
    pub(super) metric: String,
    pub(super) feeds: &'static str,
    pub(super) minutes: MarkSet,
    pub(super) is_empty: bool,
}

impl Measurement<'_> {
    /// Refuses an hour in which pods ran and a metric is not there that every cluster with pods has: it was
    /// dropped on the way, and what it feeds would be zero for everybody.
    pub(super) fn refuse_holes(&self, pods: &Pods) -> Result<(), MeasureError> {
        let names = self.names();
        let m = &names.metrics;
        let ran = more_than_slack(pods.ran());
        let network = names.traffic.is_none() && more_than_slack(pods.ran_on_own_network());
        let known = self.answers.iter().any(|a| a.metric == m.kube_pod_info && !a.is_empty);
        let needed = [
            (&m.kube_pod_status_phase, known),
            (&m.kube_pod_info, ran),
            (&m.kube_node_info, ran),
            (&m.kube_node_status_capacity, ran),
            (&m.container_cpu_usage_seconds_total, ran),
            (&m.container_memory_working_set_bytes, ran),
        ];
        for (metric, expected) in needed {
            if expected && let Some(feeds) = self.absent(metric) {
                let (hour, metric) = (self.hour, metric.clone());
                return Err(MeasureError::Missing { hour, metric, feeds });
            }
        }
        let usual = [
            (MayBeAbsent::Requests, &m.kube_pod_container_resource_requests, ran),
            (MayBeAbsent::Network, &m.container_network_transmit_bytes_total, network),
            (MayBeAbsent::Services, &m.kube_service_spec_type, ran),
        ];
        for (what, metric, expected) in usual {
            if expected
                && !names.absent.contains(&what)
                && let Some(feeds) = self.absent(metric)
            {
                let (hour, metric) = (self.hour, metric.clone());
                return Err(MeasureError::Dropped { hour, metric, feeds });
            }
        }
        Ok(())
    }

    /// What a metric feeds of which no query had anything, though its exporter had other data.
    fn absent(&self, metric: &str) -> Option<&'static str> {
        let mut answers = self.answers.iter().filter(|answer| answer.metric == metric);
        let first = answers.next()?;
        let nothing = first.is_empty && answers.all(|answer| answer.is_empty);
        (nothing && more_than_slack(self.others(first))).then_some(first.feeds)
    }

    /// In which minutes the same exporter had other data.
    fn others(&self, of: &Answer) -> MarkSet {
        let others = self.answers.iter().filter(|a| a.source == of.source && a.metric != of.metric);
        others.map(|answer| answer.minutes).fold(MarkSet::default(), MarkSet::union)
    }

    /// Remembers in which minutes a node's kubelet had data.
    pub(super) fn saw_node(&mut self, node: &str, views: &[Vec<Series>], is_raw: bool) {
        let hour = self.hour;
        let minutes = |one| if is_raw { MarkSet::of_raw(one, hour) } else { MarkSet::of(one, hour) };
        let seen = views.iter().flatten().map(minutes).fold(MarkSet::default(), MarkSet::union);
        let known = self.scraped.entry(node.to_owned()).or_default();
        *known = known.union(seen);
    }

    /// The minutes of each source; of cAdvisor no more than the share of what it should have seen.
    pub(super) fn minutes(&self, pods: &Pods) -> BTreeMap<Source, Minutes> {
        let whole = self.coverage.iter().map(|(source, minutes)| (*source, minutes.minutes()));
        whole
            .map(|(source, minutes)| match source {
                Source::Cadvisor => (source, minutes.min(share(&pods.ran_on(), &self.scraped))),
                Source::KubeStateMetrics => (source, minutes),
            })
            .collect()
    }
}

fn more_than_slack(minutes: MarkSet) -> bool {
    minutes.minutes().get() > SLACK
}

/// Over all nodes, of the minutes in which pods ran there the share that was scraped, of 60 and cut: all of
/// them only if none is missing.
fn share(ran: &BTreeMap<String, MarkSet>, scraped: &BTreeMap<String, MarkSet>) -> Minutes {
    let (mut due, mut missing) = (0_u64, 0_u64);
    for (node, ran) in ran {
        due = due.saturating_add(ran.minutes().get().into());
        let lost = ran.without(scraped.get(node).copied().unwrap_or_default());
        if more_than_slack(lost) {
            missing = missing.saturating_add(lost.minutes().get().into());
        }
    }
    let share = due.saturating_sub(missing).saturating_mul(60).checked_div(due);
    share.and_then(|share| u8::try_from(share).ok()).and_then(Minutes::new).unwrap_or(Minutes::FULL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: usize, minutes: MarkSet) -> BTreeMap<String, MarkSet> {
        (0..count).map(|node| (format!("node-{node}"), minutes)).collect()
    }

    #[test]
    fn one_kubelet_of_many_that_nobody_scrapes_lowers_coverage() {
        let all = MarkSet::ALL;
        assert_eq!(share(&nodes(10, all), &nodes(9, all)).get(), 54);
        assert_eq!(share(&nodes(1000, all), &nodes(999, all)).get(), 59, "never whole");
        assert_eq!(share(&nodes(10, all), &nodes(10, all)), Minutes::FULL);
        assert_eq!(share(&nodes(10, all), &nodes(0, all)).get(), 0);
        assert_eq!(share(&nodes(0, all), &nodes(0, all)), Minutes::FULL, "no pods, nothing to see");
    }

    #[test]
    fn a_node_that_comes_or_goes_is_not_scraped_to_the_minute() {
        let first = |count: u32| MarkSet::ALL.without(MarkSet::first(count));
        assert_eq!(share(&nodes(1, MarkSet::ALL), &nodes(1, first(5))), Minutes::FULL);
        assert_eq!(share(&nodes(1, MarkSet::ALL), &nodes(1, first(6))).get(), 54);
    }
}
