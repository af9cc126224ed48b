//! A cluster that seems to have lost more than half of its nodes from one recorded hour to the next, though Kubernetes
//! has them still: its metrics store lost them, or is another one. Such an hour is parked and not recorded, because it
//! would look whole.

use std::collections::{BTreeMap, BTreeSet};

use defray_ledger::{Ledger, LedgerError, Scope};
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::{Origin, Timeline};
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::{Source, UsageHour};

/// What the reason of a parked hour begins with.
pub(super) const PARKED: &str = "parked: ";

/// How many nodes the recorded hours of a cluster had.
#[derive(Debug)]
pub(super) struct Sizes<'a> {
    ledger: &'a Ledger,
    cluster: &'a ClusterName,
    recorded: BTreeSet<Hour>,
    /// Of those that were looked at.
    known: BTreeMap<Hour, Option<Nodes>>,
}

/// Nodes on average, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Nodes(i128);

impl Nodes {
    /// As the metrics told, in the minutes in which they told anything of nodes; a gap is no loss of nodes. None where
    /// they told nothing.
    fn told(usage: &UsageHour) -> Option<Self> {
        let minutes = i128::from(usage.coverage.get(&Source::KubeStateMetrics)?.get());
        let hours: i128 = usage.nodes.iter().map(|row| i128::from(row.node_hours.micros())).sum();
        hours.checked_mul(60)?.checked_div(minutes).map(Self)
    }

    /// As Kubernetes showed.
    fn seen(timeline: &Timeline, cluster: &ClusterName, hour: Hour) -> Self {
        let mine =
            timeline.nodes.iter().filter(|span| span.cluster == *cluster && span.origin == Origin::Observed);
        let seconds = mine.map(|span| {
            let until = span.until.map_or(hour.end(), |until| until.min(hour.end()));
            i128::from((until - span.from.max(hour.start())).num_seconds().max(0))
        });
        Self(seconds.sum::<i128>().saturating_mul(1_000_000) / 3600)
    }

    fn is_less_than_half_of(self, other: Self) -> bool {
        self.0.saturating_mul(2) < other.0
    }
}

impl std::fmt::Display for Nodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = self.0.saturating_add(50_000) / 100_000;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

impl<'a> Sizes<'a> {
    pub(super) const fn new(ledger: &'a Ledger, cluster: &'a ClusterName, recorded: BTreeSet<Hour>) -> Self {
        Self { ledger, cluster, recorded, known: BTreeMap::new() }
    }

    /// Remembers an hour that was recorded.
    pub(super) fn recorded(&mut self, usage: &UsageHour) {
        self.recorded.insert(usage.hour);
        self.known.insert(usage.hour, Nodes::told(usage));
    }

    /// Why an hour is not to be recorded, if it is not. Before a cluster was observed nothing is held against metrics.
    pub(super) async fn doubt(
        &mut self,
        usage: &UsageHour,
        timeline: &Timeline,
    ) -> Result<Option<String>, LedgerError> {
        let Some(told) = Nodes::told(usage) else { return Ok(None) };
        let seen = Nodes::seen(timeline, self.cluster, usage.hour);
        if !told.is_less_than_half_of(seen) {
            return Ok(None);
        }
        let Some(last) = self.recorded.range(..usage.hour).next_back().copied() else { return Ok(None) };
        let Some(before) = self.of(last).await? else { return Ok(None) };
        Ok(told.is_less_than_half_of(before).then(|| {
            format!(
                "{PARKED}its metrics know {told} nodes, those of {last} knew {before}, and Kubernetes has {seen}; \
                 a metrics store that lost its series or is another one looks like this: mend it, and the hour is \
                 measured again by itself; if the hour was like that, name it under `accept` in the cluster's \
                 configuration"
            )
        }))
    }

    /// Whether an hour that is measured again has fewer than half of the nodes that it was recorded with; none where
    /// it was recorded with nothing told of nodes.
    pub(super) async fn halved(&mut self, usage: &UsageHour) -> Result<Option<bool>, LedgerError> {
        let (before, now) = (self.of(usage.hour).await?, Nodes::told(usage));
        Ok(before.map(|before| now.is_some_and(|now| now.is_less_than_half_of(before))))
    }

    async fn of(&mut self, hour: Hour) -> Result<Option<Nodes>, LedgerError> {
        if let Some(known) = self.known.get(&hour) {
            return Ok(*known);
        }
        let range = HourRange { from: hour, until: hour.next() };
        let usage = self.ledger.usage(&Scope::everything(), range).await?;
        let nodes = usage.iter().find(|usage| usage.cluster == *self.cluster).and_then(Nodes::told);
        self.known.insert(hour, nodes);
        Ok(nodes)
    }
}

#[cfg(test)]
mod tests {
    use defray_pricing::usage::Minutes;

    use super::*;

    #[test]
    fn a_gap_in_the_metrics_is_no_loss_of_nodes() {
        let mut usage = super::super::tests::usage(Hour::from_index(500_000));
        let told = |usage: &UsageHour| Nodes::told(usage).map(|nodes| nodes.to_string());
        assert_eq!(told(&usage).as_deref(), Some("1.0"));
        usage.nodes[0].node_hours = defray_pricing::quantity::Quantity::from_micros(250_000);
        usage.coverage.insert(Source::KubeStateMetrics, Minutes::new(15).unwrap());
        assert_eq!(told(&usage).as_deref(), Some("1.0"), "a quarter of an hour in which it was there");
        usage.coverage.insert(Source::KubeStateMetrics, Minutes::NONE);
        assert_eq!(told(&usage), None);
    }
}
