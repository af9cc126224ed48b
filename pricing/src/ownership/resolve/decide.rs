//! What the facts of one hour add up to, and where they contradict each other.

use std::collections::{BTreeMap, BTreeSet};

use super::Held;
use super::named::{CostCenters, counting, made, written};
use crate::names::{ClusterName, CostCenter, Namespace, Pool, TenantName};
use crate::ownership::rules::{Claim, Force};
use crate::ownership::{
    Conflict, NamespaceFact, NamespaceState, NodeFact, Owners, TenancyRules, TenantFact, TenantState,
};

/// Who can own something in an hour.
pub(super) struct Teams<'i> {
    /// By team and cluster; none where its resources contradict each other.
    resources: BTreeMap<&'i TenantName, BTreeMap<&'i ClusterName, Option<&'i CostCenter>>>,
    /// Those that namespaces name.
    named: BTreeSet<&'i TenantName>,
    rules: &'i TenancyRules,
}

/// Whether a tenant can own something in a cluster.
#[derive(Debug, Clone, Copy)]
enum Standing<'i> {
    /// A resource describes it.
    Described(&'i CostCenter),
    /// Namespaces or the configuration name it.
    Named,
    Contradicted,
    Unknown,
}

impl<'i> Teams<'i> {
    /// A tenant lives in every cluster as soon as it has a resource in one; its own cluster speaks first.
    fn standing(&self, cluster: &ClusterName, tenant: &TenantName) -> Standing<'i> {
        if let Some(clusters) = self.resources.get(tenant) {
            let elsewhere = || clusters.values().find_map(|cost_center| *cost_center);
            let here = clusters.get(cluster).copied().unwrap_or_else(elsewhere);
            return here.map_or(Standing::Contradicted, Standing::Described);
        }
        let configured = || {
            let by_tenant = &self.rules.cost_centers.by_tenant;
            by_tenant.contains_key(tenant) || written(self.rules, cluster, tenant).is_some()
        };
        if self.named.contains(tenant) || configured() { Standing::Named } else { Standing::Unknown }
    }
}

/// Of several claims on one thing those that held at its last moment in the hour.
pub(super) fn lasting<'i, 'a, T>(held: Vec<Held<'i, 'a, T>>) -> Vec<Held<'i, 'a, T>> {
    let last = held.iter().map(|held| held.last).max();
    held.into_iter().filter(|held| Some(held.last) == last).collect()
}

/// The tenants: one resource for each team of a cluster, or a conflict.
pub(super) fn tenants<'i>(
    held: Vec<Held<'i, '_, TenantFact>>,
    rules: &'i TenancyRules,
    owners: &mut Owners,
) -> Teams<'i> {
    let mut by_team: BTreeMap<(&'i ClusterName, &'i TenantName), Vec<_>> = BTreeMap::new();
    for one in held {
        let slot = one.slot;
        if slot.fact.team.is_reserved() {
            owners.conflicts.insert(Conflict::ReservedName {
                cluster: slot.cluster.clone(),
                resource: slot.fact.name.clone(),
                team: slot.fact.team.clone(),
            });
        } else {
            by_team.entry((slot.cluster, &slot.fact.team)).or_default().push(one);
        }
    }
    let mut teams = Teams { resources: BTreeMap::new(), named: BTreeSet::new(), rules };
    for ((cluster, team), held) in by_team {
        let held = lasting(held);
        let mut cost_center = None;
        if let [only] = held.as_slice() {
            let fact = only.slot.fact;
            let state =
                TenantState { cost_center: fact.cost_center.clone(), services: fact.services.clone() };
            owners.tenants.insert((cluster.clone(), team.clone()), state);
            cost_center = Some(&fact.cost_center);
        } else {
            let mut resources: Vec<String> = held.iter().map(|held| held.slot.fact.name.clone()).collect();
            resources.sort();
            owners.conflicts.insert(Conflict::TwoTenantsOneTeam {
                cluster: cluster.clone(),
                team: team.clone(),
                resources,
            });
        }
        teams.resources.entry(team).or_default().insert(cluster, cost_center);
    }
    teams
}

