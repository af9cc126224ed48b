//! Who is there: tenants with what they own, and namespaces that nobody owns.

use std::collections::{BTreeMap, BTreeSet};

use defray_pricing::names::{ClusterName, CostCenter, Namespace, Pool, Service, TenantName};
use defray_pricing::ownership::{NamespaceState, Owners, TenantState};
use defray_pricing::problem::Refused;
use defray_pricing::time::Hour;
use defray_pricing::yaml::{Mapping, Value};

use crate::case::During;

/// An entry of `owners`.
#[derive(Debug)]
pub(crate) struct Owner {
    tenant: Option<TenantName>,
    /// Without one there is no `Tenant` resource, only what belongs to the name.
    cost_center: Option<CostCenter>,
    services: BTreeSet<Service>,
    namespaces: Vec<Namespace>,
    labels: BTreeMap<String, String>,
    pools: Vec<Pool>,
}

/// Reads an entry, `cluster` and dates apart.
pub(crate) fn read(keys: &mut Mapping<'_>) -> Result<Owner, Refused> {
    let names = |value: &Value<'_>| value.list(Value::string);
    let tenant = keys.optional("tenant", Value::string);
    let cost_center = keys.optional("cost_center", Value::string);
    let services = keys.with_default("services", Vec::new(), names);
    let namespaces = keys.with_default("namespaces", Vec::new(), names);
    let labels = keys.with_default("labels", BTreeMap::new(), |value| {
        value.map(|key| Ok(key.text().to_owned()), Value::string)
    });
    let pools = keys.with_default("pools", Vec::new(), names);
    let tenants = keys.has("tenant");
    if !tenants && (keys.has("cost_center") || keys.has("services") || keys.has("pools")) {
        return Err(keys.value().refuse("this belongs to a tenant", "add `tenant`"));
    }
    if keys.has("services") && !keys.has("cost_center") {
        return Err(keys.value().refuse("only a Tenant resource has services", "add `cost_center`"));
    }
    if keys.has("labels") && !keys.has("namespaces") {
        return Err(keys.value().refuse("`labels` are those of `namespaces`", "add `namespaces`"));
    }
    Ok(Owner {
        tenant: tenant?.map(TenantName::new),
        cost_center: cost_center?.map(CostCenter::new),
        services: services?.into_iter().map(Service::new).collect(),
        namespaces: namespaces?.into_iter().map(Namespace::new).collect(),
        labels: labels?,
        pools: pools?.into_iter().map(Pool::new).collect(),
    })
}

/// Who owned what in an hour. Two entries that contradict each other are no case.
pub(crate) fn at(entries: &[During<Owner>], hour: Hour) -> Result<Owners, String> {
    let mut owners = Owners::nobody(hour);
    for entry in entries.iter().filter(|entry| entry.hours.contains(hour)) {
        let (cluster, owner) = (&entry.cluster, &entry.what);
        if let (Some(tenant), Some(cost_center)) = (&owner.tenant, &owner.cost_center) {
            let state = TenantState { cost_center: cost_center.clone(), services: owner.services.clone() };
            once(&mut owners.tenants, (cluster, tenant), state, hour)?;
        }
        for namespace in &owner.namespaces {
            let state = NamespaceState { tenant: owner.tenant.clone(), labels: owner.labels.clone() };
            once(&mut owners.namespaces, (cluster, namespace), state, hour)?;
        }
        for (pool, tenant) in owner.pools.iter().zip(std::iter::repeat(&owner.tenant)) {
            if let Some(tenant) = tenant {
                once(&mut owners.dedicated, (cluster, pool), tenant.clone(), hour)?;
            }
        }
    }
    Ok(owners)
}

fn once<K: Clone + Ord + std::fmt::Display, V>(
    map: &mut BTreeMap<(ClusterName, K), V>,
    (cluster, key): (&ClusterName, &K),
    value: V,
    hour: Hour,
) -> Result<(), String> {
    match map.insert((cluster.clone(), key.clone()), value) {
        None => Ok(()),
        Some(_) => Err(format!("two entries of `owners` tell of `{key}` in {cluster} at {hour}")),
    }
}
