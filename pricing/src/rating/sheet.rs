//! Where an hour's charges are gathered, with the bases that sharing needs.

use std::collections::BTreeMap;

use super::context::{Bearer, Context};
use super::control::{Control, add};
use super::ranks::{Account, Rank};
use super::trace::{How, Trace};
use super::{RatedHour, RatingError};
use crate::charge::{Charge, Kind, LineKey, item};
use crate::money::{Money, UnitPrice};
use crate::names::{ClusterName, Namespace, Pool, PriceClass, VirtualNamespace};
use crate::quantity::{Quantity, Unit};
use crate::time::Hour;

/// What a tenant's share can be in proportion to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bases {
    pub(super) cost: Money,
    pub(super) cpu: Quantity,
    pub(super) memory: Quantity,
}

impl Bases {
    pub(super) fn merge(&mut self, other: Self) -> Result<(), RatingError> {
        add(&mut self.cost, other.cost)?;
        self.cpu = self.cpu.checked_add(other.cpu)?;
        self.memory = self.memory.checked_add(other.memory)?;
        Ok(())
    }
}

/// Those of some tenants.
pub(super) type TenantBases = BTreeMap<Rank, Bases>;

/// Where direct cost arises: a cluster, and there a pool or none.
pub(super) type Scope<'a> = (&'a ClusterName, Option<&'a Pool>);

/// One amount of direct cost, before it is known who bears it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direct<'a> {
    pub(super) cluster: &'a ClusterName,
    pub(super) namespace: &'a Namespace,
    pub(super) virtual_namespace: Option<&'a VirtualNamespace>,
    pub(super) kind: Kind,
    pub(super) class: Option<&'a PriceClass>,
    pub(super) item: &'a str,
    pub(super) unit_price: Option<UnitPrice>,
    pub(super) quantity: (Quantity, Unit),
    pub(super) amount: Money,
}

/// The gathering place of an hour.
#[derive(Debug)]
pub(super) struct Sheet<'c, 'a> {
    context: &'c Context<'a>,
    trace: &'c mut dyn Trace,
    /// Each is taken out once they are all there.
    charges: Vec<Option<Charge>>,
    /// Whose they are, and their places.
    order: Vec<(Account, usize)>,
    pub(super) control: Control,
    /// Direct cost and billable quantities of each tenant.
    pub(super) bases: BTreeMap<Scope<'a>, TenantBases>,
    /// Idle cost of each pool, in 1e-9.
    pub(super) idle: BTreeMap<(&'a ClusterName, &'a Pool), i128>,
    /// The direct cost of each shared namespace, by the place of its shared cost.
    pub(super) shared: BTreeMap<(usize, &'a ClusterName, &'a Namespace), Money>,
}

impl<'c, 'a> Sheet<'c, 'a> {
    pub(super) fn new(context: &'c Context<'a>, trace: &'c mut dyn Trace) -> Self {
        Self {
            context,
            trace,
            charges: Vec::new(),
            order: Vec::new(),
            control: Control::default(),
            bases: BTreeMap::new(),
            idle: BTreeMap::new(),
            shared: BTreeMap::new(),
        }
    }

    /// Takes a charge of an account, and tells how it came about.
    pub(super) fn push(
        &mut self,
        account: Account,
        charge: Charge,
        how: &How<'_>,
    ) -> Result<(), RatingError> {
        self.trace.charge(self.context.owners.hour, &charge, how)?;
        self.order.push((account, self.charges.len()));
        self.charges.push(Some(charge));
        Ok(())
    }

    /// Direct cost of a namespace: its tenant's, or part of a shared cost.
    pub(super) fn direct(&mut self, direct: Direct<'a>, how: &How<'_>) -> Result<(), RatingError> {
        let account = match self.context.bearer(direct.cluster, direct.namespace) {
            Bearer::One(account) => account,
            Bearer::Shared(place) => {
                let key = (place, direct.cluster, direct.namespace);
                return Ok(add(self.shared.entry(key).or_default(), direct.amount)?);
            }
        };
        let base = self.base((direct.cluster, direct.class.map(|class| &class.pool)), account.tenant);
        add(&mut base.cost, direct.amount)?;
        if direct.kind == Kind::Compute {
            count(base, direct.item, direct.quantity.0)?;
        }
        if direct.quantity.0 != Quantity::ZERO || !direct.amount.is_zero() {
            self.charge(account, direct, how)?;
        }
        Ok(())
    }

