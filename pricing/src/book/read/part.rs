//! One file, read by itself.

use super::amounts::{check_name, instant, monthly, name, pattern, price};
use super::{Placed, adjustments, policies, pools, terms, wide};
use crate::book::{
    Adjustment, Budget, ClusterPrice, MeteredPrice, MeteredRate, MonthlyAmount, Pattern, Policy, PoolPrice,
    SharedCost, Terms,
};
use crate::money::Currency;
use crate::names::{CostCenter, Service, StorageClass, TrafficClass};
use crate::problem::Refused;
use crate::time::{BillingZone, Hour};
use crate::yaml::{Mapping, Value};

/// A key that may be given once: absent, refused, or read.
pub(super) type Single<'d, T> = Option<Result<Placed<'d, T>, Refused>>;

/// An edition, or a part of one, with the place of everything.
#[derive(Debug)]
pub(super) struct Part<'d> {
    pub(super) root: Value<'d>,
    /// None in a file that says nothing of an edition.
    pub(super) effective_from: Single<'d, Hour>,
    pub(super) currency: Result<Placed<'d, Currency>, Refused>,
    pub(super) version: Single<'d, String>,
    pub(super) platform_cost_center: Single<'d, CostCenter>,
    pub(super) load_balancer: Single<'d, MeteredRate>,
    pub(super) idle: Single<'d, Policy>,
    pub(super) pools: Several<'d, PoolPrice>,
    pub(super) clusters: Several<'d, ClusterPrice>,
    pub(super) storage: Several<'d, MeteredPrice<StorageClass>>,
    pub(super) network: Several<'d, MeteredPrice<TrafficClass>>,
    pub(super) services: Several<'d, (Service, MonthlyAmount)>,
    pub(super) shared_costs: Several<'d, SharedCost>,
    pub(super) cost_centers: Several<'d, (CostCenter, Terms)>,
    pub(super) adjustments: Several<'d, Adjustment>,
    pub(super) rates: Several<'d, wide::Rate>,
    pub(super) budgets: Several<'d, Budget>,
}

/// What could be read of a list.
#[derive(Debug)]
pub(super) struct Several<'d, T> {
    pub(super) items: Vec<Placed<'d, T>>,
    /// Whether that is all of it; if not, nothing can be said to be missing.
    pub(super) complete: bool,
}

impl<T> Several<'_, T> {
    pub(super) const NONE: Self = Self { items: Vec::new(), complete: true };
    pub(super) const UNREADABLE: Self = Self { items: Vec::new(), complete: false };
}

impl<'d> Part<'d> {
    pub(super) fn read(root: &Value<'d>, zone: BillingZone) -> Result<Self, Refused> {
        let mut keys = root.mapping()?;
        let currency = keys.required("currency", |value| placed(value, Value::parsed));
        let known = currency.as_ref().ok().map(|currency| currency.value);
        let part = Self {
            root: root.clone(),
            version: single(&mut keys, "version", name),
            effective_from: effective_from(&mut keys, zone),
            platform_cost_center: single(&mut keys, "platform_cost_center", |v| name(v).map(CostCenter::new)),
            pools: several(&mut keys, "pools", |v| pools::pool(v, known)),
            clusters: several(&mut keys, "clusters", |v| pools::cluster(v, known)),
            storage: several(&mut keys, "storage", storage),
            network: several(&mut keys, "network", network),
            load_balancer: single(&mut keys, "load_balancer", load_balancer),
            services: services(&mut keys, known),
            shared_costs: several(&mut keys, "shared_costs", |v| policies::shared_cost(v, known)),
            idle: single(&mut keys, "idle", policies::policy),
            cost_centers: several(&mut keys, "cost_centers", |v| terms::cost_center(v, known)),
            adjustments: several(&mut keys, "adjustments", |v| adjustments::adjustment(v, known)),
            rates: wide::rates(&mut keys, known),
            budgets: several(&mut keys, "budgets", |v| wide::budget(v, known)),
            currency,
        };
        keys.finish();
        Ok(part)
    }
}

