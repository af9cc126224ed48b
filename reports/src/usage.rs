//! Quantities by what they measure.

use defray_pricing::Overflow;
use defray_pricing::charge::Kind;
use defray_pricing::quantity::{Quantity, Unit};

/// The item of memory lines.
pub(crate) const MEMORY: &str = "memory";

/// Sums of quantities, priced or not.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) cpu: Quantity,
    pub(crate) memory: Quantity,
    pub(crate) gpu: Quantity,
    pub(crate) storage: Quantity,
    pub(crate) nodes: Quantity,
    pub(crate) network: Quantity,
    pub(crate) load_balancers: Quantity,
}

impl Usage {
    /// Adds what one line or charge measures.
    pub(crate) fn add(
        &mut self,
        kind: Kind,
        item: &str,
        quantity: Option<(Quantity, Unit)>,
    ) -> Result<(), Overflow> {
        let Some((quantity, unit)) = quantity else { return Ok(()) };
        if let Some(sum) = self.field(kind, item, unit) {
            *sum = sum.checked_add(quantity)?;
        }
        Ok(())
    }

    fn field(&mut self, kind: Kind, item: &str, unit: Unit) -> Option<&mut Quantity> {
        match (unit, kind) {
            (Unit::CoreHours, _) => Some(&mut self.cpu),
            (Unit::GpuHours, _) => Some(&mut self.gpu),
            (Unit::NodeHours, _) => Some(&mut self.nodes),
            (Unit::Gib, _) => Some(&mut self.network),
            (Unit::GibHours, Kind::Storage) => Some(&mut self.storage),
            (Unit::GibHours, Kind::Compute) => Some(&mut self.memory),
            // Usage without a price keeps its unit but not its kind; the item tells memory from a class.
            (Unit::GibHours, _) if item == MEMORY => Some(&mut self.memory),
            (Unit::GibHours, _) => Some(&mut self.storage),
            (Unit::Hours, Kind::LoadBalancer) => Some(&mut self.load_balancers),
            (Unit::Hours, _) => None,
        }
    }
}
