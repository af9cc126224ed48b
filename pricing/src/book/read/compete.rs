//! Entries that compete with one that stands before them.

use std::collections::BTreeMap;

use super::Placed;
use crate::book::Pattern;

/// Tells every entry that competes with one before it in the files, once: a file that was pasted twice is
/// as many problems as it has entries, not their square. `clash` says why an earlier and a later entry
/// cannot both stand, and how to mend it; it is asked only about entries of one `group`.
pub(super) fn tell<'p, 'd: 'p, T: 'p, K: Ord>(
    entries: impl IntoIterator<Item = &'p Placed<'d, T>>,
    group: impl Fn(&'p T) -> K,
    clash: impl Fn(&'p Placed<'d, T>, &'p Placed<'d, T>) -> Option<(String, &'static str)>,
) {
    let mut sorted: Vec<_> = entries.into_iter().collect();
    sorted.sort_by_key(|placed| (placed.place.file(), placed.place.line()));
    let mut before: BTreeMap<K, Vec<&Placed<'d, T>>> = BTreeMap::new();
    for entry in sorted {
        let earlier = before.entry(group(&entry.value)).or_default();
        if let Some((message, mend)) = earlier.iter().find_map(|first| clash(first, entry)) {
            entry.place.refuse(message, mend);
        }
        earlier.push(entry);
    }
}

/// Patterns that are as specific as each other and match one name in common are in one group: a name stands
/// for itself, and only globs are held against each other.
pub(super) fn group(pattern: &Pattern) -> Option<&str> {
    pattern.is_exact().then_some(pattern.as_str())
}
