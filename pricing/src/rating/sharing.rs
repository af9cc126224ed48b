//! What is shared out, once all direct cost is known: shared namespaces, fixed amounts, idle.

use std::collections::{BTreeMap, BTreeSet};

use super::RatingError;
use super::context::{Account, Context};
use super::control::add;
use super::nodes::unsigned;
use super::sheet::{Bases, Sheet};
use super::trace::{How, Share};
use crate::apportion::largest_remainder;
use crate::book::{Base, Policy, SharedWhat};
use crate::charge::{Charge, Kind, LineKey};
use crate::money::Money;
use crate::names::{ClusterName, Namespace, Pool, TenantName};

/// Distributes shared cost and idle.
pub(super) fn share_out<'a>(context: &Context<'a>, sheet: &mut Sheet<'_, 'a>) -> Result<(), RatingError> {
    let bases = ByScope::new(sheet)?;
    let mut wholes = Vec::new();
    for ((place, cluster, namespace), cost) in std::mem::take(&mut sheet.shared) {
        let Some(shared) = context.edition.shared_costs.get(place) else { continue };
        let nanos = cost.to_nanos_half_even()?;
        add(&mut sheet.control.cut, Money::from_nanos(nanos)?.checked_sub(cost)?)?;
        wholes.push(Whole {
            nanos,
            policy: &shared.policy,
            cluster: Some(cluster),
            pool: None,
            kind: Kind::SharedCost,
            item: &shared.name,
            namespace: Some(namespace),
        });
    }
    for shared in &context.edition.shared_costs {
        let SharedWhat::Fixed(amount) = &shared.what else { continue };
        let nanos = context.place.part(*amount)?;
        add(&mut sheet.control.fixed, Money::from_nanos(nanos)?)?;
        wholes.push(Whole {
            nanos,
            policy: &shared.policy,
            cluster: None,
            pool: None,
            kind: Kind::SharedCost,
            item: &shared.name,
            namespace: None,
        });
    }
    for ((cluster, pool), nanos) in std::mem::take(&mut sheet.idle) {
        wholes.push(Whole {
            nanos,
            policy: &context.edition.idle,
            cluster: Some(cluster),
            pool: Some(pool),
            kind: Kind::Idle,
            item: pool.as_str(),
            namespace: None,
        });
    }
    wholes.iter().try_for_each(|whole| whole.distribute(context, &bases, sheet))
}

/// Something that is shared out.
struct Whole<'w> {
    nanos: i128,
    policy: &'w Policy,
    /// Where its recipients are; everywhere if none.
    cluster: Option<&'w ClusterName>,
    /// The pool whose users are its recipients where it goes by a base.
    pool: Option<&'w Pool>,
    kind: Kind,
    item: &'w str,
    namespace: Option<&'w Namespace>,
}

impl Whole<'_> {
    fn distribute(
        &self,
        context: &Context<'_>,
        bases: &ByScope,
        sheet: &mut Sheet<'_, '_>,
    ) -> Result<(), RatingError> {
        if self.nanos == 0 {
            return Ok(());
        }
        let (tenants, weights): (Vec<TenantName>, Vec<u128>) =
            self.recipients(context, bases)?.into_iter().unzip();
        let Some(parts) = largest_remainder(self.nanos, &weights)? else {
            let how = How::Kept { policy: self.policy };
            return self.charge(context.keeper(self.policy), self.nanos, &how, sheet);
        };
        for (place, (tenant, part)) in tenants.iter().zip(parts).enumerate() {
            let share = Share { whole: self.nanos, policy: self.policy, weights: &weights, place };
            self.charge(context.account(self.cluster, tenant), part, &How::Share(&share), sheet)?;
        }
        Ok(())
    }

    /// Who takes part and with what weight, in the order of their names.
    fn recipients(
        &self,
        context: &Context<'_>,
        bases: &ByScope,
    ) -> Result<BTreeMap<TenantName, u128>, RatingError> {
        let mut recipients = BTreeMap::new();
        match self.policy {
            Policy::Keep(_) => {}
            Policy::Even => {
                recipients.extend(self.present(context).into_iter().map(|tenant| (tenant.clone(), 1)));
            }
            Policy::Weighted(weights) => {
                let present = self.present(context);
                let named = weights.iter().filter(|(tenant, _)| present.contains(tenant));
                recipients.extend(named.map(|(tenant, weight)| (tenant.clone(), u128::from(*weight))));
            }
            Policy::Proportional(base) => {
                for (tenant, bases) in bases.of(self.cluster, self.pool) {
                    let weight = match base {
                        Base::DirectCost => u128::try_from(bases.cost.attos())
                            .map_err(|_| crate::Overflow("negative direct cost"))?,
                        Base::Cpu => unsigned(bases.cpu)?,
                        Base::Memory => unsigned(bases.memory)?,
                    };
                    recipients.insert(tenant.clone(), weight);
                }
            }
        }
        Ok(recipients)
    }

    fn present<'a>(&self, context: &Context<'a>) -> BTreeSet<&'a TenantName> {
        match self.cluster {
            Some(cluster) => context.present.get(cluster).cloned().unwrap_or_default(),
            None => context.present.values().flatten().copied().collect(),
        }
    }

    fn charge(
        &self,
        account: Account,
        nanos: i128,
        how: &How<'_>,
        sheet: &mut Sheet<'_, '_>,
    ) -> Result<(), RatingError> {
        if nanos == 0 {
            return Ok(());
        }
        let charge = Charge {
            key: LineKey {
                cost_center: account.cost_center,
                tenant: account.tenant,
                cluster: self.cluster.cloned(),
                virtual_namespace: None,
                kind: self.kind,
                class: None,
                item: self.item.to_owned(),
                unit_price: None,
            },
            namespace: self.namespace.cloned(),
            quantity: None,
            amount: Money::from_nanos(nanos)?,
        };
        sheet.push(charge, how)
    }
}

/// Each tenant's bases in a pool, in a cluster, everywhere.
struct ByScope {
    scopes: BTreeMap<(Option<ClusterName>, Option<Pool>), BTreeMap<TenantName, Bases>>,
    nobody: BTreeMap<TenantName, Bases>,
}

impl ByScope {
    fn new(sheet: &Sheet<'_, '_>) -> Result<Self, RatingError> {
        let mut scopes: BTreeMap<_, BTreeMap<TenantName, Bases>> = BTreeMap::new();
        for ((cluster, pool), tenants) in &sheet.bases {
            let cluster = Some((*cluster).clone());
            let mut wider = vec![(None, None), (cluster.clone(), None)];
            if let Some(pool) = pool {
                wider.push((cluster, Some((*pool).clone())));
            }
            for scope in wider {
                let sums = scopes.entry(scope).or_default();
                for (tenant, bases) in tenants {
                    sums.entry(tenant.clone()).or_default().merge(*bases)?;
                }
            }
        }
        Ok(Self { scopes, nobody: BTreeMap::new() })
    }

    fn of(&self, cluster: Option<&ClusterName>, pool: Option<&Pool>) -> &BTreeMap<TenantName, Bases> {
        self.scopes.get(&(cluster.cloned(), pool.cloned())).unwrap_or(&self.nobody)
    }
}
