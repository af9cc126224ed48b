//! The rules written down once more, naively: fractions of big whole numbers, no shortcuts, no regard for
//! time. The engine must agree to the last digit.

use std::collections::BTreeMap;

use defray_pricing::book::{Edition, MeteredRate, MonthlyAmount, SharedCost, SharedWhat};
use defray_pricing::charge::{Charge, Kind, LineKey};
use defray_pricing::money::{Money, UnitPrice};
use defray_pricing::names::{
    ClusterName, CostCenter, Namespace, Pool, PriceClass, TenantName, VirtualNamespace,
};
use defray_pricing::quantity::Quantity;
use defray_pricing::usage::UsageHour;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::worlds::World;

mod month;
mod pools;
mod sharing;

pub(crate) use month::{half_away, statements};

pub(crate) type Q = BigRational;
type Class = (ClusterName, PriceClass);
/// By resource, then by who wants it.
type Wanted = BTreeMap<String, BTreeMap<(Namespace, Option<VirtualNamespace>), Q>>;

/// What is charged under each key: quantity and amount.
pub(crate) type Ledger = BTreeMap<(LineKey, Option<Namespace>), (Q, Q)>;

pub(crate) fn whole(n: i128) -> Q {
    Q::from_integer(BigInt::from(n))
}

fn ten(exponent: u32) -> Q {
    Q::from_integer(BigInt::from(10).pow(exponent))
}

pub(crate) fn of_money(money: Money) -> Q {
    whole(money.attos()) / ten(18)
}

fn of_price(price: UnitPrice) -> Q {
    whole(price.picos()) / ten(12)
}

pub(crate) fn of_quantity(quantity: Quantity) -> Q {
    whole(i128::from(quantity.micros())) / ten(6)
}

/// To a whole number, a half to the even one.
pub(crate) fn half_even(value: &Q) -> Q {
    let below = value.floor();
    let half = Q::new(BigInt::one(), BigInt::from(2));
    let up = match (value - &below).cmp(&half) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => !(below.to_integer() % BigInt::from(2)).is_zero(),
    };
    if up { below + Q::one() } else { below }
}

fn to_decimals(value: &Q, decimals: u32) -> Q {
    half_even(&(value * ten(decimals))) / ten(decimals)
}

/// Largest remainder: whole numbers in proportion to weights, that add up to a whole number.
pub(crate) fn apportion(whole: &Q, weights: &[Q]) -> Option<Vec<Q>> {
    let total: Q = weights.iter().sum();
    if total.is_zero() {
        return None;
    }
    let exact: Vec<Q> = weights.iter().map(|weight| whole * weight / &total).collect();
    let mut parts: Vec<Q> = exact.iter().map(Q::floor).collect();
    let mut missing = whole - parts.iter().sum::<Q>();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_cached_key(|index| (-(&exact[*index] - exact[*index].floor()), *index));
    for index in order {
        if missing.is_positive() {
            parts[index] += Q::one();
            missing -= Q::one();
        }
    }
    Some(parts)
}

/// The same in 1e-9 of the currency.
fn split(amount: &Q, weights: &[Q]) -> Option<Vec<Q>> {
    let parts = apportion(&(amount * ten(9)), weights)?;
    Some(parts.into_iter().map(|part| part / ten(9)).collect())
}

/// What an hour is charged.
pub(crate) fn rate(world: &World) -> Ledger {
    let mut oracle = Oracle {
        world,
        edition: world.book.at(world.owners.hour).unwrap(),
        ledger: Ledger::new(),
        shared: BTreeMap::new(),
        idle: BTreeMap::new(),
        bases: Vec::new(),
    };
    oracle.pools();
    oracle.metered();
    oracle.fees();
    oracle.share();
    oracle.ledger.retain(|_, (quantity, amount)| !quantity.is_zero() || !amount.is_zero());
    oracle.ledger
}

/// What the engine charged, in the oracle's terms.
pub(crate) fn ledger_of(charges: &[Charge]) -> Ledger {
    let one = |charge: &Charge| {
        let quantity = charge.quantity.map_or_else(Q::zero, |(quantity, _)| of_quantity(quantity));
        ((charge.key.clone(), charge.namespace.clone()), (quantity, of_money(charge.amount)))
    };
    let mut ledger: Ledger = charges.iter().map(one).collect();
    assert_eq!(ledger.len(), charges.len(), "each key once");
    ledger.retain(|_, (quantity, amount)| !quantity.is_zero() || !amount.is_zero());
    ledger
}