    /// Usage without a price: shown, never zero, never shared out.
    pub(super) fn unpriced(&mut self, direct: Direct<'a>) -> Result<(), RatingError> {
        if direct.quantity.0 == Quantity::ZERO {
            return Ok(());
        }
        let account = match self.context.bearer(direct.cluster, direct.namespace) {
            Bearer::One(account) => account,
            Bearer::Shared(_) => self.context.unassigned,
        };
        let item = unpriced_item(direct.kind, direct.item);
        let direct = Direct { kind: Kind::Unpriced, unit_price: None, amount: Money::ZERO, ..direct };
        self.charge(account, Direct { item: &item, ..direct }, &How::NoPrice)
    }

    fn charge(&mut self, account: Account, direct: Direct<'_>, how: &How<'_>) -> Result<(), RatingError> {
        let charge = Charge {
            key: LineKey {
                virtual_namespace: direct.virtual_namespace.cloned(),
                class: direct.class.cloned(),
                unit_price: direct.unit_price,
                ..self.context.line(account, Some(direct.cluster), direct.kind, direct.item)
            },
            namespace: Some(direct.namespace.clone()),
            quantity: Some(direct.quantity),
            amount: direct.amount,
        };
        self.push(account, charge, how)
    }

    pub(super) fn base(&mut self, scope: Scope<'a>, tenant: Rank) -> &mut Bases {
        self.bases.entry(scope).or_default().entry(tenant).or_default()
    }

    /// Sorts and folds: by account, which is a comparison of numbers, then the few charges of each.
    pub(super) fn finish(self, hour: Hour) -> Result<RatedHour, RatingError> {
        let Self { mut order, charges: mut gathered, .. } = self;
        order.sort_unstable();
        let mut charges: Vec<Charge> = Vec::with_capacity(gathered.len());
        for of_account in order.chunk_by_mut(|(a, _), (b, _)| a == b) {
            let key = |place: usize| gathered[place].as_ref().map(|charge| (&charge.key, &charge.namespace));
            of_account.sort_by(|(_, a), (_, b)| key(*a).cmp(&key(*b)));
            for charge in of_account.iter().filter_map(|(_, place)| gathered[*place].take()) {
                match charges.last_mut() {
                    Some(last) if last.key == charge.key && last.namespace == charge.namespace => {
                        last.absorb(&charge)?;
                    }
                    _ => charges.push(charge),
                }
            }
        }
        Ok(RatedHour { hour, charges, conflicts: self.context.conflicts(), control: self.control })
    }
}

/// What has no price, told apart by kind: a storage class and a traffic class may share a name.
pub(super) fn unpriced_item(kind: Kind, item: &str) -> String {
    match kind {
        Kind::Compute | Kind::DedicatedPool | Kind::LoadBalancer => item.to_owned(),
        _ => format!("{kind}:{item}"),
    }
}

/// Counts billable CPU and memory towards a base.
pub(super) fn count(base: &mut Bases, resource: &str, quantity: Quantity) -> Result<(), RatingError> {
    match resource {
        item::CPU => base.cpu = base.cpu.checked_add(quantity)?,
        item::MEMORY => base.memory = base.memory.checked_add(quantity)?,
        _ => {}
    }
    Ok(())
}

impl Charge {
    /// Adds another charge of the same line.
    pub(crate) fn absorb(&mut self, other: &Self) -> Result<(), RatingError> {
        self.amount = self.amount.checked_add(other.amount)?;
        self.quantity = add_quantities(self.quantity, other.quantity, &self.key)?;
        Ok(())
    }
}

/// Adds quantities of one unit.
pub(crate) fn add_quantities(
    left: Option<(Quantity, Unit)>,
    right: Option<(Quantity, Unit)>,
    key: &LineKey,
) -> Result<Option<(Quantity, Unit)>, RatingError> {
    match (left, right) {
        (Some((left, unit)), Some((right, same))) if unit == same => {
            Ok(Some((left.checked_add(right)?, unit)))
        }
        (None, None) => Ok(None),
        (left, right) => {
            let name = |side: Option<(Quantity, Unit)>| {
                side.map_or_else(|| "nothing".to_owned(), |(_, unit)| unit.to_string())
            };
            Err(RatingError::MixedUnits {
                tenant: key.tenant.clone(),
                item: key.item.clone(),
                left: name(left),
                right: name(right),
            })
        }
    }
}
