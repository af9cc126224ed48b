//! Whether the watches told of what the lists found. A watch can fall silent without breaking; lists bring everything
//! to light, but nobody would know that for an hour nothing else did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use defray_pricing::names::ClusterName;

use super::ObjectKind;

/// How long after a list a watch may still tell of what the list found.
const GRACE: TimeDelta = TimeDelta::minutes(2);

/// What watches told, and what lists found that none has told of yet.
#[derive(Debug, Clone, Default)]
pub struct Watched(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// When a watch last told that something changed.
    told: BTreeMap<(ClusterName, ObjectKind), DateTime<Utc>>,
    /// When everything was last listed.
    listed: BTreeMap<ClusterName, DateTime<Utc>>,
    doubts: Vec<Doubt>,
}

/// Changes that a list found and no watch had told of by then.
#[derive(Debug)]
struct Doubt {
    cluster: ClusterName,
    kind: ObjectKind,
    /// The list before: they happened since.
    since: DateTime<Utc>,
    found: DateTime<Utc>,
    changes: u64,
}

impl Watched {
    /// A watch tells that objects of these kinds changed.
    pub fn told(&self, cluster: &ClusterName, kinds: &BTreeSet<ObjectKind>, at: DateTime<Utc>) {
        let mut state = self.lock();
        state.told.extend(kinds.iter().map(|kind| ((cluster.clone(), *kind), at)));
    }

    /// A list found so many changes of each kind. What happened before the first list no watch could have told.
    pub fn listed(&self, cluster: &ClusterName, at: DateTime<Utc>, found: &[(ObjectKind, u64)]) {
        let mut state = self.lock();
        let Some(since) = state.listed.insert(cluster.clone(), at) else { return };
        let found = found.iter().filter(|(_, changes)| *changes > 0);
        let doubts = found.map(|(kind, changes)| Doubt {
            cluster: cluster.clone(),
            kind: *kind,
            since,
            found: at,
            changes: *changes,
        });
        state.doubts.extend(doubts);
    }

    /// What of a cluster's changes no watch has told of in time, each once.
    pub fn missed(&self, cluster: &ClusterName, now: DateTime<Utc>) -> Vec<(ObjectKind, u64)> {
        let mut state = self.lock();
        let State { told, doubts, .. } = &mut *state;
        let mut missed = Vec::new();
        doubts.retain(|doubt| {
            if doubt.cluster != *cluster {
                return true;
            }
            let is_told = told.get(&(doubt.cluster.clone(), doubt.kind)).is_some_and(|at| *at >= doubt.since);
            let is_late = now.signed_duration_since(doubt.found) >= GRACE;
            if is_late && !is_told {
                missed.push((doubt.kind, doubt.changes));
            }
            !is_told && !is_late
        });
        missed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        "2026-10-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    const FOUND: [(ObjectKind, u64); 2] = [(ObjectKind::Nodes, 3), (ObjectKind::Tenants, 0)];

    /// A list at 0 and one at 60 that finds changes, and what a watch told at these minutes.
    fn missed(told: &[(ObjectKind, i64)], asked_at: i64) -> Vec<(ObjectKind, u64)> {
        let (watched, cluster) = (Watched::default(), ClusterName::from("c"));
        watched.listed(&cluster, at(0), &FOUND);
        for (kind, minutes) in told {
            watched.told(&cluster, &[*kind].into(), at(*minutes));
        }
        watched.listed(&cluster, at(60), &FOUND);
        let missed = watched.missed(&cluster, at(asked_at));
        assert_eq!(watched.missed(&"other".into(), at(asked_at)), []);
        assert_eq!(
            watched.missed(&cluster, at(asked_at + 60)).len() + missed.len(),
            usize::from(is_silent(told))
        );
        missed
    }

    fn is_silent(told: &[(ObjectKind, i64)]) -> bool {
        !told.iter().any(|(kind, minutes)| *kind == ObjectKind::Nodes && *minutes >= 0)
    }

    #[test]
    fn what_a_list_found_and_no_watch_told_in_time_is_missed_once() {
        assert_eq!(missed(&[], 61), [], "it may still tell");
        assert_eq!(missed(&[], 62), [(ObjectKind::Nodes, 3)]);
        assert_eq!(
            missed(&[(ObjectKind::Nodes, -1)], 62),
            [(ObjectKind::Nodes, 3)],
            "that was another change"
        );
        assert_eq!(missed(&[(ObjectKind::Tenants, 30)], 62), [(ObjectKind::Nodes, 3)], "another kind");
        assert_eq!(missed(&[(ObjectKind::Nodes, 30)], 62), [], "told before the list");
        assert_eq!(missed(&[(ObjectKind::Nodes, 61)], 62), [], "told just after it");
    }
}
