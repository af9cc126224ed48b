//! What is metered by class: storage, network, load balancers; and the fees of services.

use super::RatingError;
use super::context::Context;
use super::control::add;
use super::sheet::{Direct, Sheet, unpriced_item};
use super::trace::How;
use crate::book::MeteredRate;
use crate::charge::{Charge, Kind, item};
use crate::money::Money;
use crate::names::{ClusterName, Namespace, VirtualNamespace};
use crate::quantity::{Quantity, Unit};
use crate::usage::UsageHour;

/// An hour of anything, in 1e-6.
const ONE: Quantity = Quantity::from_micros(1_000_000);

/// Charges what one cluster metered.
pub(super) fn charge<'a>(
    context: &Context<'a>,
    hour: &'a UsageHour,
    sheet: &mut Sheet<'_, 'a>,
) -> Result<(), RatingError> {
    let mut meter = Meter { context, cluster: &hour.cluster, sheet };
    for row in &hour.storage {
        let rate = context.edition.storage_rate(&row.class);
        let of = (Kind::Storage, row.class.as_str(), Unit::GibHours);
        meter.charge(of, rate, (&row.namespace, row.virtual_namespace.as_ref()), row.capacity)?;
    }
    for row in &hour.network {
        let rate = context.edition.network_rate(&row.class);
        let of = (Kind::Network, row.class.as_str(), Unit::Gib);
        meter.charge(of, rate, (&row.namespace, row.virtual_namespace.as_ref()), row.egress)?;
    }
    for row in &hour.load_balancers {
        let of = (Kind::LoadBalancer, item::LOAD_BALANCER, Unit::Hours);
        let rate = context.edition.load_balancer;
        meter.charge(of, rate, (&row.namespace, row.virtual_namespace.as_ref()), row.hours)?;
    }
    Ok(())
}

struct Meter<'s, 'c, 'a> {
    context: &'s Context<'a>,
    cluster: &'a ClusterName,
    sheet: &'s mut Sheet<'c, 'a>,
}

impl<'a> Meter<'_, '_, 'a> {
    fn charge(
        &mut self,
        (kind, item, unit): (Kind, &'a str, Unit),
        rate: Option<MeteredRate>,
        (namespace, virtual_namespace): (&'a Namespace, Option<&'a VirtualNamespace>),
        quantity: Quantity,
    ) -> Result<(), RatingError> {
        let unit_price = rate.map(|rate| self.context.place.unit_price(rate)).transpose()?;
        let direct = Direct {
            cluster: self.cluster,
            namespace,
            virtual_namespace,
            kind,
            class: None,
            item,
            unit_price,
            quantity: (quantity, unit),
            amount: Money::ZERO,
        };
        let Some((rate, unit_price)) = rate.zip(unit_price) else { return self.sheet.unpriced(direct) };
        let amount = unit_price.times(quantity)?;
        add(&mut self.sheet.control.metered, amount)?;
        self.sheet.direct(Direct { amount, ..direct }, &How::Price { rate, price: unit_price })
    }
}

/// The fees of every service that is switched on, tenant by tenant and cluster by cluster.
pub(super) fn service_fees<'a>(context: &Context<'a>, sheet: &mut Sheet<'_, 'a>) -> Result<(), RatingError> {
    for ((cluster, tenant), state) in &context.owners.tenants {
        let account = context.account_of(cluster, tenant);
        for service in &state.services {
            let fee = context.edition.services.get(service);
            let amount = match fee {
                Some(fee) => Money::from_nanos(context.place.part(*fee)?)?,
                None => Money::ZERO,
            };
            add(&mut sheet.control.service_fees, amount)?;
            let (kind, item) = match fee {
                Some(_) => (Kind::ServiceFee, service.as_str().to_owned()),
                None => (Kind::Unpriced, unpriced_item(Kind::ServiceFee, service.as_str())),
            };
            let charge = Charge {
                key: context.line(account, Some(cluster), kind, item),
                namespace: None,
                quantity: Some((ONE, Unit::Hours)),
                amount,
            };
            sheet.push(account, charge, &fee.map_or(How::NoPrice, |fee| How::Fee(*fee)))?;
        }
    }
    Ok(())
}
