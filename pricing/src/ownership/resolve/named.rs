//! Tenants that no resource describes: who exists because namespaces or the configuration name them, and on which
//! cost centre.

use std::collections::{BTreeMap, BTreeSet};

use super::Held;
use super::decide::lasting;
use crate::names::{ClusterName, CostCenter, Namespace, TenantName};
use crate::ownership::rules::{Claim, Force};
use crate::ownership::{Conflict, NamespaceFact, Owners, TenancyRules};

/// The claims of a namespace that can count: a fallback only where none before it does.
pub(super) fn counting(claims: &[Claim], counts: impl Fn(&Claim) -> bool) -> impl Iterator<Item = &Claim> {
    let mut any = false;
    claims.iter().filter(move |claim| {
        let counts = counts(claim) && !(claim.fallback && any);
        any |= counts;
        counts
    })
}

/// The tenants that exist because a namespace names them and nothing contradicts it.
pub(super) fn made<'c>(claims: impl Iterator<Item = &'c [Claim]>) -> BTreeSet<&'c TenantName> {
    let mut made = BTreeSet::new();
    for claims in claims {
        let strong: Vec<_> = counting(claims, |claim| claim.force != Force::Convention).collect();
        let tenants: BTreeSet<_> = strong.iter().map(|claim| &claim.tenant).collect();
        if strong.iter().any(|claim| claim.force == Force::Named) && tenants.len() == 1 {
            made.extend(tenants.into_iter().filter(|tenant| !tenant.is_reserved()));
        }
    }
    made
}

/// The cost centres of tenants that no resource describes.
#[derive(Debug)]
pub(super) struct CostCenters<'i> {
    rules: &'i TenancyRules,
    /// By tenant and cluster, as its namespaces there say; none where they contradict each other.
    said: BTreeMap<TenantName, BTreeMap<ClusterName, Option<CostCenter>>>,
}

impl<'i> CostCenters<'i> {
    /// Asks the namespaces that each tenant has in the hour; those that last the longest have the last word.
    pub(super) fn new<'n, 'a: 'n>(
        rules: &'i TenancyRules,
        owned: impl Iterator<Item = (&'n TenantName, Held<'n, 'a, NamespaceFact>)>,
        owners: &mut Owners,
    ) -> Self {
        let mut votes: BTreeMap<(&TenantName, &ClusterName), Vec<_>> = BTreeMap::new();
        for (tenant, held) in owned {
            if rules.cost_centers.of(held.slot.fact).is_some() {
                votes.entry((tenant, held.slot.cluster)).or_default().push(held);
            }
        }
        let mut said: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for ((tenant, cluster), held) in votes {
            let claims: BTreeMap<CostCenter, &Namespace> = lasting(held)
                .iter()
                .filter_map(|held| Some((rules.cost_centers.of(held.slot.fact)?, &held.slot.fact.name)))
                .rev()
                .collect();
            let mut each = claims.keys();
            let one =
                if let (Some(one), None) = (each.next(), each.next()) { Some(one.clone()) } else { None };
            if one.is_none() {
                let claims = claims.into_iter().map(|(cost_center, name)| (cost_center, name.clone()));
                owners.conflicts.insert(Conflict::TwoCostCenters {
                    cluster: cluster.clone(),
                    tenant: tenant.clone(),
                    claims: claims.collect(),
                });
            }
            said.entry(tenant.clone()).or_default().insert(cluster.clone(), one);
        }
        Self { rules, said }
    }

    /// Of a tenant in a cluster: as its namespaces there say, else those elsewhere, else the configuration. What
    /// nothing says, or what is contradicted, is nobody's cost centre.
    pub(super) fn of(&self, cluster: &ClusterName, tenant: &TenantName, owners: &mut Owners) -> CostCenter {
        let said = self.said.get(tenant);
        match said.and_then(|said| said.get(cluster)) {
            Some(Some(here)) => return here.clone(),
            Some(None) => return CostCenter::unassigned(),
            None => {}
        }
        let elsewhere = || said.and_then(|said| said.values().flatten().next());
        let source = &self.rules.cost_centers;
        let written = || {
            written(self.rules, cluster, tenant)
                .or_else(|| source.by_tenant.get(tenant))
                .or(source.default.as_ref())
        };
        elsewhere().or_else(written).cloned().unwrap_or_else(|| {
            owners
                .conflicts
                .insert(Conflict::NoCostCenter { cluster: cluster.clone(), tenant: tenant.clone() });
            CostCenter::unassigned()
        })
    }
}

/// The cost centre that a static claim gives a tenant.
pub(super) fn written<'r>(
    rules: &'r TenancyRules,
    cluster: &ClusterName,
    tenant: &TenantName,
) -> Option<&'r CostCenter> {
    let claims = rules.static_claims.iter();
    claims
        .filter(|claim| claim.tenant == *tenant && claim.is_for(cluster) && !tenant.is_reserved())
        .find_map(|claim| claim.cost_center.as_ref())
}
