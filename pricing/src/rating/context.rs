//! What an hour is rated by: the edition in force, and who bears what.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::RatingError;
use super::amounts::Place;
use super::ranks::{Account, Rank, Ranks};
use crate::Overflow;
use crate::book::{Edition, Policy, PriceBook, SharedCost};
use crate::charge::{Kind, LineKey};
use crate::names::{ClusterName, CostCenter, Namespace, TenantName};
use crate::ownership::{Conflict, NamespaceState, Owners};
use crate::time::Hour;

/// Who bears the direct cost of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bearer {
    /// A tenant, `__unassigned__` included.
    One(Account),
    /// Everyone, by the shared cost of that place in the edition.
    Shared(usize),
}

/// What is known of a namespace in the hour.
#[derive(Debug, Default)]
struct Known<'a> {
    state: Option<&'a NamespaceState>,
    /// Decided when it is first asked for.
    bearer: Option<Bearer>,
}

/// Everything that does not depend on usage.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) edition: &'a Edition,
    pub(super) owners: &'a Owners,
    pub(super) place: Place,
    /// Nobody, whose is what nobody owns.
    pub(super) unassigned: Account,
    platform: Rank,
    tenants: Ranks<TenantName>,
    cost_centers: Ranks<CostCenter>,
    /// The cost centre that a tenant has in a cluster.
    homes: HashMap<(&'a ClusterName, Rank), Rank>,
    /// That of a tenant which is not known in a cluster: what it has in its first.
    first_homes: HashMap<Rank, Rank>,
    /// Who exists in each cluster: has a resource, owns a namespace or a pool. Sorted, each once.
    pub(super) present: BTreeMap<&'a ClusterName, Vec<Rank>>,
    contested: BTreeSet<(&'a ClusterName, &'a Namespace)>,
    namespaces: RefCell<HashMap<(&'a ClusterName, &'a Namespace), Known<'a>>>,
    conflicts: RefCell<BTreeSet<Conflict>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(book: &'a PriceBook, owners: &'a Owners) -> Result<Self, RatingError> {
        let edition = book.at(owners.hour).ok_or(RatingError::NoBook(owners.hour))?;
        let (nobody, platform) = (TenantName::unassigned(), TenantName::platform());
        let tenants = Ranks::new(existing(owners).map(|(_, tenant)| tenant).chain([&nobody, &platform]));
        let policies = edition.shared_costs.iter().map(|cost| &cost.policy).chain([&edition.idle]);
        let kept = policies.filter_map(kept_on).chain(&edition.platform_cost_center);
        let nobodys = CostCenter::unassigned();
        let homes = owners.tenants.values().map(|state| &state.cost_center);
        let cost_centers = Ranks::new(homes.chain(kept).chain([&nobodys]));
        let reserved = tenants.of(&nobody).zip(cost_centers.of(&nobodys)).zip(tenants.of(&platform));
        let ((tenant, cost_center), platform) = reserved.ok_or(Overflow("reserved tenants"))?;
        let (mut homes, mut first_homes) = (HashMap::new(), HashMap::new());
        for ((cluster, tenant), state) in &owners.tenants {
            if let Some((tenant, home)) = tenants.of(tenant).zip(cost_centers.of(&state.cost_center)) {
                homes.insert((cluster, tenant), home);
                first_homes.entry(tenant).or_insert(home);
            }
        }
        let contested = owners.conflicts.iter().filter_map(|conflict| match conflict {
            Conflict::TwoOwnersOneNamespace { cluster, namespace, .. } => Some((cluster, namespace)),
            _ => None,
        });
        let known = |state| Known { state: Some(state), bearer: None };
        let namespaces =
            owners.namespaces.iter().map(|((cluster, name), state)| ((cluster, name), known(state)));
        Ok(Self {
            edition,
            owners,
            place: place(book, owners.hour)?,
            unassigned: Account { cost_center, tenant },
            platform,
            present: present(owners, &tenants),
            contested: contested.collect(),
            namespaces: RefCell::new(namespaces.collect()),
            conflicts: RefCell::default(),
            tenants,
            cost_centers,
            homes,
            first_homes,
        })
    }

    /// The rank of a tenant, if it exists anywhere.
    pub(super) fn rank(&self, tenant: &TenantName) -> Option<Rank> {
        self.tenants.of(tenant)
    }

    /// A tenant with the cost centre it has in a cluster, else in its first.
    pub(super) fn account(&self, cluster: Option<&'a ClusterName>, tenant: Rank) -> Account {
        let here = cluster.and_then(|cluster| self.homes.get(&(cluster, tenant)));
        let home = here.or_else(|| self.first_homes.get(&tenant)).copied();
        Account { tenant, cost_center: home.unwrap_or(self.unassigned.cost_center) }
    }

    /// What no tenant is known to be is nobody's.
    pub(super) fn account_of(&self, cluster: &'a ClusterName, tenant: &TenantName) -> Account {
        self.rank(tenant).map_or(self.unassigned, |rank| self.account(Some(cluster), rank))
    }

    /// Who bears what a policy keeps.
    pub(super) fn keeper(&self, policy: &Policy) -> Account {
        let named = kept_on(policy).or(self.edition.platform_cost_center.as_ref());
        match named.and_then(|cost_center| self.cost_centers.of(cost_center)) {
            Some(cost_center) => Account { cost_center, tenant: self.platform },
            None => self.unassigned,
        }
    }

    /// The key of a line of an account, without what only some lines have.
    pub(super) fn line(
        &self,
        account: Account,
        cluster: Option<&ClusterName>,
        kind: Kind,
        item: impl Into<String>,
    ) -> LineKey {
        LineKey {
            cost_center: self.cost_centers.name(account.cost_center).clone(),
            tenant: self.tenants.name(account.tenant).clone(),
            cluster: cluster.cloned(),
            virtual_namespace: None,
            kind,
            class: None,
            item: item.into(),
            unit_price: None,
        }
    }

    /// Who bears the direct cost of a namespace; asked once for each.
    pub(super) fn bearer(&self, cluster: &'a ClusterName, namespace: &'a Namespace) -> Bearer {
        let mut namespaces = self.namespaces.borrow_mut();
        let known = namespaces.entry((cluster, namespace)).or_default();
        *known.bearer.get_or_insert_with(|| self.decide_bearer(cluster, namespace, known.state))
    }

    /// Whether a namespace's direct cost is a tenant's.
    pub(super) fn owns(&self, cluster: &'a ClusterName, namespace: &'a Namespace, tenant: Rank) -> bool {
        matches!(self.bearer(cluster, namespace), Bearer::One(account) if account.tenant == tenant)
    }

    fn decide_bearer(
        &self,
        cluster: &'a ClusterName,
        namespace: &'a Namespace,
        state: Option<&'a NamespaceState>,
    ) -> Bearer {
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
            return Bearer::One(self.unassigned);
        }
        match (tenant, shared) {
            (Some(tenant), None) => Bearer::One(self.account_of(cluster, tenant)),
            (None, Some(place)) if !self.contested.contains(&(cluster, namespace)) => Bearer::Shared(place),
            (Some(tenant), Some(place)) => {
                let shared_cost = self.edition.shared_costs.get(place).map(|cost| cost.name.clone());
                self.conflicts.borrow_mut().insert(Conflict::OwnedAndShared {
                    cluster: cluster.clone(),
                    namespace: namespace.clone(),
                    tenant: tenant.clone(),
                    shared_cost: shared_cost.unwrap_or_default(),
                });
                Bearer::One(self.unassigned)
            }
            (None, _) => Bearer::One(self.unassigned),
        }
    }

    /// The conflicts met so far.
    pub(super) fn conflicts(&self) -> BTreeSet<Conflict> {
        self.conflicts.borrow().clone()
    }
}

