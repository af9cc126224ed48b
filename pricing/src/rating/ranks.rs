//! The names of an hour as numbers in the order of the names: every row of usage asks for a tenant many times,
//! and numbers are told apart and ordered without reading the names.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// The place of a name among those of the hour.
pub(super) type Rank = usize;

/// A tenant on a cost centre: what a statement is made for, and ordered as statements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Account {
    pub(super) cost_center: Rank,
    pub(super) tenant: Rank,
}

/// Names in their order.
#[derive(Debug)]
pub(super) struct Ranks<Name> {
    names: Vec<Name>,
    ranks: HashMap<Name, Rank>,
}

impl<Name: Clone + Ord + Hash> Ranks<Name> {
    /// Of names in any order, each as often as it comes.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n Name>) -> Self
    where
        Name: 'n,
    {
        let mut met = HashSet::new();
        let mut names: Vec<&Name> = names.into_iter().filter(|name| met.insert(*name)).collect();
        // Mostly they come sorted, which a sort that keeps runs sees.
        names.sort();
        let names: Vec<Name> = names.into_iter().cloned().collect();
        let ranks = names.iter().cloned().zip(0..).collect();
        Self { names, ranks }
    }

    /// The rank of a name, if it is one of them.
    pub(super) fn of(&self, name: &Name) -> Option<Rank> {
        self.ranks.get(name).copied()
    }

    /// The name of a rank that was given out here.
    pub(super) fn name(&self, rank: Rank) -> &Name {
        &self.names[rank]
    }
}
