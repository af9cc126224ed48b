//! Who existed when in a month: what acts on the month asks for it, and no charge can tell it, for a tenant
//! without usage has none.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;

use crate::names::{CostCenter, TenantName};
use crate::ownership::Owners;
use crate::time::{BillingZone, Hour};

/// Folded from the owners of every hour of a period, in any order; an hour that comes twice counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthFacts {
    zone: BillingZone,
    /// In which hours each tenant was on a cost centre, in any cluster.
    on: BTreeMap<CostCenter, BTreeMap<TenantName, Hours>>,
    lives: BTreeMap<TenantName, Life>,
}

/// When a tenant existed, and its cost centre then.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Life {
    first: (Hour, CostCenter),
    /// The last hour of each local day.
    days: BTreeMap<NaiveDate, (Hour, CostCenter)>,
}

impl MonthFacts {
    /// Nobody existed yet. Days are those of the billing zone.
    pub fn new(zone: BillingZone) -> Self {
        Self { zone, on: BTreeMap::new(), lives: BTreeMap::new() }
    }

    /// Of many hours.
    pub fn of<'o>(zone: BillingZone, hours: impl IntoIterator<Item = &'o Owners>) -> Self {
        let mut facts = Self::new(zone);
        for owners in hours {
            facts.add(owners);
        }
        facts
    }

    /// Adds an hour.
    ///
    /// A tenant that lives in several clusters is on every cost centre it has in one of them. For its days
    /// the first cluster by name decides, as it does for amounts that span clusters.
    pub fn add(&mut self, owners: &Owners) {
        let hour = owners.hour;
        let day = self.zone.day_of(hour);
        let mut met: HashSet<&TenantName> = HashSet::with_capacity(owners.tenants.len());
        for ((_, tenant), state) in &owners.tenants {
            let cost_center = &state.cost_center;
            let tenants = entry(&mut self.on, cost_center);
            entry(tenants, tenant).insert(hour);
            // Tenants come by cluster, so the first that is met is that of the first cluster.
            if !met.insert(tenant) {
                continue;
            }
            let now = || (hour, cost_center.clone());
            let life = self
                .lives
                .entry(tenant.clone())
                .or_insert_with(|| Life { first: now(), days: BTreeMap::new() });
            if hour < life.first.0 {
                life.first = now();
            }
            let last = life.days.entry(day).or_insert_with(now);
            if last.0 < hour {
                *last = now();
            }
        }
    }

    /// Adds what was gathered of other hours.
    pub fn join(&mut self, other: Self) {
        for (cost_center, tenants) in other.on {
            let own = entry(&mut self.on, &cost_center);
            for (tenant, hours) in tenants {
                entry(own, &tenant).merge(&hours);
            }
        }
        for (tenant, theirs) in other.lives {
            match self.lives.entry(tenant) {
                Entry::Vacant(vacant) => drop(vacant.insert(theirs)),
                Entry::Occupied(mut own) => own.get_mut().join(theirs),
            }
        }
    }

    /// The hours in which a cost centre had a tenant, earliest first.
    pub fn hours_of(&self, cost_center: &CostCenter) -> Vec<Hour> {
        let mut all = Hours::default();
        for hours in self.on.get(cost_center).into_iter().flat_map(BTreeMap::values) {
            all.merge(hours);
        }
        all.iter().collect()
    }

    /// The tenants that a cost centre had, and for how many hours each.
    pub fn tenants_of(&self, cost_center: &CostCenter) -> impl Iterator<Item = (&TenantName, usize)> {
        let tenants = self.on.get(cost_center).into_iter().flatten();
        tenants.map(|(tenant, hours)| (tenant, hours.iter().count()))
    }

    /// All tenants.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantName> {
        self.lives.keys()
    }

    /// The cost centres that had a tenant.
    pub fn cost_centers(&self) -> impl Iterator<Item = &CostCenter> {
        self.on.keys()
    }

    /// The cost centre of a tenant at the last hour of a local day in which it existed. Where it did not
    /// exist that day: at the latest hour before, else at the earliest after, of those that were added.
    pub fn cost_center_on(&self, tenant: &TenantName, day: NaiveDate) -> Option<&CostCenter> {
        let life = self.lives.get(tenant)?;
        let by_then = life.days.range(..=day).next_back().map(|(_, last)| last);
        Some(&by_then.unwrap_or(&life.first).1)
    }
}

impl Life {
    fn join(&mut self, other: Self) {
        if other.first.0 < self.first.0 {
            self.first = other.first;
        }
        for (day, last) in other.days {
            let own = self.days.entry(day).or_insert_with(|| last.clone());
            if own.0 < last.0 {
                *own = last;
            }
        }
    }
}

/// The value of a key, made where there is none. Names are cheap to copy.
fn entry<'m, K: Ord + Clone, V: Default>(map: &'m mut BTreeMap<K, V>, key: &K) -> &'m mut V {
    map.entry(key.clone()).or_default()
}

/// A set of hours, 64 to a block: a tenant's month is a dozen numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Hours(BTreeMap<i64, u64>);

impl Hours {
    const BLOCK: i64 = 64;

    fn insert(&mut self, hour: Hour) {
        let block = hour.index().div_euclid(Self::BLOCK);
        *self.0.entry(block).or_default() |= bit(hour.index().rem_euclid(Self::BLOCK));
    }

