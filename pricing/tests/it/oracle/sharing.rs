//! Who bears what belongs to everyone.

use std::collections::{BTreeMap, BTreeSet};

use defray_pricing::book::{Base, Policy, SharedWhat};
use defray_pricing::charge::Kind;
use defray_pricing::names::{ClusterName, Namespace, Pool, TenantName};
use num_traits::{One, Zero};

use super::{Oracle, Q, split, to_decimals, whole};

impl Oracle<'_> {
    pub(super) fn share(&mut self) {
        for ((place, cluster, namespace), cost) in self.shared.clone() {
            let shared = &self.edition.shared_costs[place];
            let amount = to_decimals(&cost, 9);
            let line = (Kind::SharedCost, shared.name.as_str(), Some(namespace));
            self.distribute(&amount, &shared.policy, Some(&cluster), None, line);
        }
        for shared in &self.edition.shared_costs {
            let SharedWhat::Fixed(amount) = &shared.what else { continue };
            let amount = self.part(*amount);
            self.distribute(&amount, &shared.policy, None, None, (Kind::SharedCost, &shared.name, None));
        }
        for ((cluster, pool), amount) in self.idle.clone() {
            let line = (Kind::Idle, pool.as_str(), None);
            self.distribute(&amount, &self.edition.idle, Some(&cluster), Some(&pool), line);
        }
    }

    pub(super) fn distribute(
        &mut self,
        amount: &Q,
        policy: &Policy,
        cluster: Option<&ClusterName>,
        pool: Option<&Pool>,
        (kind, item, namespace): (Kind, &str, Option<Namespace>),
    ) {
        let weights: BTreeMap<TenantName, Q> = match policy {
            Policy::Keep(_) => BTreeMap::new(),
            Policy::Even => self.existing(cluster).into_iter().map(|tenant| (tenant, Q::one())).collect(),
            Policy::Weighted(weights) => {
                let existing = self.existing(cluster);
                let named = weights.iter().filter(|(tenant, _)| existing.contains(*tenant));
                named.map(|(tenant, weight)| (tenant.clone(), whole(i128::from(*weight)))).collect()
            }
            Policy::Proportional(base) => {
                let mut sums = BTreeMap::new();
                for row in &self.bases {
                    if cluster.is_none_or(|c| row.cluster == *c)
                        && (pool.is_none() || row.pool.as_ref() == pool)
                    {
                        let value = match base {
                            Base::DirectCost => &row.cost,
                            Base::Cpu => &row.cpu,
                            Base::Memory => &row.memory,
                        };
                        *sums.entry(row.tenant.clone()).or_insert_with(Q::zero) += value;
                    }
                }
                sums
            }
        };
        if let Some(parts) = split(amount, &weights.values().cloned().collect::<Vec<Q>>()) {
            for (tenant, part) in weights.keys().zip(parts) {
                let key = self.key(cluster, tenant, kind, item);
                self.book(key, namespace.clone(), Q::zero(), part);
            }
            return;
        }
        let named = if let Policy::Keep(named) = policy { named.clone() } else { None };
        let mut key = self.key(cluster, &TenantName::unassigned(), kind, item);
        if let Some(cost_center) = named.or_else(|| self.edition.platform_cost_center.clone()) {
            key.cost_center = cost_center;
            key.tenant = TenantName::platform();
        }
        self.book(key, namespace, Q::zero(), amount.clone());
    }

    pub(super) fn existing(&self, cluster: Option<&ClusterName>) -> BTreeSet<TenantName> {
        let owners = &self.world.owners;
        let here = |other: &ClusterName| cluster.is_none_or(|cluster| cluster == other);
        let mut tenants = BTreeSet::new();
        tenants.extend(owners.tenants.keys().filter(|(c, _)| here(c)).map(|(_, tenant)| tenant.clone()));
        let namespaces = owners.namespaces.iter().filter(|((c, _), _)| here(c));
        tenants.extend(namespaces.filter_map(|(_, state)| state.tenant.clone()));
        tenants
            .extend(owners.dedicated.iter().filter(|((c, _), _)| here(c)).map(|(_, tenant)| tenant.clone()));
        tenants.retain(|tenant| !tenant.is_reserved());
        tenants
    }
}
