//! What is to be delivered, and what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use defray_pricing::digest::Digest;

use crate::backend::{Fields, args};
use crate::instant::{instant, micros};
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

impl FromStr for DeliveryState {
    type Err = UnknownDeliveryState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| UnknownDeliveryState(text.to_owned()))
    }
}

/// The text names no state of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown state of a delivery `{0}`")]
pub struct UnknownDeliveryState(pub String);

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

/// The columns of an entry, in the order [`entry`] reads them.
macro_rules! columns {
    () => {
        "o.id, o.sink, o.report_id, o.revision, o.idempotency_key, o.body, o.content_digest, o.enqueued_at, \
         o.state, o.attempts, o.next_at, o.last_status, o.last_reason, o.delivered_at"
    };
}

/// The highest revision of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatestRevision {
    /// Its number.
    pub revision: u32,
    /// Of what it says.
    pub content_digest: Digest,
    /// When it was made.
    pub enqueued_at: DateTime<Utc>,
}

/// How many deliveries to one destination are in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryCount {
    /// The destination's name in the configuration.
    pub sink: String,
    /// The state.
    pub state: DeliveryState,
    /// How many.
    pub count: u64,
    /// When the oldest of them was made.
    pub oldest: DateTime<Utc>,
}

impl Ledger {
    /// Puts deliveries into the outbox, all in one transaction. What is there already stays; says how
    /// many were new.
    pub async fn enqueue(&self, guard: &WriteGuard, deliveries: Vec<Delivery>) -> Result<u64, LedgerError> {
        let mut tx = self.write(guard).await?;
        let mut new = 0_u64;
        for delivery in deliveries {
            let known = tx
                .fetch_one(
                    "SELECT idempotency_key, body FROM outbox WHERE idempotency_key = $1 \
                     OR (sink = $2 AND report_id = $3 AND revision = $4)",
                    args![
                        delivery.idempotency_key.as_str(),
                        delivery.sink.as_str(),
                        delivery.report_id.as_str(),
                        delivery.revision
                    ],
                )
                .await?;
            if let Some(mut row) = known {
                if row.text()? == delivery.idempotency_key && row.bytes()? == delivery.body {
                    continue;
                }
                let Delivery { sink, report_id, revision, .. } = delivery;
                return Err(LedgerError::KeyReused { sink, report_id, revision });
            }
            tx.execute(
                "INSERT INTO outbox (sink, report_id, revision, idempotency_key, body, content_digest, enqueued_at, \
                 state, attempts, next_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', 0, $7)",
                args![
                    delivery.sink,
                    delivery.report_id,
                    delivery.revision,
                    delivery.idempotency_key,
                    delivery.body,
                    delivery.content_digest,
                    micros(delivery.enqueued_at)
                ],
            )
            .await?;
            new = new.saturating_add(1);
        }
        tx.commit().await?;
        Ok(new)
    }