/// Where an hour stands in its billing period.
fn place(book: &PriceBook, hour: Hour) -> Result<Place, Overflow> {
    let period = book.zone.period_of(hour);
    let hours = book.zone.hours(period);
    let before = hour.index().checked_sub(hours.from.index());
    let index = before.and_then(|index| u32::try_from(index).ok());
    let index = index.ok_or(Overflow("hour of the period"))?;
    Ok(Place { period, of: hours.len(), index, exponent: book.currency.exponent() })
}

/// The cost centre that a policy names for what it keeps.
fn kept_on(policy: &Policy) -> Option<&CostCenter> {
    if let Policy::Keep(named) = policy { named.as_ref() } else { None }
}

/// Every tenant that has a resource, owns a namespace or a pool, as often as it does.
fn existing(owners: &Owners) -> impl Iterator<Item = (&ClusterName, &TenantName)> {
    let resources = owners.tenants.keys().map(|(cluster, tenant)| (cluster, tenant));
    let namespaces = owners
        .namespaces
        .iter()
        .filter_map(|((cluster, _), state)| state.tenant.as_ref().map(|tenant| (cluster, tenant)));
    let pools = owners.dedicated.iter().map(|((cluster, _), tenant)| (cluster, tenant));
    resources.chain(namespaces).chain(pools)
}

fn present<'a>(owners: &'a Owners, ranks: &Ranks<TenantName>) -> BTreeMap<&'a ClusterName, Vec<Rank>> {
    let mut present: BTreeMap<_, Vec<Rank>> = BTreeMap::new();
    for (cluster, tenant) in existing(owners) {
        let tenants = present.entry(cluster).or_default();
        if !tenant.is_reserved() {
            tenants.extend(ranks.of(tenant));
        }
    }
    for tenants in present.values_mut() {
        tenants.sort_unstable();
        tenants.dedup();
    }
    present
}
