//! The columns that lines and charges share, in the order every statement about them lists them.

use defray_pricing::charge::{Charge, LineKey};
use defray_pricing::money::{Money, UnitPrice};
use defray_pricing::names::{
    CapacityType, ClusterName, CostCenter, InstanceType, Namespace, Pool, PriceClass, TenantName,
    VirtualNamespace,
};
use defray_pricing::quantity::{Quantity, Unit};

use crate::backend::{Fields, Value};
use crate::error::LedgerError;

/// The columns of a line's key.
macro_rules! key_columns {
    () => {
        "cost_center, tenant, cluster, virtual_namespace, kind, pool, instance_type, capacity_type, item, list_price"
    };
}
pub(crate) use key_columns;

/// The columns of a charge.
macro_rules! charge_columns {
    () => {
        concat!(
            $crate::columns::key_columns!(),
            ", namespace, quantity, unit, amount_units, amount_nanos, amount_attos"
        )
    };
}
pub(crate) use charge_columns;

pub(crate) fn push_key(values: &mut Vec<Value>, key: &LineKey) {
    let class = key.class.as_ref();
    values.extend([
        Value::from(key.cost_center.as_str()),
        Value::from(key.tenant.as_str()),
        Value::from(key.cluster.as_ref().map(ClusterName::as_str)),
        Value::from(key.virtual_namespace.as_ref().map(VirtualNamespace::as_str)),
        Value::from(key.kind.as_str()),
        Value::from(class.map(|class| class.pool.as_str())),
        Value::from(class.map(|class| class.instance_type.as_str())),
        Value::from(class.map(|class| class.capacity_type.as_str())),
        Value::from(key.item.as_str()),
        Value::from(key.unit_price.map(|price| price.to_string())),
    ]);
}

pub(crate) fn push_quantity(values: &mut Vec<Value>, quantity: Option<(Quantity, Unit)>) {
    values.push(Value::from(quantity.map(|(quantity, _)| quantity.micros())));
    values.push(Value::from(quantity.map(|(_, unit)| unit.as_str())));
}

pub(crate) fn push_money(values: &mut Vec<Value>, amount: Money) -> Result<(), LedgerError> {
    let (units, nanos, attos) = amount.to_parts()?;
    values.extend([Value::from(units), Value::from(nanos), Value::from(attos)]);
    Ok(())
}

pub(crate) fn push_money_or(values: &mut Vec<Value>, amount: Option<Money>) -> Result<(), LedgerError> {
    match amount {
        Some(amount) => push_money(values, amount)?,
        None => values.extend([Value::from(None::<i64>), Value::from(None::<i64>), Value::from(None::<i64>)]),
    }
    Ok(())
}

pub(crate) fn push_charge(values: &mut Vec<Value>, charge: &Charge) -> Result<(), LedgerError> {
    push_key(values, &charge.key);
    values.push(Value::from(charge.namespace.as_ref().map(Namespace::as_str)));
    push_quantity(values, charge.quantity);
    push_money(values, charge.amount)
}

pub(crate) fn read_key(row: &mut Fields) -> Result<LineKey, LedgerError> {
    Ok(LineKey {
        cost_center: CostCenter::from(row.text()?),
        tenant: TenantName::from(row.text()?),
        cluster: row.text_or()?.map(ClusterName::from),
        virtual_namespace: row.text_or()?.map(VirtualNamespace::from),
        kind: row.parse("the kind of a line")?,
        class: read_class(row)?,
        item: row.text()?,
        unit_price: read_price(row)?,
    })
}

fn read_class(row: &mut Fields) -> Result<Option<PriceClass>, LedgerError> {
    match (row.text_or()?, row.text_or()?, row.text_or()?) {
        (None, None, None) => Ok(None),
        (Some(pool), Some(instance_type), Some(capacity_type)) => Ok(Some(PriceClass {
            pool: Pool::from(pool),
            instance_type: InstanceType::from(instance_type),
            capacity_type: CapacityType::from(capacity_type),
        })),
        _ => Err(LedgerError::Corrupt("half a price class".to_owned())),
    }
}

pub(crate) fn read_price(row: &mut Fields) -> Result<Option<UnitPrice>, LedgerError> {
    let text = row.text_or()?;
    text.map(|text| text.parse().map_err(|error| LedgerError::Corrupt(format!("a unit price: {error}"))))
        .transpose()
}

pub(crate) fn read_quantity(row: &mut Fields) -> Result<Option<(Quantity, Unit)>, LedgerError> {
    match (row.int_or()?, row.text_or()?) {
        (None, None) => Ok(None),
        (Some(micros), Some(unit)) => {
            let unit = unit.parse().map_err(|error| LedgerError::Corrupt(format!("{error}")))?;
            Ok(Some((Quantity::from_micros(micros), unit)))
        }
        _ => Err(LedgerError::Corrupt("a quantity without a unit, or a unit without a quantity".to_owned())),
    }
}

pub(crate) fn read_money(row: &mut Fields) -> Result<Money, LedgerError> {
    Ok(Money::from_parts(row.int()?, row.int()?, row.int()?)?)
}

pub(crate) fn read_money_or(row: &mut Fields) -> Result<Option<Money>, LedgerError> {
    match (row.int_or()?, row.int_or()?, row.int_or()?) {
        (None, None, None) => Ok(None),
        (Some(units), Some(nanos), Some(attos)) => Ok(Some(Money::from_parts(units, nanos, attos)?)),
        _ => Err(LedgerError::Corrupt("half an amount".to_owned())),
    }
}

pub(crate) fn read_charge(row: &mut Fields) -> Result<Charge, LedgerError> {
    Ok(Charge {
        key: read_key(row)?,
        namespace: row.text_or()?.map(Namespace::from),
        quantity: read_quantity(row)?,
        amount: read_money(row)?,
    })
}
