//! What is shared out, once all direct cost is known: shared namespaces, fixed amounts, idle.

use std::collections::BTreeMap;

use super::RatingError;
use super::context::Context;
use super::control::add;
use super::nodes::unsigned;
use super::ranks::{Account, Rank};
use super::sheet::{Bases, Scope, Sheet, TenantBases};
use super::trace::{How, Share};
use crate::apportion::largest_remainder;
use crate::book::{Base, Policy, SharedWhat};
use crate::charge::{Charge, Kind};
use crate::money::Money;
use crate::names::{ClusterName, Namespace, Pool};

/// Distributes shared cost and idle.
pub(super) fn share_out<'a>(context: &Context<'a>, sheet: &mut Sheet<'_, 'a>) -> Result<(), RatingError> {
    let bases = ByScope::new(std::mem::take(&mut sheet.bases))?;
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

impl<'w> Whole<'w> {
    fn distribute<'a>(
        &self,
        context: &Context<'a>,
        bases: &ByScope<'a>,
        sheet: &mut Sheet<'_, 'a>,
    ) -> Result<(), RatingError>
    where
        'w: 'a,
    {
        if self.nanos == 0 {
            return Ok(());
        }
        let (tenants, weights): (Vec<Rank>, Vec<u128>) = self.recipients(context, bases)?.into_iter().unzip();
        let Some(parts) = largest_remainder(self.nanos, &weights)? else {
            let how = How::Kept { policy: self.policy };
            return self.charge(context, context.keeper(self.policy), self.nanos, &how, sheet);
        };
        for (place, (tenant, part)) in tenants.iter().zip(parts).enumerate() {
            let share = Share { whole: self.nanos, policy: self.policy, weights: &weights, place };
            self.charge(context, context.account(self.cluster, *tenant), part, &How::Share(&share), sheet)?;
        }
        Ok(())
    }

    /// Who takes part and with what weight, in the order of their names.
    fn recipients(
        &self,
        context: &Context<'_>,
        bases: &ByScope<'_>,
    ) -> Result<Vec<(Rank, u128)>, RatingError> {
        match self.policy {
            Policy::Keep(_) => Ok(Vec::new()),
            Policy::Even => Ok(self.present(context).into_iter().map(|tenant| (tenant, 1)).collect()),
            Policy::Weighted(weights) => {
                let present = self.present(context);
                let named =
                    weights.iter().filter_map(|(tenant, weight)| Some((context.rank(tenant)?, weight)));
                let named = named.filter(|(tenant, _)| present.binary_search(tenant).is_ok());
                Ok(named.map(|(tenant, weight)| (tenant, u128::from(*weight))).collect())
            }
            Policy::Proportional(base) => {
                let weigh = |bases: &Bases| match base {
                    Base::DirectCost => u128::try_from(bases.cost.attos())
                        .map_err(|_| crate::Overflow("negative direct cost")),
                    Base::Cpu => unsigned(bases.cpu),
                    Base::Memory => unsigned(bases.memory),
                };
                let bases = bases.of(self.cluster, self.pool).into_iter().flatten();
                bases.map(|(tenant, bases)| Ok((*tenant, weigh(bases)?))).collect()
            }
        }
    }

    fn present(&self, context: &Context<'_>) -> Vec<Rank> {
        if let Some(cluster) = self.cluster {
            return context.present.get(cluster).cloned().unwrap_or_default();
        }
        let mut everywhere: Vec<Rank> = context.present.values().flatten().copied().collect();
        everywhere.sort_unstable();
        everywhere.dedup();
        everywhere
    }

    fn charge<'a>(
        &self,
        context: &Context<'a>,
        account: Account,
        nanos: i128,
        how: &How<'_>,
        sheet: &mut Sheet<'_, 'a>,
    ) -> Result<(), RatingError> {
        if nanos == 0 {
            return Ok(());
        }
        let charge = Charge {
            key: context.line(account, self.cluster, self.kind, self.item),
            namespace: self.namespace.cloned(),
            quantity: None,
            amount: Money::from_nanos(nanos)?,
        };
        sheet.push(account, charge, how)
    }
}

/// Each tenant's bases in a pool, in a cluster, everywhere.
struct ByScope<'a> {
    scopes: BTreeMap<(Option<&'a ClusterName>, Option<&'a Pool>), TenantBases>,
}

impl<'a> ByScope<'a> {
    fn new(bases: BTreeMap<Scope<'a>, TenantBases>) -> Result<Self, RatingError> {
        let mut scopes: BTreeMap<_, TenantBases> = BTreeMap::new();
        for ((cluster, pool), tenants) in bases {
            for scope in [(None, None), (Some(cluster), None)] {
                let sums = scopes.entry(scope).or_default();
                for (tenant, bases) in &tenants {
                    sums.entry(*tenant).or_default().merge(*bases)?;
                }
            }
            if pool.is_some() {
                scopes.insert((Some(cluster), pool), tenants);
            }
        }
        Ok(Self { scopes })
    }

    fn of(&self, cluster: Option<&'a ClusterName>, pool: Option<&'a Pool>) -> Option<&TenantBases> {
        self.scopes.get(&(cluster, pool))
    }
}
