//! One measured hour as a Parquet file: every kind of row in one table, with the columns it needs.

use std::borrow::Cow;
use std::collections::BTreeMap;

use defray_pricing::digest::Digest;
use defray_pricing::names::{
    CapacityType, ClusterName, InstanceType, Namespace, Pool, PriceClass, StorageClass, TrafficClass,
    VirtualNamespace,
};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::Hour;
use defray_pricing::usage::{
    ComputeRow, LoadBalancerRow, Minutes, NetworkRow, NodeRow, QuotaRow, StorageRow, UsageHour,
};

use super::{Columns, Flat, Stored};

mod day;

use crate::error::LedgerError;
pub(crate) use day::{read_part, write_day};

const T: usize = 7;
const I: usize = 11;

/// Quantities are counts of 1e-6.
const COLUMNS: Columns<T, I> = Columns {
    texts: ["row", "namespace", "virtual_namespace", "pool", "instance_type", "capacity_type", "item"],
    ints: [
        "cpu_request",
        "cpu_usage",
        "cpu_max",
        "memory_request",
        "memory_usage",
        "memory_max",
        "cpu",
        "memory",
        "hours",
        "gib",
        "minutes",
    ],
};
const ROW: usize = 0;
const NAMESPACE: usize = 1;
const VIRTUAL_NAMESPACE: usize = 2;
const POOL: usize = 3;
const INSTANCE_TYPE: usize = 4;
const CAPACITY_TYPE: usize = 5;
const ITEM: usize = 6;
const CPU: usize = 6;
const MEMORY: usize = 7;
const HOURS: usize = 8;
const GIB: usize = 9;
const MINUTES: usize = 10;

/// Of what an hour says, whatever file it is in. Rows must be in canonical order.
pub(crate) fn digest(hour: &UsageHour) -> Result<Digest, LedgerError> {
    serde_json::to_vec(hour)
        .map(|text| Digest::of(&text))
        .map_err(|error| LedgerError::Encode(error.to_string()))
}

/// Brings an hour into canonical order and refuses a key that is there twice.
pub(crate) fn canonical(mut hour: UsageHour) -> Result<UsageHour, LedgerError> {
    hour.canonicalise();
    let twice = hour.compute.windows(2).any(|w| matches!(w, [a, b] if a.key() == b.key()))
        || hour.nodes.windows(2).any(|w| matches!(w, [a, b] if a.class == b.class))
        || hour.storage.windows(2).any(|w| matches!(w, [a, b] if a.key() == b.key()))
        || hour.network.windows(2).any(|w| matches!(w, [a, b] if a.key() == b.key()))
        || hour.load_balancers.windows(2).any(|w| matches!(w, [a, b] if a.key() == b.key()))
        || hour.quotas.windows(2).any(|w| matches!(w, [a, b] if a.namespace == b.namespace));
    if twice {
        let (cluster, hour) = (&hour.cluster, hour.hour);
        return Err(LedgerError::Encode(format!("{cluster} {hour} holds two usage rows of one key")));
    }
    Ok(hour)
}

pub(crate) fn write(hour: &UsageHour) -> Result<Vec<u8>, LedgerError> {
    COLUMNS.write(&flat(hour), &[("cluster", hour.cluster.to_string()), ("hour", hour.hour.to_string())])
}

