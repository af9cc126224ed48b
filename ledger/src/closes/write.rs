//! Closing a month and restating one: each in one transaction, against the month that was looked at.

use defray_pricing::digest::Digest;
use defray_pricing::restatement::deltas;
use defray_pricing::time::Period;

use super::freeze::{Packed, Restated, freeze};
use super::{Closed, ClosedMonth, Closing, Restating, read};
use crate::charges::Prepared;
use crate::{Ledger, LedgerError, PeriodState, Scope, WriteGuard, charges, months};

impl Ledger {
    /// Closes an open month that is stored under `inputs`. One that was closed from the same is closed already, and
    /// nothing is written; one that is stored from something else by now is refused.
    pub async fn close_month(
        &self,
        guard: &WriteGuard,
        period: Period,
        inputs: Digest,
        closing: Closing,
    ) -> Result<Closed, LedgerError> {
        let ownership = Packed::new(period, &closing.ownership)?;
        let name = period.to_string();
        let mut tx = self.write(guard).await?;
        let Some((version, state, stored)) = months::current(&mut tx, period).await? else {
            return Err(LedgerError::Unknown(format!("statements of {period}")));
        };
        match state {
            PeriodState::Open if stored == inputs => {}
            PeriodState::Open => return Err(LedgerError::MovedOn(period)),
            PeriodState::Closed if stored == inputs => {
                let closed = read::one(&mut tx, &name, version).await?;
                return closed.map(Closed::Already).ok_or_else(|| without_close(period, version));
            }
            PeriodState::Closed | PeriodState::Restated => return Err(LedgerError::Closed(period)),
        }
        let month = months::load(&mut tx, &Scope::everything(), period, version).await?;
        let month = month.ok_or_else(|| LedgerError::Unknown(format!("version {version} of {period}")))?;
        let closed = freeze(&mut tx, version, &month, closing, ownership, Restated::default()).await?;
        tx.commit().await?;
        Ok(Closed::Now(closed))
    }

    /// Writes the next version of a month whose newest version is `base`, with the lines that differ. The same again
    /// is restated already, and nothing is written.
    pub async fn restate_month(
        &self,
        guard: &WriteGuard,
        base: &ClosedMonth,
        restating: Restating,
    ) -> Result<Closed, LedgerError> {
        let Restating { reason, month, days, closing } = restating;
        let (period, name) = (base.period, base.period.to_string());
        if month.statements.period != period || days.iter().any(|day| day.period != period) {
            return Err(LedgerError::Encode(format!("a restatement of {period} holds another period")));
        }
        let ownership = Packed::new(period, &closing.ownership)?;
        let days: Vec<Prepared> = days.into_iter().map(Prepared::new).collect::<Result<_, _>>()?;
        let next = base.version.checked_add(1).ok_or(defray_pricing::Overflow("version"))?;
        let mut tx = self.write(guard).await?;
        match months::current(&mut tx, period).await? {
            Some((version, _, _)) if version == base.version => {}
            Some((version, _, inputs)) if version == next && inputs == month.inputs => {
                let restated = read::one(&mut tx, &name, version).await?;
                let restated = restated.ok_or_else(|| without_close(period, version))?;
                if restated.reason.as_deref() == Some(reason.as_str()) {
                    return Ok(Closed::Already(restated));
                }
                return Err(LedgerError::AnotherVersion { period, planned: base.version, version });
            }
            Some((version, _, _)) => {
                return Err(LedgerError::AnotherVersion { period, planned: base.version, version });
            }
            None => return Err(LedgerError::Unknown(format!("statements of {period}"))),
        }
        let before = months::load(&mut tx, &Scope::everything(), period, base.version).await?;
        let before = before.ok_or_else(|| without_close(period, base.version))?;
        if before.statements.currency != month.statements.currency {
            return Err(LedgerError::Encode(format!("{period} was closed in another currency")));
        }
        if before.statements.statements == month.statements.statements {
            return Err(LedgerError::NothingToRestate(period));
        }
        let deltas = deltas(&before.statements, &month.statements)?;
        months::put_version(&mut tx, next, &month).await?;
        for day in days {
            charges::replace(&mut tx, day).await?;
        }
        let restated = Restated { reason: Some(reason), deltas };
        let closed = freeze(&mut tx, next, &month, closing, ownership, restated).await?;
        tx.commit().await?;
        Ok(Closed::Now(closed))
    }
}

fn without_close(period: Period, version: u32) -> LedgerError {
    LedgerError::Corrupt(format!("version {version} of {period} is closed, but not by whom and from what"))
}