    fn merge(&mut self, other: &Self) {
        for (block, bits) in &other.0 {
            *self.0.entry(*block).or_default() |= bits;
        }
    }

    fn iter(&self) -> impl Iterator<Item = Hour> {
        self.0.iter().flat_map(|(block, bits)| {
            let first = block.saturating_mul(Self::BLOCK);
            let set = (0..Self::BLOCK).filter(move |place| bits & bit(*place) != 0);
            set.map(move |place| Hour::from_index(first.saturating_add(place)))
        })
    }
}

/// The bit of an hour in its block.
fn bit(place: i64) -> u64 {
    u32::try_from(place).ok().and_then(|place| 1_u64.checked_shl(place)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::ownership::TenantState;

    fn owners(hour: &str, tenants: &[(&str, &str, &str)]) -> Owners {
        let state =
            |cost_center: &str| TenantState { cost_center: cost_center.into(), services: BTreeSet::new() };
        let tenants =
            tenants.iter().map(|(cluster, tenant, cc)| (((*cluster).into(), (*tenant).into()), state(cc)));
        Owners { tenants: tenants.collect(), ..Owners::nobody(hour.parse().unwrap()) }
    }

    fn berlin() -> BillingZone {
        BillingZone::new("Europe/Berlin").unwrap()
    }

    fn on(facts: &MonthFacts, tenant: &str, day: &str) -> Option<String> {
        facts.cost_center_on(&tenant.into(), day.parse().unwrap()).map(ToString::to_string)
    }

    #[test]
    fn a_day_takes_the_cost_centre_of_the_last_hour_the_tenant_existed_in_it() {
        let facts = MonthFacts::of(
            berlin(),
            &[
                // 23:00 of the 14th in Berlin, and 00:00 of the 15th.
                owners("2026-10-14T20:00:00Z", &[("prod", "a", "CC-0")]),
                owners("2026-10-14T21:00:00Z", &[("prod", "a", "CC-1")]),
                owners("2026-10-14T22:00:00Z", &[("prod", "a", "CC-2")]),
                owners("2026-10-15T10:00:00Z", &[("prod", "a", "CC-3")]),
                owners("2026-10-15T11:00:00Z", &[("prod", "b", "CC-3")]),
                owners("2026-10-20T11:00:00Z", &[("prod", "a", "CC-4"), ("other", "a", "CC-5")]),
            ],
        );
        for (day, cost_center) in [
            ("2026-10-14", "CC-1"),
            ("2026-10-15", "CC-3"),
            ("2026-10-19", "CC-3"),
            ("2026-10-20", "CC-5"),
            ("2026-10-31", "CC-5"),
            // Before it existed: the earliest after.
            ("2026-10-01", "CC-0"),
        ] {
            assert_eq!(on(&facts, "a", day).as_deref(), Some(cost_center), "{day}");
        }
        assert_eq!(on(&facts, "nobody", "2026-10-14"), None);
    }

    #[test]
    fn an_hour_counts_once_for_a_cost_centre_however_many_tenants_and_clusters_it_has() {
        let facts = MonthFacts::of(
            berlin(),
            &[
                owners("2026-10-14T21:00:00Z", &[("x", "a", "CC-1"), ("y", "a", "CC-1"), ("x", "b", "CC-1")]),
                owners("2026-10-14T23:00:00Z", &[("x", "a", "CC-2"), ("y", "a", "CC-1")]),
            ],
        );
        let hours: Vec<String> = facts.hours_of(&"CC-1".into()).iter().map(ToString::to_string).collect();
        assert_eq!(hours, ["2026-10-14T21:00:00Z", "2026-10-14T23:00:00Z"]);
        let tenants: Vec<_> = facts.tenants_of(&"CC-1".into()).map(|(t, n)| (t.to_string(), n)).collect();
        assert_eq!(tenants, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        assert_eq!(facts.hours_of(&"CC-2".into()).len(), 1);
        assert_eq!(facts.hours_of(&"CC-3".into()), []);
    }

    proptest! {
        #[test]
        fn hours_come_back_in_order_whatever_order_they_went_in(indices in proptest::collection::vec(-200_i64..900, 0..60)) {
            let mut hours = Hours::default();
            for index in &indices {
                hours.insert(Hour::from_index(*index));
            }
            let wanted: BTreeSet<Hour> = indices.into_iter().map(Hour::from_index).collect();
            prop_assert_eq!(hours.iter().collect::<Vec<_>>(), wanted.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn the_order_of_hours_and_their_repetition_change_nothing(
            hours in proptest::collection::vec((0_i64..60, proptest::collection::btree_map((0..2_u8, 0..2_u8), 0..3_u8, 0..4)), 0..12),
        ) {
            // One hour has one set of owners.
            let hours: BTreeMap<_, _> = hours.into_iter().collect();
            let all: Vec<Owners> = hours.iter().map(|(index, tenants)| {
                let mut owners = owners("2026-10-14T00:00:00Z", &[]);
                owners.hour = Hour::from_index(*index);
                for ((cluster, tenant), cc) in tenants {
                    let state = TenantState { cost_center: format!("CC-{cc}").into(), services: BTreeSet::new() };
                    owners.tenants.insert((format!("c{cluster}").into(), format!("t{tenant}").into()), state);
                }
                owners
            }).collect();
            let once = MonthFacts::of(berlin(), &all);
            prop_assert_eq!(MonthFacts::of(berlin(), all.iter().rev().chain(&all)), once);
        }
    }
}