fn flat(hour: &UsageHour) -> Vec<Flat<'_, T, I>> {
    let mut rows = Vec::new();
    for row in &hour.compute {
        rows.push(compute(row));
        rows.extend(row.gpu_request.iter().map(|(item, gpus)| gpu("compute_gpu", item, *gpus)));
    }
    for row in &hour.nodes {
        rows.push(node(row));
        rows.extend(row.gpu_capacity.iter().map(|(item, gpus)| gpu("node_gpu", item, *gpus)));
    }
    rows.extend(hour.storage.iter().map(|row| {
        place("storage", &row.namespace, row.virtual_namespace.as_ref())
            .item(row.class.as_str())
            .quantity(GIB, row.capacity)
    }));
    rows.extend(hour.network.iter().map(|row| {
        place("network", &row.namespace, row.virtual_namespace.as_ref())
            .item(row.class.as_str())
            .quantity(GIB, row.egress)
    }));
    rows.extend(hour.load_balancers.iter().map(|row| {
        place("load_balancer", &row.namespace, row.virtual_namespace.as_ref()).quantity(HOURS, row.hours)
    }));
    rows.extend(hour.quotas.iter().map(|row| {
        let mut flat = place("quota", &row.namespace, None);
        flat.ints[CPU] = row.cpu.map(Quantity::micros);
        flat.ints[MEMORY] = row.memory.map(Quantity::micros);
        flat
    }));
    rows.extend(hour.coverage.iter().map(|(source, minutes)| {
        let mut flat = new("coverage").item(source.as_str());
        flat.ints[MINUTES] = Some(i64::from(minutes.get()));
        flat
    }));
    rows
}

fn new<'a>(row: &'static str) -> Flat<'a, T, I> {
    let mut flat = Flat { texts: [const { None }; T], ints: [None; I] };
    flat.texts[ROW] = Some(Cow::Borrowed(row));
    flat
}

impl<'a> Flat<'a, T, I> {
    fn item(mut self, item: &'a str) -> Self {
        self.texts[ITEM] = Some(Cow::Borrowed(item));
        self
    }

    fn quantity(mut self, column: usize, quantity: Quantity) -> Self {
        if let Some(cell) = self.ints.get_mut(column) {
            *cell = Some(quantity.micros());
        }
        self
    }

    fn class(mut self, class: &'a PriceClass) -> Self {
        self.texts[POOL] = Some(Cow::Borrowed(class.pool.as_str()));
        self.texts[INSTANCE_TYPE] = Some(Cow::Borrowed(class.instance_type.as_str()));
        self.texts[CAPACITY_TYPE] = Some(Cow::Borrowed(class.capacity_type.as_str()));
        self
    }
}

fn place<'a>(
    row: &'static str,
    namespace: &'a Namespace,
    virtual_namespace: Option<&'a VirtualNamespace>,
) -> Flat<'a, T, I> {
    let mut flat = new(row);
    flat.texts[NAMESPACE] = Some(Cow::Borrowed(namespace.as_str()));
    flat.texts[VIRTUAL_NAMESPACE] = virtual_namespace.map(|name| Cow::Borrowed(name.as_str()));
    flat
}

fn compute(row: &ComputeRow) -> Flat<'_, T, I> {
    let six =
        [row.cpu_request, row.cpu_usage, row.cpu_max, row.memory_request, row.memory_usage, row.memory_max];
    let flat = place("compute", &row.namespace, row.virtual_namespace.as_ref()).class(&row.class);
    six.into_iter().enumerate().fold(flat, |flat, (column, quantity)| flat.quantity(column, quantity))
}

fn node(row: &NodeRow) -> Flat<'_, T, I> {
    new("node")
        .class(&row.class)
        .quantity(HOURS, row.node_hours)
        .quantity(CPU, row.cpu_capacity)
        .quantity(MEMORY, row.memory_capacity)
}

/// Belongs to the row before it.
fn gpu<'a>(row: &'static str, item: &'a str, gpus: Quantity) -> Flat<'a, T, I> {
    new(row).item(item).quantity(HOURS, gpus)
}

pub(crate) fn read(cluster: ClusterName, hour: Hour, file: Vec<u8>) -> Result<UsageHour, LedgerError> {
    let mut usage = UsageHour::empty(cluster, hour);
    COLUMNS.read(file, |row| take(&mut usage, row))?;
    Ok(usage)
}

type Read<'a> = Stored<'a, T, I>;

