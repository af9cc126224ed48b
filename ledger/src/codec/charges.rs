//! The charges of a day, hour by hour, as a Parquet file.

use std::borrow::Cow;

use defray_pricing::charge::{Charge, LineKey};
use defray_pricing::money::Money;
use defray_pricing::names::{
    CapacityType, ClusterName, CostCenter, InstanceType, Namespace, Pool, PriceClass, TenantName,
    VirtualNamespace,
};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::Hour;

use super::{Columns, Flat, Stored};
use crate::error::LedgerError;

const T: usize = 12;
const I: usize = 5;

const COLUMNS: Columns<T, I> = Columns {
    texts: [
        "cost_center",
        "tenant",
        "cluster",
        "virtual_namespace",
        "kind",
        "pool",
        "instance_type",
        "capacity_type",
        "item",
        "list_price",
        "namespace",
        "unit",
    ],
    ints: ["hour", "quantity", "amount_units", "amount_nanos", "amount_attos"],
};

pub(crate) fn write(day: &str, hours: &[(Hour, Vec<Charge>)]) -> Result<Vec<u8>, LedgerError> {
    let mut rows = Vec::with_capacity(hours.iter().map(|(_, charges)| charges.len()).sum());
    for (hour, charges) in hours {
        // An hour without charges is still an hour that was rated: a row that says only which.
        if charges.is_empty() {
            let mut flat = Flat { texts: [const { None }; T], ints: [None; I] };
            flat.ints[0] = Some(hour.index());
            rows.push(flat);
        }
        for charge in charges {
            rows.push(flat(*hour, charge)?);
        }
    }
    COLUMNS.write(&rows, &[("day", day.to_owned())])
}

fn flat(hour: Hour, charge: &Charge) -> Result<Flat<'_, T, I>, LedgerError> {
    let key = &charge.key;
    let class = key.class.as_ref();
    let (units, nanos, attos) = charge.amount.to_parts()?;
    Ok(Flat {
        texts: [
            Some(Cow::Borrowed(key.cost_center.as_str())),
            Some(Cow::Borrowed(key.tenant.as_str())),
            key.cluster.as_ref().map(|name| Cow::Borrowed(name.as_str())),
            key.virtual_namespace.as_ref().map(|name| Cow::Borrowed(name.as_str())),
            Some(Cow::Borrowed(key.kind.as_str())),
            class.map(|class| Cow::Borrowed(class.pool.as_str())),
            class.map(|class| Cow::Borrowed(class.instance_type.as_str())),
            class.map(|class| Cow::Borrowed(class.capacity_type.as_str())),
            Some(Cow::Borrowed(key.item.as_str())),
            key.unit_price.map(|price| Cow::Owned(price.to_string())),
            charge.namespace.as_ref().map(|name| Cow::Borrowed(name.as_str())),
            charge.quantity.map(|(_, unit)| Cow::Borrowed(unit.as_str())),
        ],
        ints: [
            Some(hour.index()),
            charge.quantity.map(|(quantity, _)| quantity.micros()),
            Some(units),
            Some(nanos),
            Some(attos),
        ],
    })
}

pub(crate) fn read(
    file: Vec<u8>,
    wanted: impl Fn(&TenantName) -> bool,
) -> Result<Vec<(Hour, Vec<Charge>)>, LedgerError> {
    let mut hours: Vec<(Hour, Vec<Charge>)> = Vec::new();
    COLUMNS.read(file, |row| {
        let hour = Hour::from_index(row.int(0)?);
        if hours.last().is_none_or(|(last, _)| *last != hour) {
            hours.push((hour, Vec::new()));
        }
        let Some(tenant) = row.text_or(1).map(TenantName::from) else { return Ok(()) };
        if wanted(&tenant)
            && let Some((_, charges)) = hours.last_mut()
        {
            charges.push(charge(row, tenant)?);
        }
        Ok(())
    })?;
    Ok(hours)
}

fn charge(row: &Stored<'_, T, I>, tenant: TenantName) -> Result<Charge, LedgerError> {
    let damaged = |error: &dyn std::fmt::Display| LedgerError::Corrupt(format!("a charge: {error}"));
    let class = match row.text_or(5) {
        None => None,
        Some(pool) => Some(PriceClass {
            pool: Pool::from(pool),
            instance_type: InstanceType::from(row.text(6)?),
            capacity_type: CapacityType::from(row.text(7)?),
        }),
    };
    let quantity = match row.text_or(11) {
        None => None,
        Some(unit) => {
            Some((Quantity::from_micros(row.int(1)?), unit.parse().map_err(|e: UnitError| damaged(&e))?))
        }
    };
    Ok(Charge {
        key: LineKey {
            cost_center: CostCenter::from(row.text(0)?),
            tenant,
            cluster: row.text_or(2).map(ClusterName::from),
            virtual_namespace: row.text_or(3).map(VirtualNamespace::from),
            kind: row.text(4)?.parse().map_err(|e: defray_pricing::charge::UnknownKind| damaged(&e))?,
            class,
            item: row.text(8)?.to_owned(),
            unit_price: row
                .text_or(9)
                .map(str::parse)
                .transpose()
                .map_err(|e: defray_pricing::decimal::DecimalError| damaged(&e))?,
        },
        namespace: row.text_or(10).map(Namespace::from),
        quantity,
        amount: Money::from_parts(row.int(2)?, row.int(3)?, row.int(4)?)?,
    })
}

type UnitError = defray_pricing::quantity::UnknownUnit;
