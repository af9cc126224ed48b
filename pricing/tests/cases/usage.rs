//! What was measured, hour by hour the same.

use std::collections::BTreeMap;

use defray_pricing::Overflow;
use defray_pricing::names::{
    CapacityType, InstanceType, Namespace, Pool, PriceClass, StorageClass, TrafficClass, VirtualNamespace,
};
use defray_pricing::problem::Refused;
use defray_pricing::quantity::Quantity;
use defray_pricing::usage::{
    ComputeRow, LoadBalancerRow, NetworkRow, NodeRow, QuotaRow, StorageRow, UsageHour,
};
use defray_pricing::yaml::{Key, Mapping, Value};

/// An entry of `usage`: what one hour of it measures.
#[derive(Debug)]
pub(crate) enum Usage {
    Nodes(NodeRow),
    Compute(ComputeRow),
    Storage(StorageRow),
    Network(NetworkRow),
    LoadBalancer(LoadBalancerRow),
    Quota(QuotaRow),
}

/// What an entry can be of; the namespace's use of a pool is what is left.
const WHAT: [&str; 6] = ["nodes", "pool", "storage", "traffic", "load_balancers", "quota"];

/// Reads an entry, `cluster` and dates apart.
pub(crate) fn read(keys: &mut Mapping<'_>) -> Result<Usage, Refused> {
    match keys.exactly_one(&WHAT)? {
        "nodes" => nodes(keys).map(Usage::Nodes),
        "pool" => compute(keys).map(Usage::Compute),
        "quota" => quota(keys).map(Usage::Quota),
        metered => {
            let namespace = keys.required("namespace", Value::string);
            let inside = keys.optional("inside", Value::string);
            let (namespace, inside) = (Namespace::new(namespace?), inside?.map(VirtualNamespace::new));
            match metered {
                "storage" => {
                    let class = keys.required("storage", Value::string);
                    let capacity = keys.required("gib", quantity);
                    let (class, capacity) = (StorageClass::new(class?), capacity?);
                    Ok(Usage::Storage(StorageRow { namespace, virtual_namespace: inside, class, capacity }))
                }
                "traffic" => {
                    let class = keys.required("traffic", Value::string);
                    let egress = keys.required("gib", quantity);
                    let (class, egress) = (TrafficClass::new(class?), egress?);
                    Ok(Usage::Network(NetworkRow { namespace, virtual_namespace: inside, class, egress }))
                }
                _ => {
                    let hours = keys.required("load_balancers", quantity)?;
                    Ok(Usage::LoadBalancer(LoadBalancerRow { namespace, virtual_namespace: inside, hours }))
                }
            }
        }
    }
}

/// So many nodes, each of that size.
fn nodes(keys: &mut Mapping<'_>) -> Result<NodeRow, Refused> {
    let count = keys.with_default("count", Quantity::from_micros(1_000_000), quantity);
    let cores = keys.with_default("cores", Quantity::ZERO, quantity);
    let gib = keys.with_default("gib", Quantity::ZERO, quantity);
    let gpus = keys.with_default("gpus", BTreeMap::new(), by_name);
    let class = class(keys, "nodes");
    let (count, value) = (count?, keys.value().clone());
    let each = |quantity: Quantity| {
        times(quantity, count).ok_or_else(|| value.refuse("all nodes together have no exact capacity", ""))
    };
    Ok(NodeRow {
        class: class?,
        node_hours: count,
        cpu_capacity: each(cores?)?,
        memory_capacity: each(gib?)?,
        gpu_capacity: gpus?
            .into_iter()
            .map(|(name, gpus)| Ok((name, each(gpus)?)))
            .collect::<Result<_, _>>()?,
    })
}

/// The product, where six digits hold it.
fn times(quantity: Quantity, count: Quantity) -> Option<Quantity> {
    const MILLION: i128 = 1_000_000;
    let product = i128::from(quantity.micros()).checked_mul(i128::from(count.micros()))?;
    let exact = product.checked_rem(MILLION)? == 0;
    let micros = product.checked_div(MILLION)?;
    i64::try_from(micros).ok().filter(|_| exact).map(Quantity::from_micros)
}

fn class(keys: &mut Mapping<'_>, pool: &'static str) -> Result<PriceClass, Refused> {
    let pool = keys.required(pool, Value::string);
    let instance_type = keys.with_default("instance_type", String::new(), Value::string);
    let capacity_type = keys.with_default("capacity_type", String::new(), Value::string);
    Ok(PriceClass {
        pool: Pool::new(pool?),
        instance_type: InstanceType::new(instance_type?),
        capacity_type: CapacityType::new(capacity_type?),
    })
}

