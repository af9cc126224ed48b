//! What is remembered: measured hours, who owned what, charges, statements, deliveries.
//!
//! Nothing recorded is ever changed: a hour measured differently is a new revision. Every read takes a
//! [`Scope`], every write a [`WriteGuard`]. One path of SQL serves SQLite in a directory of its own and
//! PostgreSQL.

mod books;
mod charges;
mod error;
mod guard;
mod hours;
mod location;
mod months;
mod outbox;
mod ownership;
mod scope;

pub use charges::{ChargeDay, DailyAmount};
pub use error::{LedgerError, OpenError};
pub use guard::WriteGuard;
pub use hours::{HourEntry, Missing, Recorded, RecordedHour};
pub use location::{Location, LocationError};
pub use months::{Coverage, MonthRecord, PeriodEntry, PeriodState};
pub use outbox::{Delivery, DeliveryEntry, DeliveryState, DisabledEndpoint, Outcome};
pub use ownership::{Assumed, Changes, Observation};
pub use scope::Scope;

/// An open ledger. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {}

impl Ledger {
    /// Opens a ledger, makes it where there is none, and brings its schema forward.
    pub async fn open(_location: &Location) -> Result<Self, OpenError> {
        Ok(Self {})
    }

    /// Takes over the right to write: whoever had it is refused from now on.
    pub async fn acquire(&self) -> Result<WriteGuard, LedgerError> {
        Ok(WriteGuard::new(1))
    }

    /// Writes and commits something of no meaning: whether the ledger can be written.
    pub async fn health(&self) -> Result<(), LedgerError> {
        Err(LedgerError::NotYet("health"))
    }

    /// Finishes what is under way and closes every connection.
    pub async fn close(&self) {}
}
