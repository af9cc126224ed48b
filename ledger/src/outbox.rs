//! What is to be delivered, and what came of it.

use std::fmt;

use chrono::{DateTime, Utc};
use defray_pricing::digest::Digest;

use crate::{Ledger, LedgerError, Scope, WriteGuard};

/// One revision of one report for one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The destination's name in the configuration.
    pub sink: String,
    /// The report.
    pub report_id: String,
    /// Its revision, from 1.
    pub revision: u32,
    /// The same with every try, and never with other bytes.
    pub idempotency_key: String,
    /// The exact bytes to send.
    pub body: Vec<u8>,
    /// Of what the report says, apart from when it was made.
    pub content_digest: Digest,
    /// When it was made.
    pub enqueued_at: DateTime<Utc>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryState {
    /// To be tried, for the first time or again.
    Pending,
    /// The receiver has it.
    Delivered,
    /// The receiver refused it for good; kept for a human to look at.
    Dead,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// The name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A delivery and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryEntry {
    /// Its number.
    pub id: i64,
    /// What is delivered.
    pub delivery: Delivery,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When to try next.
    pub next_at: DateTime<Utc>,
    /// The receiver's last answer.
    pub last_status: Option<u16>,
    /// Why the last try failed.
    pub last_reason: Option<String>,
    /// When the receiver took it.
    pub delivered_at: Option<DateTime<Utc>>,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered {
        /// Its answer.
        status: u16,
        /// When.
        at: DateTime<Utc>,
    },
    /// To be tried again.
    Retry {
        /// Why.
        reason: String,
        /// The receiver's answer, if there was one.
        status: Option<u16>,
        /// When to try next.
        next_at: DateTime<Utc>,
    },
    /// Refused for good.
    Dead {
        /// Why.
        reason: String,
        /// The receiver's answer, if there was one.
        status: Option<u16>,
    },
}

/// A receiver that said it is gone: nothing is sent there until the sink names another endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisabledEndpoint {
    /// The destination's name in the configuration.
    pub sink: String,
    /// Its address, without credentials.
    pub endpoint: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: DateTime<Utc>,
}

impl Ledger {
    /// Puts deliveries into the outbox, all in one transaction. What is there already stays; says how
    /// many were new.
    pub async fn enqueue(&self, _guard: &WriteGuard, _deliveries: Vec<Delivery>) -> Result<u64, LedgerError> {
        Err(LedgerError::NotYet("enqueue"))
    }

    /// The highest revision of a report for a destination.
    pub async fn latest(
        &self,
        _scope: &Scope,
        _sink: &str,
        _report_id: &str,
    ) -> Result<Option<DeliveryEntry>, LedgerError> {
        Err(LedgerError::NotYet("latest"))
    }

    /// What is to be sent now, oldest first: of each report the lowest revision that is still pending.
    pub async fn due(
        &self,
        _scope: &Scope,
        _sink: &str,
        _now: DateTime<Utc>,
        _limit: u32,
    ) -> Result<Vec<DeliveryEntry>, LedgerError> {
        Err(LedgerError::NotYet("due"))
    }

    /// Remembers what came of a try.
    pub async fn settle(&self, _guard: &WriteGuard, _id: i64, _outcome: &Outcome) -> Result<(), LedgerError> {
        Err(LedgerError::NotYet("settle"))
    }

    /// The newest deliveries first, of one state or of all.
    pub async fn deliveries(
        &self,
        _scope: &Scope,
        _state: Option<DeliveryState>,
        _limit: u32,
    ) -> Result<Vec<DeliveryEntry>, LedgerError> {
        Err(LedgerError::NotYet("deliveries"))
    }

    /// Remembers that a receiver said it is gone.
    pub async fn disable(
        &self,
        _guard: &WriteGuard,
        _disabled: &DisabledEndpoint,
    ) -> Result<(), LedgerError> {
        Err(LedgerError::NotYet("disable"))
    }

    /// The receivers that said they are gone.
    pub async fn disabled(&self, _scope: &Scope) -> Result<Vec<DisabledEndpoint>, LedgerError> {
        Err(LedgerError::NotYet("disabled"))
    }
}