fn compute(keys: &mut Mapping<'_>) -> Result<ComputeRow, Refused> {
    let namespace = keys.required("namespace", Value::string);
    let inside = keys.optional("inside", Value::string);
    let cpu = keys.with_default("cpu", Measured::default(), measured);
    let memory = keys.with_default("memory", Measured::default(), measured);
    let gpu_request = keys.with_default("gpus", BTreeMap::new(), by_name);
    let class = class(keys, "pool");
    let (cpu, memory) = (cpu?, memory?);
    Ok(ComputeRow {
        namespace: Namespace::new(namespace?),
        virtual_namespace: inside?.map(VirtualNamespace::new),
        class: class?,
        cpu_request: cpu.request,
        cpu_usage: cpu.usage,
        cpu_max: cpu.max,
        memory_request: memory.request,
        memory_usage: memory.usage,
        memory_max: memory.max,
        gpu_request: gpu_request?,
    })
}

#[derive(Debug, Default, Clone, Copy)]
struct Measured {
    request: Quantity,
    usage: Quantity,
    max: Quantity,
}

/// `2` (request and usage alike), `2 / 1.5` (request / usage) or `2 / 1.5 / 2.2` (and the sum of what is
/// larger in each container).
fn measured(value: &Value<'_>) -> Result<Measured, Refused> {
    const MEND: &str = "write request / usage, such as `2 / 1.5`, or one number for both";
    let text = value.text()?;
    let parts: Result<Vec<Quantity>, _> = text.split('/').map(|part| part.trim().parse()).collect();
    let parts = parts.map_err(|error| value.refuse(error.to_string(), MEND))?;
    match *parts.as_slice() {
        [both] => Ok(Measured { request: both, usage: both, max: both }),
        [request, usage] => Ok(Measured { request, usage, max: request.max(usage) }),
        [request, usage, max] if max >= request && max >= usage => Ok(Measured { request, usage, max }),
        _ => Err(value.refuse(format!("`{text}` is no request / usage"), MEND)),
    }
}

fn quantity(value: &Value<'_>) -> Result<Quantity, Refused> {
    value.parsed()
}

fn by_name(value: &Value<'_>) -> Result<BTreeMap<String, Quantity>, Refused> {
    value.map(|key: &Key<'_>| Ok(key.text().to_owned()), quantity)
}

fn quota(keys: &mut Mapping<'_>) -> Result<QuotaRow, Refused> {
    let namespace = keys.required("namespace", Value::string);
    let quota = keys.required("quota", |value| {
        let mut keys = value.mapping()?;
        let cpu = keys.optional("cpu", quantity);
        let memory = keys.optional("memory", quantity);
        keys.finish();
        Ok((cpu?, memory?))
    });
    let ((cpu, memory), namespace) = (quota?, Namespace::new(namespace?));
    Ok(QuotaRow { namespace, cpu, memory })
}

impl Usage {
    /// Adds itself to an hour; entries of one key add up, as they would have been measured.
    pub(crate) fn add_to(&self, hour: &mut UsageHour) -> Result<(), Overflow> {
        match self {
            Self::Nodes(row) => match hour.nodes.iter_mut().find(|other| other.class == row.class) {
                None => hour.nodes.push(row.clone()),
                Some(other) => {
                    add(&mut other.node_hours, row.node_hours)?;
                    add(&mut other.cpu_capacity, row.cpu_capacity)?;
                    add(&mut other.memory_capacity, row.memory_capacity)?;
                    add_named(&mut other.gpu_capacity, &row.gpu_capacity)?;
                }
            },
            Self::Compute(row) => match hour.compute.iter_mut().find(|other| other.key() == row.key()) {
                None => hour.compute.push(row.clone()),
                Some(other) => {
                    add(&mut other.cpu_request, row.cpu_request)?;
                    add(&mut other.cpu_usage, row.cpu_usage)?;
                    add(&mut other.cpu_max, row.cpu_max)?;
                    add(&mut other.memory_request, row.memory_request)?;
                    add(&mut other.memory_usage, row.memory_usage)?;
                    add(&mut other.memory_max, row.memory_max)?;
                    add_named(&mut other.gpu_request, &row.gpu_request)?;
                }
            },
            Self::Storage(row) => match hour.storage.iter_mut().find(|other| other.key() == row.key()) {
                None => hour.storage.push(row.clone()),
                Some(other) => add(&mut other.capacity, row.capacity)?,
            },
            Self::Network(row) => match hour.network.iter_mut().find(|other| other.key() == row.key()) {
                None => hour.network.push(row.clone()),
                Some(other) => add(&mut other.egress, row.egress)?,
            },
            Self::LoadBalancer(row) => {
                match hour.load_balancers.iter_mut().find(|other| other.key() == row.key()) {
                    None => hour.load_balancers.push(row.clone()),
                    Some(other) => add(&mut other.hours, row.hours)?,
                }
            }
            Self::Quota(row) => hour.quotas.push(row.clone()),
        }
        Ok(())
    }
}

fn add(sum: &mut Quantity, more: Quantity) -> Result<(), Overflow> {
    *sum = sum.checked_add(more)?;
    Ok(())
}

fn add_named(
    sums: &mut BTreeMap<String, Quantity>,
    more: &BTreeMap<String, Quantity>,
) -> Result<(), Overflow> {
    for (name, quantity) in more {
        add(sums.entry(name.clone()).or_default(), *quantity)?;
    }
    Ok(())
}
