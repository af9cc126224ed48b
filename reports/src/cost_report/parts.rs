//! Which part of the costs a line belongs to.

use defray_pricing::Overflow;
use defray_pricing::charge::Kind;
use defray_pricing::money::Money;
use defray_pricing::statement::Line;

use crate::usage::MEMORY;

/// Sums of rounded lines, each line in exactly one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) compute: Money,
    pub(super) memory: Money,
    pub(super) node_pool: Money,
    pub(super) storage: Money,
    pub(super) network: Money,
    pub(super) load_balancers: Money,
    pub(super) services: Money,
    pub(super) shared: Money,
    pub(super) idle: Money,
    pub(super) terms: Money,
    pub(super) credits: Money,
    pub(super) adjustments: Money,
}

impl Parts {
    pub(super) fn of(lines: &[Line]) -> Result<Self, Overflow> {
        let mut parts = Self::default();
        for line in lines {
            if let Some(part) = parts.part(line) {
                *part = part.checked_add(line.amount)?;
            }
        }
        Ok(parts)
    }

    fn part(&mut self, line: &Line) -> Option<&mut Money> {
        Some(match line.key.kind {
            Kind::Compute if line.key.item == MEMORY => &mut self.memory,
            Kind::Compute => &mut self.compute,
            Kind::DedicatedPool => &mut self.node_pool,
            Kind::Storage => &mut self.storage,
            Kind::Network => &mut self.network,
            Kind::LoadBalancer => &mut self.load_balancers,
            Kind::ServiceFee => &mut self.services,
            Kind::SharedCost => &mut self.shared,
            Kind::Idle => &mut self.idle,
            Kind::Term => &mut self.terms,
            Kind::Adjustment if line.amount < Money::ZERO => &mut self.credits,
            Kind::Adjustment | Kind::Rounding => &mut self.adjustments,
            Kind::Unpriced => return None,
        })
    }

    pub(super) fn total(&self) -> Result<Money, Overflow> {
        Money::sum([
            self.compute,
            self.memory,
            self.node_pool,
            self.storage,
            self.network,
            self.load_balancers,
            self.services,
            self.shared,
            self.idle,
            self.terms,
            self.credits,
            self.adjustments,
        ])
    }
}
