//! From a timeline to the owners of one hour.

use super::{Owners, TenancyRules, Timeline};
use crate::time::Hour;

/// Who owned what in an hour, by the rules in order.
pub fn resolve(timeline: &Timeline, rules: &TenancyRules, hour: Hour) -> Owners {
    let _ = (timeline, rules);
    Owners {
        hour,
        tenants: Default::default(),
        namespaces: Default::default(),
        dedicated: Default::default(),
        conflicts: Default::default(),
        assumed: Default::default(),
    }
}