struct BaseRow {
    cluster: ClusterName,
    pool: Option<Pool>,
    tenant: TenantName,
    cost: Q,
    cpu: Q,
    memory: Q,
}

struct Oracle<'w> {
    world: &'w World,
    edition: &'w Edition,
    ledger: Ledger,
    shared: BTreeMap<(usize, ClusterName, Namespace), Q>,
    idle: BTreeMap<(ClusterName, Pool), Q>,
    bases: Vec<BaseRow>,
}

/// One amount of direct cost.
struct Direct<'d> {
    cluster: &'d ClusterName,
    namespace: &'d Namespace,
    inner: Option<VirtualNamespace>,
    kind: Kind,
    class: Option<PriceClass>,
    item: &'d str,
    price: Option<UnitPrice>,
    quantity: Q,
    amount: Q,
}

impl Oracle<'_> {
    fn hour_usage(&self, cluster: &ClusterName) -> Option<&UsageHour> {
        self.world.usage.iter().find(|usage| usage.cluster == *cluster)
    }

    fn part(&self, amount: MonthlyAmount) -> Q {
        let zone = self.world.book.zone;
        let period = zone.period_of(self.world.owners.hour);
        let month = match amount {
            MonthlyAmount::Month { nanos } => whole(nanos) / ten(9),
            MonthlyAmount::Year { minor } => {
                let months = apportion(&whole(minor), &vec![Q::one(); 12]).unwrap();
                &months[usize::try_from(period.month()).unwrap() - 1]
                    / ten(self.world.book.currency.exponent())
            }
        };
        let mut hours = zone.hours(period).iter();
        let place = hours.position(|hour| hour == self.world.owners.hour).unwrap();
        // Equal weights leave equal remainders, so the earliest hours take what is left over, one each.
        let count = whole(i128::from(zone.hours(period).len()));
        let below = (&month * ten(9) / &count).floor();
        let left = month * ten(9) - &below * &count;
        let extra = if whole(i128::try_from(place).unwrap()) < left { Q::one() } else { Q::zero() };
        (below + extra) / ten(9)
    }

    fn list_price(&self, rate: MeteredRate) -> UnitPrice {
        let hours = self.world.book.zone.hours(self.world.book.zone.period_of(self.world.owners.hour)).len();
        match rate {
            MeteredRate::PerUnit(price) => price,
            MeteredRate::PerUnitMonth(price) => {
                let hourly = to_decimals(&(of_price(price) / whole(i128::from(hours))), 12) * ten(12);
                UnitPrice::from_picos(hourly.to_integer().to_i128().unwrap())
            }
        }
    }

    fn cost_center(&self, cluster: Option<&ClusterName>, tenant: &TenantName) -> CostCenter {
        let tenants = &self.world.owners.tenants;
        let here = tenants.iter().find(|((c, t), _)| Some(c) == cluster && t == tenant);
        let any = here.or_else(|| tenants.iter().find(|((_, t), _)| t == tenant));
        any.map_or_else(CostCenter::unassigned, |(_, state)| state.cost_center.clone())
    }

    /// The tenant of a namespace, or the place of its shared cost.
    fn bearer(&self, cluster: &ClusterName, namespace: &Namespace) -> Result<TenantName, usize> {
        let state = self.world.owners.namespaces.get(&(cluster.clone(), namespace.clone()));
        let tenant = state.and_then(|state| state.tenant.clone());
        let labelled = |wanted: &BTreeMap<String, String>| {
            let has =
                |(key, value): (&String, &String)| state.is_some_and(|s| s.labels.get(key) == Some(value));
            !wanted.is_empty() && wanted.iter().all(has)
        };
        let selects = |cost: &SharedCost| match &cost.what {
            SharedWhat::Namespaces { names, labels } => {
                names.iter().any(|name| name.matches(namespace.as_str())) || labelled(labels)
            }
            SharedWhat::Fixed(_) => false,
        };
        let costs = self.edition.shared_costs.iter().enumerate();
        let shared: Vec<usize> = costs.filter(|(_, cost)| selects(cost)).map(|(place, _)| place).collect();
        match (tenant, shared.as_slice()) {
            (None, [shared]) => Err(*shared),
            (Some(tenant), []) => Ok(tenant),
            // Owned and shared, or shared twice: a conflict. Or nobody's.
            _ => Ok(TenantName::unassigned()),
        }
    }

    fn book(&mut self, key: LineKey, namespace: Option<Namespace>, quantity: Q, amount: Q) {
        let entry = self.ledger.entry((key, namespace)).or_insert_with(|| (Q::zero(), Q::zero()));
        entry.0 += quantity;
        entry.1 += amount;
    }

    fn key(&self, cluster: Option<&ClusterName>, tenant: &TenantName, kind: Kind, item: &str) -> LineKey {
        LineKey {
            cost_center: self.cost_center(cluster, tenant),
            tenant: tenant.clone(),
            cluster: cluster.cloned(),
            virtual_namespace: None,
            kind,
            class: None,
            item: item.to_owned(),
            unit_price: None,
        }
    }

    fn direct(&mut self, direct: Direct<'_>) {
        let bearer = self.bearer(direct.cluster, direct.namespace);
        let tenant = match (&bearer, direct.kind) {
            (Err(_), Kind::Unpriced) => TenantName::unassigned(),
            (Err(shared), _) => {
                let key = (*shared, direct.cluster.clone(), direct.namespace.clone());
                *self.shared.entry(key).or_insert_with(Q::zero) += direct.amount;
                return;
            }
            (Ok(tenant), _) => tenant.clone(),
        };
        if direct.kind != Kind::Unpriced {
            let counts = |item: &str| {
                if direct.kind == Kind::Compute && direct.item == item {
                    direct.quantity.clone()
                } else {
                    Q::zero()
                }
            };
            self.bases.push(BaseRow {
                cluster: direct.cluster.clone(),
                pool: direct.class.as_ref().map(|class| class.pool.clone()),
                tenant: tenant.clone(),
                cost: direct.amount.clone(),
                cpu: counts("cpu"),
                memory: counts("memory"),
            });
        }
        let mut key = self.key(Some(direct.cluster), &tenant, direct.kind, direct.item);
        key.virtual_namespace = direct.inner;
        key.class = direct.class;
        key.unit_price = direct.price;
        self.book(key, Some(direct.namespace.clone()), direct.quantity, direct.amount);
    }

    fn metered(&mut self) {
        for usage in &self.world.usage {
            for row in &usage.storage {
                let entry = self.edition.storage.iter().find(|entry| entry.class.matches(row.class.as_str()));
                let price = entry.map(|entry| self.list_price(entry.rate));
                self.meter(usage, &row.namespace, Kind::Storage, row.class.as_str(), price, row.capacity);
            }
            for row in &usage.network {
                let entry = self.edition.network.iter().find(|entry| entry.class.matches(row.class.as_str()));
                let price = entry.map(|entry| self.list_price(entry.rate));
                self.meter(usage, &row.namespace, Kind::Network, row.class.as_str(), price, row.egress);
            }
            for row in &usage.load_balancers {
                let price = self.edition.load_balancer.map(|rate| self.list_price(rate));
                self.meter(usage, &row.namespace, Kind::LoadBalancer, "load_balancer", price, row.hours);
            }
        }
    }

    fn meter(
        &mut self,
        usage: &UsageHour,
        namespace: &Namespace,
        kind: Kind,
        class: &str,
        price: Option<UnitPrice>,
        quantity: Quantity,
    ) {
        let quantity = of_quantity(quantity);
        let unpriced = if kind == Kind::LoadBalancer { class.to_owned() } else { format!("{kind}:{class}") };
        self.direct(Direct {
            cluster: &usage.cluster,
            namespace,
            inner: None,
            kind: if price.is_some() { kind } else { Kind::Unpriced },
            class: None,
            item: if price.is_some() { class } else { &unpriced },
            price,
            amount: price.map_or_else(Q::zero, of_price) * &quantity,
            quantity,
        });
    }

    fn fees(&mut self) {
        for ((cluster, tenant), state) in &self.world.owners.tenants {
            for service in &state.services {
                let amount = self.part(self.edition.services[service]);
                let key = self.key(Some(cluster), tenant, Kind::ServiceFee, service.as_str());
                self.book(key, None, Q::one(), amount);
            }
        }
    }
}
