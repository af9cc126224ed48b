//! Closing a month.

use defray_ledger::{Closed, ClosedMonth, Closing, LedgerError, PeriodState};
use defray_pricing::ENGINE_VERSION;
use defray_pricing::time::Period;

use super::{Closer, Look, NotClosed, Order, reason};
use crate::month;
use crate::rerate::pins;

impl Closer {
    /// Closes a period, if nothing is in the way that the order does not override.
    pub async fn close(&self, period: Period, order: Order) -> Result<ClosedMonth, NotClosed> {
        let _turn = self.turn.lock().await;
        let guard = self.guard.as_ref().ok_or(NotClosed::OnlyLooking)?;
        let forced = order.forced.as_deref().map(reason).transpose()?;
        let Look { month, obstacles } = self.look(period).await?;
        let stops = |obstacle: &super::Obstacle| forced.is_none() || !obstacle.can_be_forced();
        let is_forced = !obstacles.is_empty();
        let Some(month) = month.filter(|_| !obstacles.iter().any(stops)) else {
            return Err(NotClosed::InTheWay { period, obstacles });
        };
        let zone = self.rerate.zone;
        let facts = month::of_version(period, PeriodState::Closed, 1, &month.record, zone, self.demo);
        let ownership = month.view.frozen(zone.hours(period));
        let (hours, inputs) = (pins(&month.entries), month.record.inputs);
        let (files, _) = self.rendered(facts, month.record).await?;
        let closing = Closing {
            at: self.rerate.clock.now(),
            by: order.by,
            how: order.how,
            // A reason is kept where it was needed, and nowhere else.
            forced: forced.filter(|_| is_forced),
            zone,
            engine_version: ENGINE_VERSION,
            hours,
            ownership,
            files,
        };
        let closed = match self.rerate.ledger.close_month(guard, period, inputs, closing).await {
            Ok(Closed::Now(closed)) => closed,
            Ok(Closed::Already(_)) | Err(LedgerError::Closed(_)) => return Err(NotClosed::Already(period)),
            Err(error) => return Err(error.into()),
        };
        self.again.settled(period);
        tracing::info!(
            period = %period,
            close.version = closed.version,
            close.by = closed.by,
            close.how = %closed.how,
            close.forced = closed.forced.is_some(),
            close.digest = %closed.digest,
            "a month is closed"
        );
        Ok(closed)
    }
}