/// The namespaces. If one name had two uids in the hour, the last takes it. Also the cost centres of the tenants that
/// they name.
pub(super) fn namespaces<'i>(
    held: Vec<Held<'i, '_, NamespaceFact>>,
    claims: &'i [Vec<Claim>],
    teams: &mut Teams<'i>,
    owners: &mut Owners,
) -> CostCenters<'i> {
    let mut by_name: BTreeMap<(&ClusterName, &Namespace), Held<'_, '_, NamespaceFact>> = BTreeMap::new();
    for one in held {
        let rank = |held: &Held<'_, '_, NamespaceFact>| (held.last, held.slot.from);
        let winner = by_name.entry((one.slot.cluster, &one.slot.fact.name)).or_insert(one);
        // Those of one cluster come in the order of their uids, so a full tie goes to the larger uid.
        if rank(&one) >= rank(winner) {
            *winner = one;
        }
    }
    let claims = |held: &Held<'_, '_, NamespaceFact>| claims.get(held.place).map_or(&[][..], Vec::as_slice);
    teams.named = made(by_name.values().map(claims));
    let mut named = Vec::new();
    for ((cluster, name), held) in by_name {
        let tenant = owner(cluster, name, claims(&held), teams, owners);
        match &tenant {
            Some((tenant, Standing::Described(cost_center))) => settle(cluster, tenant, cost_center, owners),
            Some((tenant, _)) => named.push((tenant.clone(), held)),
            None => {}
        }
        let (labels, tenant) = (held.slot.fact.labels.clone(), tenant.map(|(tenant, _)| tenant));
        owners.namespaces.insert((cluster.clone(), name.clone()), NamespaceState { tenant, labels });
    }
    let cost_centers =
        CostCenters::new(teams.rules, named.iter().map(|(tenant, held)| (tenant, *held)), owners);
    for (tenant, held) in &named {
        let cluster = held.slot.cluster;
        let cost_center = cost_centers.of(cluster, tenant, owners);
        settle(cluster, tenant, &cost_center, owners);
    }
    cost_centers
}

/// The one tenant that all claims name, if it can own something.
fn owner<'i>(
    cluster: &ClusterName,
    namespace: &Namespace,
    claims: &[Claim],
    teams: &Teams<'i>,
    owners: &mut Owners,
) -> Option<(TenantName, Standing<'i>)> {
    let standing = |claim: &Claim| teams.standing(cluster, &claim.tenant);
    let counts = |claim: &Claim| {
        let convention = claim.force == Force::Convention && !claim.tenant.is_reserved();
        !(convention && matches!(standing(claim), Standing::Unknown))
    };
    let counting: Vec<&Claim> = counting(claims, counts).collect();
    if let Some(reserved) = counting.iter().find(|claim| claim.tenant.is_reserved()) {
        owners.conflicts.insert(Conflict::ReservedName {
            cluster: cluster.clone(),
            resource: namespace.to_string(),
            team: reserved.tenant.clone(),
        });
        return None;
    }
    let first = counting.first()?;
    if counting.iter().any(|claim| claim.tenant != first.tenant) {
        owners.conflicts.insert(Conflict::TwoOwnersOneNamespace {
            cluster: cluster.clone(),
            namespace: namespace.clone(),
            claims: counting.iter().map(|claim| (claim.tenant.clone(), claim.rule.clone())).collect(),
        });
        return None;
    }
    match standing(first) {
        Standing::Contradicted | Standing::Unknown => None,
        known => Some((first.tenant.clone(), known)),
    }
}

/// Who owns something in a cluster exists in it, wherever its resource lives.
fn settle(cluster: &ClusterName, tenant: &TenantName, cost_center: &CostCenter, owners: &mut Owners) {
    owners
        .tenants
        .entry((cluster.clone(), tenant.clone()))
        .or_insert_with(|| TenantState { cost_center: cost_center.clone(), services: BTreeSet::new() });
}

/// The dedicated pools: those whose nodes all name one tenant.
pub(super) fn pools(
    held: Vec<Held<'_, '_, NodeFact>>,
    teams: &Teams<'_>,
    cost_centers: &CostCenters<'_>,
    owners: &mut Owners,
) {
    let mut by_pool: BTreeMap<(&ClusterName, &Pool), Vec<Held<'_, '_, NodeFact>>> = BTreeMap::new();
    for one in held {
        by_pool.entry((one.slot.cluster, &one.slot.fact.pool)).or_default().push(one);
    }
    for ((cluster, pool), held) in by_pool {
        let named: BTreeSet<&str> = lasting(held)
            .iter()
            .map(|held| held.slot.fact.dedicated_to.as_deref().unwrap_or_default())
            .collect();
        let mut each = named.iter().copied();
        let (Some(first), None) = (each.next(), each.next()) else {
            owners.conflicts.insert(Conflict::TwoOwnersOnePool {
                cluster: cluster.clone(),
                pool: pool.clone(),
                claims: named.into_iter().map(str::to_owned).collect(),
            });
            continue;
        };
        if first.is_empty() {
            continue;
        }
        let mut tenant = TenantName::from(first);
        if tenant.is_reserved() {
            owners.conflicts.insert(Conflict::ReservedName {
                cluster: cluster.clone(),
                resource: pool.to_string(),
                team: tenant.clone(),
            });
        }
        match teams.standing(cluster, &tenant) {
            Standing::Described(cost_center) => settle(cluster, &tenant, cost_center, owners),
            Standing::Named => {
                let cost_center = cost_centers.of(cluster, &tenant, owners);
                settle(cluster, &tenant, &cost_center, owners);
            }
            Standing::Contradicted | Standing::Unknown => tenant = TenantName::unassigned(),
        }
        owners.dedicated.insert((cluster.clone(), pool.clone()), tenant);
    }
}
