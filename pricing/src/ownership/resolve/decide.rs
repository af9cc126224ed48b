//! What the facts of one hour add up to, and where they contradict each other.

use std::collections::{BTreeMap, BTreeSet};

use super::Held;
use crate::names::{ClusterName, CostCenter, Namespace, Pool, TenantName};
use crate::ownership::rules::Claim;
use crate::ownership::{
    Conflict, NamespaceFact, NamespaceState, NodeFact, Owners, TenancyRules, TenantFact, TenantState,
};

/// Who can own something in an hour.
pub(super) struct Teams<'i> {
    /// By team and cluster; none where its resources contradict each other.
    resources: BTreeMap<&'i TenantName, BTreeMap<&'i ClusterName, Option<&'i CostCenter>>>,
    rules: &'i TenancyRules,
}

/// Whether a tenant can own something in a cluster.
enum Standing<'i> {
    Exists(&'i CostCenter),
    Contradicted,
    Unknown,
}

impl<'i> Teams<'i> {
    /// A tenant lives in every cluster as soon as it has a resource in one; its own cluster speaks first.
    fn standing(&self, cluster: &ClusterName, tenant: &TenantName) -> Standing<'i> {
        if let Some(clusters) = self.resources.get(tenant) {
            let elsewhere = || clusters.values().find_map(|cost_center| *cost_center);
            let here = clusters.get(cluster).copied().unwrap_or_else(elsewhere);
            return here.map_or(Standing::Contradicted, Standing::Exists);
        }
        let claims = self.rules.static_claims.iter();
        claims
            .filter(|claim| claim.tenant == *tenant && claim.is_for(cluster) && !tenant.is_reserved())
            .find_map(|claim| claim.cost_center.as_ref())
            .map_or(Standing::Unknown, Standing::Exists)
    }
}

/// Of several claims on one thing those that held at its last moment in the hour.
fn lasting<'i, 'a, T>(held: Vec<Held<'i, 'a, T>>) -> Vec<Held<'i, 'a, T>> {
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
    let mut teams = Teams { resources: BTreeMap::new(), rules };
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

/// The namespaces. If one name had two uids in the hour, the last takes it.
pub(super) fn namespaces(
    held: Vec<Held<'_, '_, NamespaceFact>>,
    claims: &[Vec<Claim>],
    teams: &Teams<'_>,
    owners: &mut Owners,
) {
    let mut by_name: BTreeMap<(&ClusterName, &Namespace), Held<'_, '_, NamespaceFact>> = BTreeMap::new();
    for one in held {
        let rank = |held: &Held<'_, '_, NamespaceFact>| (held.last, held.slot.from);
        let winner = by_name.entry((one.slot.cluster, &one.slot.fact.name)).or_insert(one);
        // Those of one cluster come in the order of their uids, so a full tie goes to the larger uid.
        if rank(&one) >= rank(winner) {
            *winner = one;
        }
    }
    for ((cluster, name), held) in by_name {
        let claims = claims.get(held.place).map_or(&[][..], Vec::as_slice);
        let tenant = owner(cluster, name, claims, teams, owners);
        let labels = held.slot.fact.labels.clone();
        owners.namespaces.insert((cluster.clone(), name.clone()), NamespaceState { tenant, labels });
    }
}

/// The one tenant that all claims name, if it exists.
fn owner(
    cluster: &ClusterName,
    namespace: &Namespace,
    claims: &[Claim],
    teams: &Teams<'_>,
    owners: &mut Owners,
) -> Option<TenantName> {
    let mut counting = Vec::new();
    for claim in claims {
        if claim.tenant.is_reserved() {
            owners.conflicts.insert(Conflict::ReservedName {
                cluster: cluster.clone(),
                resource: namespace.to_string(),
                team: claim.tenant.clone(),
            });
            return None;
        }
        let standing = teams.standing(cluster, &claim.tenant);
        if !(claim.only_if_exists && matches!(standing, Standing::Unknown)) {
            counting.push((claim, standing));
        }
    }
    let (first, standing) = counting.first()?;
    if counting.iter().any(|(claim, _)| claim.tenant != first.tenant) {
        owners.conflicts.insert(Conflict::TwoOwnersOneNamespace {
            cluster: cluster.clone(),
            namespace: namespace.clone(),
            claims: counting.iter().map(|(claim, _)| (claim.tenant.clone(), claim.rule.clone())).collect(),
        });
        return None;
    }
    let Standing::Exists(cost_center) = standing else { return None };
    settle(cluster, &first.tenant, cost_center, owners);
    Some(first.tenant.clone())
}

/// Who owns something in a cluster exists in it, wherever its resource lives.
fn settle(cluster: &ClusterName, tenant: &TenantName, cost_center: &CostCenter, owners: &mut Owners) {
    owners
        .tenants
        .entry((cluster.clone(), tenant.clone()))
        .or_insert_with(|| TenantState { cost_center: cost_center.clone(), services: BTreeSet::new() });
}

/// The dedicated pools: those whose nodes all name one tenant.
pub(super) fn pools(held: Vec<Held<'_, '_, NodeFact>>, teams: &Teams<'_>, owners: &mut Owners) {
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
        if let Standing::Exists(cost_center) = teams.standing(cluster, &tenant) {
            settle(cluster, &tenant, cost_center, owners);
        } else {
            tenant = TenantName::unassigned();
        }
        owners.dedicated.insert((cluster.clone(), pool.clone()), tenant);
    }
}