fn take(usage: &mut UsageHour, row: &Read<'_>) -> Result<(), LedgerError> {
    let orphan = || LedgerError::Corrupt("a GPU row without the row it belongs to".to_owned());
    match row.text(ROW)? {
        "compute" => usage.compute.push(read_compute(row)?),
        "compute_gpu" => {
            let owner = usage.compute.last_mut().ok_or_else(orphan)?;
            owner.gpu_request.insert(row.text(ITEM)?.to_owned(), quantity(row, HOURS)?);
        }
        "node" => usage.nodes.push(NodeRow {
            class: class(row)?,
            node_hours: quantity(row, HOURS)?,
            cpu_capacity: quantity(row, CPU)?,
            memory_capacity: quantity(row, MEMORY)?,
            gpu_capacity: BTreeMap::new(),
        }),
        "node_gpu" => {
            let owner = usage.nodes.last_mut().ok_or_else(orphan)?;
            owner.gpu_capacity.insert(row.text(ITEM)?.to_owned(), quantity(row, HOURS)?);
        }
        "storage" => usage.storage.push(StorageRow {
            namespace: namespace(row)?,
            virtual_namespace: virtual_namespace(row),
            class: StorageClass::from(row.text(ITEM)?),
            capacity: quantity(row, GIB)?,
        }),
        "network" => usage.network.push(NetworkRow {
            namespace: namespace(row)?,
            virtual_namespace: virtual_namespace(row),
            class: TrafficClass::from(row.text(ITEM)?),
            egress: quantity(row, GIB)?,
        }),
        "load_balancer" => usage.load_balancers.push(LoadBalancerRow {
            namespace: namespace(row)?,
            virtual_namespace: virtual_namespace(row),
            hours: quantity(row, HOURS)?,
        }),
        "quota" => usage.quotas.push(QuotaRow {
            namespace: namespace(row)?,
            cpu: row.int_or(CPU).map(Quantity::from_micros),
            memory: row.int_or(MEMORY).map(Quantity::from_micros),
        }),
        "coverage" => {
            let source = row.text(ITEM)?.parse().map_err(|e| LedgerError::Corrupt(format!("{e}")))?;
            usage.coverage.insert(source, minutes(row.int(MINUTES)?)?);
        }
        other => return Err(LedgerError::Corrupt(format!("a usage row of unknown kind `{other}`"))),
    }
    Ok(())
}

fn read_compute(row: &Read<'_>) -> Result<ComputeRow, LedgerError> {
    Ok(ComputeRow {
        namespace: namespace(row)?,
        virtual_namespace: virtual_namespace(row),
        class: class(row)?,
        cpu_request: quantity(row, 0)?,
        cpu_usage: quantity(row, 1)?,
        cpu_max: quantity(row, 2)?,
        memory_request: quantity(row, 3)?,
        memory_usage: quantity(row, 4)?,
        memory_max: quantity(row, 5)?,
        gpu_request: BTreeMap::new(),
    })
}

fn namespace(row: &Read<'_>) -> Result<Namespace, LedgerError> {
    row.text(NAMESPACE).map(Namespace::from)
}

fn virtual_namespace(row: &Read<'_>) -> Option<VirtualNamespace> {
    row.text_or(VIRTUAL_NAMESPACE).map(VirtualNamespace::from)
}

fn class(row: &Read<'_>) -> Result<PriceClass, LedgerError> {
    Ok(PriceClass {
        pool: Pool::from(row.text(POOL)?),
        instance_type: InstanceType::from(row.text(INSTANCE_TYPE)?),
        capacity_type: CapacityType::from(row.text(CAPACITY_TYPE)?),
    })
}

fn quantity(row: &Read<'_>, column: usize) -> Result<Quantity, LedgerError> {
    row.int(column).map(Quantity::from_micros)
}

pub(crate) fn minutes(value: i64) -> Result<Minutes, LedgerError> {
    u8::try_from(value)
        .ok()
        .and_then(Minutes::new)
        .ok_or_else(|| LedgerError::Corrupt(format!("{value} minutes of an hour")))
}
