//! Whether the daemon can do its work, by named conditions: whoever does the work says so, whoever is
//! asked reads it here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The conditions under which the daemon does its work. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<String, State>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Ready,
    NotReady(String),
}

/// A condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reason {
    /// Its name, for example `price_book`.
    pub condition: String,
    /// What is wrong, and how to mend it.
    pub reason: String,
}

impl Readiness {
    /// Without conditions, which is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that a condition holds.
    pub fn ready(&self, condition: impl Into<String>) {
        self.lock().insert(condition.into(), State::Ready);
    }

    /// Says that a condition does not hold, and why.
    pub fn not_ready(&self, condition: impl Into<String>, reason: impl Into<String>) {
        self.lock().insert(condition.into(), State::NotReady(reason.into()));
    }

    /// Every condition that does not hold, by name.
    pub fn reasons(&self) -> Vec<Reason> {
        let reason = |(condition, state): (&String, &State)| match state {
            State::Ready => None,
            State::NotReady(reason) => Some(Reason { condition: condition.clone(), reason: reason.clone() }),
        };
        self.lock().iter().filter_map(reason).collect()
    }

    /// The map is whole after every statement, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_is_ready_when_every_condition_holds() {
        let readiness = Readiness::new();
        assert!(readiness.reasons().is_empty());
        readiness.not_ready("price_book", "no file");
        readiness.clone().not_ready("cluster prod", "Prometheus does not answer");
        let named: Vec<String> = readiness.reasons().into_iter().map(|r| r.condition).collect();
        assert_eq!(named, ["cluster prod", "price_book"]);
        readiness.ready("price_book");
        readiness.ready("cluster prod");
        assert!(readiness.reasons().is_empty());
    }
}
