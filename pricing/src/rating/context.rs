//! What an hour is rated by: the edition in force, and who bears what.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::RatingError;
use super::amounts::Place;
use crate::Overflow;
use crate::book::{Edition, Policy, PriceBook, SharedCost};
use crate::names::{ClusterName, CostCenter, Namespace, TenantName};
use crate::ownership::{Conflict, Owners};

/// Who bears the direct cost of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bearer {
    /// A tenant, `__unassigned__` included.
    One(Account),
    /// Everyone, by the shared cost of that place in the edition.
    Shared(usize),
}

/// A tenant on a cost centre: what a statement is made for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Account {
    pub(super) tenant: TenantName,
    pub(super) cost_center: CostCenter,
}

impl Account {
    pub(super) fn unassigned() -> Self {
        Self { tenant: TenantName::unassigned(), cost_center: CostCenter::unassigned() }
    }
}

/// Everything that does not depend on usage.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) edition: &'a Edition,
    pub(super) owners: &'a Owners,
    pub(super) place: Place,
    /// Where a tenant that is not known in a cluster has its cost centre: its first cluster.
    homes: HashMap<&'a TenantName, &'a CostCenter>,
    /// Who exists in each cluster: has a resource, owns a namespace or a pool.
    pub(super) present: BTreeMap<&'a ClusterName, BTreeSet<&'a TenantName>>,
    contested: BTreeSet<(&'a ClusterName, &'a Namespace)>,
    bearers: RefCell<HashMap<(ClusterName, Namespace), Bearer>>,
    conflicts: RefCell<BTreeSet<Conflict>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(book: &'a PriceBook, owners: &'a Owners) -> Result<Self, RatingError> {
        let edition = book.at(owners.hour).ok_or(RatingError::NoBook(owners.hour))?;
        let period = book.zone.period_of(owners.hour);
        let hours = book.zone.hours(period);
        let before = owners.hour.index().checked_sub(hours.from.index());
        let index = before.and_then(|index| u32::try_from(index).ok());
        let place = Place {
            period,
            of: hours.len(),
            index: index.ok_or(Overflow("hour of the period"))?,
            exponent: book.currency.exponent(),
        };
        let mut homes = HashMap::new();
        for ((_, tenant), state) in &owners.tenants {
            homes.entry(tenant).or_insert(&state.cost_center);
        }
        let contested = owners.conflicts.iter().filter_map(|conflict| match conflict {
            Conflict::TwoOwnersOneNamespace { cluster, namespace, .. } => Some((cluster, namespace)),
            _ => None,
        });
        Ok(Self {
            edition,
            owners,
            place,
            homes,
            present: present(owners),
            contested: contested.collect(),
            bearers: RefCell::default(),
            conflicts: RefCell::default(),
        })
    }

    /// Clusters of which anything is known in this hour besides usage.
    pub(super) fn known_clusters(&self) -> BTreeSet<&'a ClusterName> {
        let namespaces = self.owners.namespaces.keys().map(|(cluster, _)| cluster);
        self.present.keys().copied().chain(namespaces).chain(&self.owners.assumed).collect()
    }

    /// A tenant with the cost centre it has in a cluster, else in its first.
    pub(super) fn account(&self, cluster: Option<&ClusterName>, tenant: &TenantName) -> Account {
        let here = cluster
            .and_then(|cluster| self.owners.tenants.get(&(cluster.clone(), tenant.clone())))
            .map(|state| &state.cost_center);
        let cost_center = here.or_else(|| self.homes.get(tenant).copied());
        let cost_center = cost_center.cloned().unwrap_or_else(CostCenter::unassigned);
        Account { tenant: tenant.clone(), cost_center }
    }

    /// Who bears what a policy keeps.
    pub(super) fn keeper(&self, policy: &Policy) -> Account {
        let named = if let Policy::Keep(named) = policy { named.as_ref() } else { None };
        match named.or(self.edition.platform_cost_center.as_ref()) {
            Some(cost_center) => Account { tenant: TenantName::platform(), cost_center: cost_center.clone() },
            None => Account::unassigned(),
        }
    }

    /// Who bears the direct cost of a namespace; asked once for each.
    pub(super) fn bearer(&self, cluster: &ClusterName, namespace: &Namespace) -> Bearer {
        let key = (cluster.clone(), namespace.clone());
        if let Some(known) = self.bearers.borrow().get(&key) {
            return known.clone();
        }
        let bearer = self.decide_bearer(&key);
        self.bearers.borrow_mut().insert(key, bearer.clone());
        bearer
    }

    /// Whether a namespace's direct cost is a tenant's.
    pub(super) fn owns(&self, cluster: &ClusterName, namespace: &Namespace, tenant: &TenantName) -> bool {
        matches!(self.bearer(cluster, namespace), Bearer::One(account) if account.tenant == *tenant)
    }

    fn decide_bearer(&self, key: &(ClusterName, Namespace)) -> Bearer {
        let (cluster, namespace) = key;
        let state = self.owners.namespaces.get(key);
        let tenant = state.and_then(|state| state.tenant.as_ref());
        let none = BTreeMap::new();
        let labels = state.map_or(&none, |state| &state.labels);
        let selects = |cost: &SharedCost| cost.what.selects(namespace, labels);
        let mut places = (0_usize..).zip(&self.edition.shared_costs).filter(|(_, cost)| selects(cost));
        let shared = places.next().map(|(place, _)| place);
        if tenant.is_none() && places.next().is_some() {
            let selecting = self.edition.shared_costs.iter().filter(|cost| selects(cost));
            self.conflicts.borrow_mut().insert(Conflict::TwoSharedCosts {
                cluster: cluster.clone(),
                namespace: namespace.clone(),
                shared_costs: selecting.map(|cost| cost.name.clone()).collect(),
            });
            return Bearer::One(Account::unassigned());
        }
        match (tenant, shared) {
            (Some(tenant), None) => Bearer::One(self.account(Some(cluster), tenant)),
            (None, Some(place)) if !self.contested.contains(&(cluster, namespace)) => Bearer::Shared(place),
            (Some(tenant), Some(place)) => {
                let shared_cost = self.edition.shared_costs.get(place).map(|cost| cost.name.clone());
                self.conflicts.borrow_mut().insert(Conflict::OwnedAndShared {
                    cluster: cluster.clone(),
                    namespace: namespace.clone(),
                    tenant: tenant.clone(),
                    shared_cost: shared_cost.unwrap_or_default(),
                });
                Bearer::One(Account::unassigned())
            }
            (None, _) => Bearer::One(Account::unassigned()),
        }
    }

    /// The conflicts met so far.
    pub(super) fn conflicts(&self) -> BTreeSet<Conflict> {
        self.conflicts.borrow().clone()
    }
}

fn present(owners: &Owners) -> BTreeMap<&ClusterName, BTreeSet<&TenantName>> {
    let resources = owners.tenants.keys().map(|(cluster, tenant)| (cluster, tenant));
    let namespaces = owners
        .namespaces
        .iter()
        .filter_map(|((cluster, _), state)| state.tenant.as_ref().map(|tenant| (cluster, tenant)));
    let pools = owners.dedicated.iter().map(|((cluster, _), tenant)| (cluster, tenant));
    let mut present: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (cluster, tenant) in resources.chain(namespaces).chain(pools) {
        let tenants = present.entry(cluster).or_default();
        if !tenant.is_reserved() {
            tenants.insert(tenant);
        }
    }
    present
}