/// What a file may hold that belongs to the book as a whole: it has its own dates.
const BOOK_WIDE: [&str; 3] = ["adjustments", "currencies", "budgets"];
/// What belongs to an edition.
const EDITION: [&str; 11] = [
    "version",
    "platform_cost_center",
    "pools",
    "clusters",
    "storage",
    "network",
    "load_balancer",
    "services",
    "shared_costs",
    "idle",
    "cost_centers",
];

/// Needed by everything that belongs to an edition; a file with nothing of the kind has no use for it.
fn effective_from<'d>(keys: &mut Mapping<'d>, zone: BillingZone) -> Single<'d, Hour> {
    let has_any = |keys: &mut Mapping<'d>, names: &[&'static str]| names.iter().any(|name| keys.has(name));
    if !keys.has("effective_from") && has_any(keys, &BOOK_WIDE) && !has_any(keys, &EDITION) {
        return None;
    }
    Some(keys.required("effective_from", |v| placed(v, |v| instant(v, zone))))
}

fn placed<'d, T>(
    value: &Value<'d>,
    read: impl FnOnce(&Value<'d>) -> Result<T, Refused>,
) -> Result<Placed<'d, T>, Refused> {
    Ok(Placed { place: value.clone(), value: read(value)? })
}

fn single<'d, T>(
    keys: &mut Mapping<'d>,
    key: &'static str,
    read: impl FnOnce(&Value<'d>) -> Result<T, Refused>,
) -> Single<'d, T> {
    keys.get(key).map(|value| placed(&value, read))
}

fn several<'d, T>(
    keys: &mut Mapping<'d>,
    key: &'static str,
    read: impl Fn(&Value<'d>) -> Result<T, Refused>,
) -> Several<'d, T> {
    let Some(value) = keys.get(key) else { return Several::NONE };
    let Ok(items) = value.items() else { return Several::UNREADABLE };
    let count = items.len();
    let items: Vec<Placed<'d, T>> = items.iter().filter_map(|item| placed(item, &read).ok()).collect();
    Several { complete: items.len() == count, items }
}

fn services<'d>(keys: &mut Mapping<'d>, currency: Option<Currency>) -> Several<'d, (Service, MonthlyAmount)> {
    let Some(value) = keys.get("services") else { return Several::NONE };
    let Ok(entries) = value.entries() else { return Several::UNREADABLE };
    let count = entries.len();
    let items: Vec<_> = entries
        .iter()
        .filter_map(|(key, value)| {
            let fee = |value: &Value<'d>| {
                let service = check_name(key.text()).map_err(|message| key.refuse(message, ""));
                let mut keys = value.mapping()?;
                let amount = monthly(&mut keys, currency);
                keys.finish();
                Ok((Service::from(service?), amount?))
            };
            placed(value, fee).ok()
        })
        .collect();
    Several { complete: items.len() == count, items }
}

/// One entry of `storage`.
fn storage(value: &Value<'_>) -> Result<MeteredPrice<StorageClass>, Refused> {
    let mut keys = value.mapping()?;
    let class = keys.required("class", pattern);
    let rate = rate(&mut keys, "gib_hour", "gib_month");
    keys.finish();
    Ok(metered(class?, rate?))
}

/// One entry of `network`.
fn network(value: &Value<'_>) -> Result<MeteredPrice<TrafficClass>, Refused> {
    let mut keys = value.mapping()?;
    let class = keys.required("class", pattern);
    let rate = keys.required("gib", price).map(MeteredRate::PerUnit);
    keys.finish();
    Ok(metered(class?, rate?))
}

fn load_balancer(value: &Value<'_>) -> Result<MeteredRate, Refused> {
    let mut keys = value.mapping()?;
    let rate = rate(&mut keys, "hour", "month");
    keys.finish();
    rate
}

/// A price per unit or per unit-month, whichever is given.
fn rate(
    keys: &mut Mapping<'_>,
    per_unit: &'static str,
    per_month: &'static str,
) -> Result<MeteredRate, Refused> {
    if keys.exactly_one(&[per_unit, per_month])? == per_unit {
        keys.required(per_unit, price).map(MeteredRate::PerUnit)
    } else {
        keys.required(per_month, price).map(MeteredRate::PerUnitMonth)
    }
}

fn metered<Class>(class: Pattern, rate: MeteredRate) -> MeteredPrice<Class> {
    MeteredPrice { class, rate, of: std::marker::PhantomData }
}
