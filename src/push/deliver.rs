//! Sends what is due, oldest first, and remembers what came of it.

use std::sync::PoisonError;

use chrono::{DateTime, TimeDelta, Utc};
use defray_ledger::{DeliveryEntry, DisabledEndpoint, Outcome, Scope};

use super::webhook::{Answer, Webhook};
use super::{Pusher, retry};
use crate::telemetry::AttemptLabel;

/// How many are taken from the outbox at a time.
const BATCH: u32 = 20;
/// After so many failures in a row the destination is left alone until the next run: one that is down
/// must not be asked for every report in turn.
const FAILURES_IN_A_ROW: u32 = 3;

/// What sending to one destination came to.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) delivered: u64,
    pub(super) problem: Option<String>,
}

impl Pusher {
    /// Sends to one destination until nothing is due, it fails too often, or the daemon stops.
    pub(super) async fn deliver(&self, sink: &Webhook) -> anyhow::Result<Sent> {
        let mut sent = Sent::default();
        let everything = Scope::everything();
        let gone = self.ledger.disabled(&everything).await?;
        if let Some(gone) =
            gone.iter().find(|gone| gone.sink == sink.name() && gone.endpoint == sink.endpoint())
        {
            let (name, at, reason) = (sink.name(), gone.at.to_rfc3339(), &gone.reason);
            sent.problem = Some(format!(
                "{name}: {} said at {at} that it is gone ({reason}); give the destination its new address, or push by \
                 hand once it is back",
                gone.endpoint
            ));
            return Ok(sent);
        }
        let mut failures = 0_u32;
        loop {
            if let Some(until) = self.paused_until(sink.name()) {
                sent.problem =
                    Some(format!("{}: asked to be left alone until {}", sink.name(), until.to_rfc3339()));
                return Ok(sent);
            }
            let due = self.ledger.due(&everything, sink.name(), self.clock.now(), BATCH).await?;
            if due.is_empty() {
                return Ok(sent);
            }
            for entry in due {
                let answer = tokio::select! {
                    answer = sink.send(&entry.delivery, self.clock.now()) => answer,
                    // It stays due, with the same key and the same bytes.
                    () = self.stop.cancelled() => return Ok(sent),
                };
                let reason = self.settle(sink, &entry, answer).await?;
                match reason {
                    None => {
                        failures = 0;
                        sent.delivered = sent.delivered.saturating_add(1);
                    }
                    Some(Failed { reason, stop }) => {
                        failures = failures.saturating_add(1);
                        sent.problem.get_or_insert_with(|| format!("{}: {reason}", sink.name()));
                        if stop || failures >= FAILURES_IN_A_ROW {
                            return Ok(sent);
                        }
                    }
                }
            }
        }
    }

    /// Remembers an answer; says why it was none to be glad of.
    async fn settle(
        &self,
        sink: &Webhook,
        entry: &DeliveryEntry,
        answer: Answer,
    ) -> anyhow::Result<Option<Failed>> {
        let now = self.clock.now();
        let label = AttemptLabel { sink: sink.name().to_owned(), outcome: answer.name() };
        self.metrics.delivery_attempts.get_or_create(&label).inc();
        let (report, revision) = (entry.delivery.report_id.as_str(), entry.delivery.revision);
        let (outcome, failed) = match answer {
            Answer::Delivered { status } => (Outcome::Delivered { status, at: now }, None),
            Answer::Retry { reason, status, after, stop } => {
                let delay = retry::delay(sink.backoff(), entry.id, entry.attempts, after);
                let next_at = later(now, delay);
                if stop && after.is_some() {
                    self.pause(sink.name(), next_at);
                }
                tracing::debug!(
                    push.sink = sink.name(),
                    push.report = report,
                    push.revision = revision,
                    "{reason}"
                );
                let failed = Failed { reason: reason.clone(), stop };
                (Outcome::Retry { reason, status, next_at }, Some(failed))
            }
            Answer::Refused { reason, status } => {
                tracing::error!(
                    push.sink = sink.name(),
                    push.report = report,
                    push.revision = revision,
                    error = reason,
                    "the receiver refused a report for good; it is kept and waits for a person"
                );
                let failed = Failed {
                    reason: format!("{report} revision {revision} was refused: {reason}"),
                    stop: false,
                };
                (Outcome::Dead { reason, status: Some(status) }, Some(failed))
            }
            Answer::Gone { reason } => {
                let disabled = DisabledEndpoint {
                    sink: sink.name().to_owned(),
                    endpoint: sink.endpoint().to_owned(),
                    reason: reason.clone(),
                    at: now,
                };
                self.ledger.disable(&self.guard, &disabled).await?;
                tracing::error!(
                    push.sink = sink.name(),
                    error = reason,
                    "the receiver is gone; nothing more is sent there"
                );
                let failed = Failed { reason: reason.clone(), stop: true };
                // Due at once for whatever address comes next.
                (Outcome::Retry { reason, status: Some(410), next_at: now }, Some(failed))
            }
        };
        self.ledger.settle(&self.guard, entry.id, &outcome).await?;
        Ok(failed)
    }

    fn pause(&self, sink: &str, until: DateTime<Utc>) {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner).insert(sink.to_owned(), until);
    }

    fn paused_until(&self, sink: &str) -> Option<DateTime<Utc>> {
        let until = self.paused.lock().unwrap_or_else(PoisonError::into_inner).get(sink).copied();
        until.filter(|until| *until > self.clock.now())
    }
}

struct Failed {
    reason: String,
    /// Whether the destination is to be left alone for now.
    stop: bool,
}

fn later(now: DateTime<Utc>, delay: std::time::Duration) -> DateTime<Utc> {
    let delay = TimeDelta::from_std(delay).unwrap_or(TimeDelta::days(1));
    now.checked_add_signed(delay).unwrap_or(now)
}