    /// The highest revision of a report for a destination.
    pub async fn latest(
        &self,
        scope: &Scope,
        sink: &str,
        report_id: &str,
    ) -> Result<Option<DeliveryEntry>, LedgerError> {
        scope.whole("the outbox")?;
        let row = self
            .read()
            .await?
            .fetch_one(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM outbox o WHERE o.sink = $1 AND o.report_id = $2 ORDER BY o.revision DESC LIMIT 1"
                ),
                args![sink, report_id],
            )
            .await?;
        row.map(entry).transpose()
    }

    /// What is to be sent now, oldest first: of each report the lowest revision that is still pending, so
    /// that revisions arrive in order and one report never holds up another.
    pub async fn due(
        &self,
        scope: &Scope,
        sink: &str,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<DeliveryEntry>, LedgerError> {
        scope.whole("the outbox")?;
        let rows = self
            .read()
            .await?
            .fetch(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM outbox o WHERE o.sink = $1 AND o.state = 'pending' AND o.next_at <= $2 AND NOT EXISTS \
                     (SELECT 1 FROM outbox p WHERE p.sink = o.sink AND p.report_id = o.report_id \
                     AND p.state = 'pending' AND p.revision < o.revision) ORDER BY o.id LIMIT $3"
                ),
                args![sink, micros(now), limit],
            )
            .await?;
        rows.into_iter().map(entry).collect()
    }

    /// Remembers what came of a try.
    pub async fn settle(&self, guard: &WriteGuard, id: i64, outcome: &Outcome) -> Result<(), LedgerError> {
        let none: Option<i64> = None;
        let (state, next_at, status, reason, delivered_at) = match outcome {
            Outcome::Delivered { status, at } => ("delivered", none, Some(*status), None, Some(micros(*at))),
            Outcome::Retry { reason, status, next_at } => {
                ("pending", Some(micros(*next_at)), *status, Some(reason.as_str()), none)
            }
            Outcome::Dead { reason, status } => ("dead", none, *status, Some(reason.as_str()), none),
        };
        let mut tx = self.write(guard).await?;
        let touched = tx
            .execute(
                "UPDATE outbox SET state = $2, attempts = attempts + 1, next_at = COALESCE($3, next_at), \
                 last_status = $4, last_reason = $5, delivered_at = $6 WHERE id = $1 AND state = 'pending'",
                args![id, state, next_at, status.map(i64::from), reason, delivered_at],
            )
            .await?;
        if touched == 0 {
            return Err(LedgerError::Unknown(format!("pending delivery {id}")));
        }
        tx.commit().await
    }

    /// Tries a destination again, for a human who mended the cause: its dead deliveries, with the same keys
    /// and the same bytes, and its address even if it said that it is gone. Says how many deliveries.
    pub async fn revive(
        &self,
        guard: &WriteGuard,
        sink: &str,
        next_at: DateTime<Utc>,
    ) -> Result<u64, LedgerError> {
        let mut tx = self.write(guard).await?;
        tx.execute("DELETE FROM disabled_endpoints WHERE sink = $1", args![sink]).await?;
        let revived = tx
            .execute(
                "UPDATE outbox SET state = 'pending', next_at = $2 WHERE sink = $1 AND state = 'dead' \
                 AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.sink = outbox.sink \
                 AND p.report_id = outbox.report_id AND p.revision > outbox.revision AND p.state = 'delivered')",
                args![sink, micros(next_at)],
            )
            .await?;
        tx.commit().await?;
        Ok(revived)
    }

    /// The newest deliveries first, of one state or of all.
    pub async fn deliveries(
        &self,
        scope: &Scope,
        state: Option<DeliveryState>,
        limit: u32,
    ) -> Result<Vec<DeliveryEntry>, LedgerError> {
        scope.whole("the outbox")?;
        let rows = self
            .read()
            .await?
            .fetch(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM outbox o WHERE $1 = '' OR o.state = $1 ORDER BY o.id DESC LIMIT $2"
                ),
                args![state.map_or("", DeliveryState::as_str), limit],
            )
            .await?;
        rows.into_iter().map(entry).collect()
    }

    /// The highest revision of every report for a destination whose id begins so.
    pub async fn latest_revisions(
        &self,
        scope: &Scope,
        sink: &str,
        prefix: &str,
    ) -> Result<BTreeMap<String, LatestRevision>, LedgerError> {
        scope.whole("the outbox")?;
        let rows = self
            .read()
            .await?
            .fetch(
                "SELECT o.report_id, o.revision, o.content_digest, o.enqueued_at FROM outbox o \
                 WHERE o.sink = $1 AND substr(o.report_id, 1, length($2)) = $2 AND o.revision = \
                 (SELECT MAX(p.revision) FROM outbox p WHERE p.sink = o.sink AND p.report_id = o.report_id)",
                args![sink, prefix],
            )
            .await?;
        rows.into_iter()
            .map(|mut row| {
                let report_id = row.text()?;
                let (revision, content_digest) = (row.number("revision")?, row.digest()?);
                let enqueued_at = instant(row.int()?)?;
                Ok((report_id, LatestRevision { revision, content_digest, enqueued_at }))
            })
            .collect()
    }

    /// How many deliveries there are, by destination and state.
    pub async fn delivery_counts(&self, scope: &Scope) -> Result<Vec<DeliveryCount>, LedgerError> {
        scope.whole("the outbox")?;
        let rows = self
            .read()
            .await?
            .fetch(
                "SELECT sink, state, COUNT(*), MIN(enqueued_at) FROM outbox GROUP BY sink, state ORDER BY sink, state",
                args![],
            )
            .await?;
        rows.into_iter()
            .map(|mut row| {
                Ok(DeliveryCount {
                    sink: row.text()?,
                    state: row.parse("a state")?,
                    count: row.number("deliveries")?,
                    oldest: instant(row.int()?)?,
                })
            })
            .collect()
    }

    /// Remembers that a receiver said it is gone.
    pub async fn disable(&self, guard: &WriteGuard, disabled: &DisabledEndpoint) -> Result<(), LedgerError> {
        let mut tx = self.write(guard).await?;
        tx.execute(
            "INSERT INTO disabled_endpoints (sink, endpoint, reason, at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (sink, endpoint) DO NOTHING",
            args![
                disabled.sink.as_str(),
                disabled.endpoint.as_str(),
                disabled.reason.as_str(),
                micros(disabled.at)
            ],
        )
        .await?;
        tx.commit().await
    }

    /// The receivers that said they are gone.
    pub async fn disabled(&self, scope: &Scope) -> Result<Vec<DisabledEndpoint>, LedgerError> {
        scope.whole("the outbox")?;
        let rows = self
            .read()
            .await?
            .fetch(
                "SELECT sink, endpoint, reason, at FROM disabled_endpoints ORDER BY sink, endpoint",
                args![],
            )
            .await?;
        rows.into_iter()
            .map(|mut row| {
                Ok(DisabledEndpoint {
                    sink: row.text()?,
                    endpoint: row.text()?,
                    reason: row.text()?,
                    at: instant(row.int()?)?,
                })
            })
            .collect()
    }
}

fn entry(mut row: Fields) -> Result<DeliveryEntry, LedgerError> {
    let id = row.int()?;
    let delivery = Delivery {
        sink: row.text()?,
        report_id: row.text()?,
        revision: row.number("revision")?,
        idempotency_key: row.text()?,
        body: row.bytes()?,
        content_digest: row.digest()?,
        enqueued_at: instant(row.int()?)?,
    };
    let state = row.parse("a state")?;
    let attempts = row.number("attempts")?;
    let next_at = instant(row.int()?)?;
    let status = row.int_or()?.map(|status| {
        u16::try_from(status).map_err(|_| LedgerError::Corrupt(format!("the status {status} of a delivery")))
    });
    Ok(DeliveryEntry {
        id,
        delivery,
        state,
        attempts,
        next_at,
        last_status: status.transpose()?,
        last_reason: row.text_or()?,
        delivered_at: row.int_or()?.map(instant).transpose()?,
    })
}
