//! What statements say now, against what was last said to each destination.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use anyhow::Context;
use chrono::{DateTime, Utc};
use defray_ledger::{Delivery, LatestRevision, MonthRecord, PeriodEntry, Scope};
use defray_pricing::money::Money;
use defray_pricing::names::{CostCenter, TenantName};
use defray_pricing::statement::Statement;
use defray_reports::cost_report::{CostReport, report_id};
use defray_reports::{Month, Status};
use sha2::{Digest as _, Sha256};

use super::asked::Wishes;
use super::{Looks, Pusher, webhook};
use crate::month;

impl Pusher {
    /// Puts the next revision of every report that says something new into the outbox; says how many.
    pub(super) async fn enqueue(&self) -> anyhow::Result<u64> {
        let asked = self.asked.take();
        let done = self.enqueue_all(&asked).await;
        if done.is_err() {
            self.asked.give_back(asked);
        }
        done
    }

    async fn enqueue_all(&self, asked: &Wishes) -> anyhow::Result<u64> {
        let mut new = 0_u64;
        for entry in self.ledger.periods(&Scope::everything(), self.settings.zone).await? {
            let Some(inputs) = entry.inputs else { continue };
            let looks = Looks { inputs, version: entry.version, state: entry.state };
            let mut month: Option<(Month, MonthRecord)> = None;
            for sink in self.sinks.iter() {
                if self.stop.is_cancelled() {
                    return Ok(new);
                }
                let key = (sink.name().to_owned(), entry.period);
                if self.looked.lock().unwrap_or_else(PoisonError::into_inner).get(&key) == Some(&looks) {
                    continue;
                }
                if month.is_none() {
                    month = self.month(&entry).await?;
                }
                let Some((about, record)) = &month else { break };
                let wanted = asked.include(entry.period);
                let (count, settled) =
                    self.enqueue_month(sink, about, record, wanted).await.with_context(|| {
                        format!("preparing the reports of {} for {}", entry.period, sink.name())
                    })?;
                new = new.saturating_add(count);
                if settled {
                    self.looked.lock().unwrap_or_else(PoisonError::into_inner).insert(key, looks);
                }
            }
        }
        Ok(new)
    }

    async fn month(&self, entry: &PeriodEntry) -> anyhow::Result<Option<(Month, MonthRecord)>> {
        let Some(record) = self.ledger.month(&Scope::everything(), entry.period).await? else {
            return Ok(None);
        };
        let month = month::facts(entry, &record, self.settings.zone, self.settings.demo);
        Ok(Some((month, record)))
    }

    /// Says how many reports are new, and whether nothing of this month waits for later.
    async fn enqueue_month(
        &self,
        sink: &webhook::Webhook,
        month: &Month,
        record: &MonthRecord,
        asked: bool,
    ) -> anyhow::Result<(u64, bool)> {
        let source = &self.settings.source;
        // An id begins with these two parts, percent-encoded as every id is.
        let whole = report_id(source, month.period, &TenantName::from(""), &CostCenter::from(""));
        let prefix = whole.strip_suffix('/').unwrap_or(&whole);
        let latest = self.ledger.latest_revisions(&Scope::everything(), sink.name(), prefix).await?;
        let mut statements: Vec<Statement> = record.statements.statements.clone();
        let present: BTreeSet<String> = statements
            .iter()
            .map(|statement| report_id(source, month.period, &statement.tenant, &statement.cost_center))
            .collect();
        // A statement that is no more still stands at the receiver: it is told that nothing is left of it.
        statements.extend(
            latest.keys().filter(|id| !present.contains(*id)).filter_map(|id| nothing_left(id, prefix)),
        );
        let (now, mut settled, mut new) = (self.clock.now(), true, Vec::new());
        for statement in &statements {
            let report = CostReport::new(source, month, statement)?;
            let known = latest.get(report.id());
            if known.is_some_and(|known| known.content_digest == report.content()) {
                continue;
            }
            if !asked && !self.is_time(month.status, known, now) {
                settled = false;
                continue;
            }
            let revision = known.map_or(Some(1), |known| known.revision.checked_add(1));
            let revision = revision.context("a report has no more revisions")?;
            let body = report.body(revision, now)?;
            new.push(Delivery {
                sink: sink.name().to_owned(),
                report_id: report.id().to_owned(),
                revision,
                idempotency_key: idempotency_key(sink.name(), report.id(), revision, &body),
                body,
                content_digest: report.content(),
                enqueued_at: now,
            });
        }
        let count = if new.is_empty() { 0 } else { self.ledger.enqueue(&self.guard, new).await? };
        Ok((count, settled))
    }

    fn is_time(&self, status: Status, known: Option<&LatestRevision>, now: DateTime<Utc>) -> bool {
        let settings = &self.settings;
        match known {
            // The last moment, however long ago: one that nobody was there for is caught up with.
            Some(known) if status == Status::Open => {
                settings.daily_at.last(settings.zone, now).is_some_and(|moment| moment > known.enqueued_at)
            }
            _ => true,
        }
    }
}

/// The statement of an id, without lines.
fn nothing_left(id: &str, prefix: &str) -> Option<Statement> {
    let (tenant, cost_center) = id.strip_prefix(prefix)?.split_once('/')?;
    let name = |part: &str| part.replace("%2F", "/").replace("%25", "%");
    Some(Statement {
        cost_center: CostCenter::from(name(cost_center)),
        tenant: TenantName::from(name(tenant)),
        lines: Vec::new(),
        exact: Money::ZERO,
        amount: Money::ZERO,
        reporting: None,
    })
}

/// Made from what it stands for, so that no two bodies ever share one.
fn idempotency_key(sink: &str, report_id: &str, revision: u32, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    for field in [sink.as_bytes(), report_id.as_bytes(), &revision.to_be_bytes(), &Sha256::digest(body)] {
        hash.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(field);
    }
    let mut key = hex::encode(hash.finalize());
    key.truncate(32);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_changes_with_everything_it_stands_for() {
        let keys = [
            idempotency_key("a", "b/c", 1, b"x"),
            idempotency_key("ab", "/c", 1, b"x"),
            idempotency_key("a", "b/c", 2, b"x"),
            idempotency_key("a", "b/c", 1, b"y"),
        ];
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        assert!(keys.iter().all(|key| key.len() == 32));
        assert_eq!(keys[0], idempotency_key("a", "b/c", 1, b"x"));
    }

    #[test]
    fn an_id_says_whose_it_is() {
        let period = "2026-10".parse().unwrap();
        for (tenant, cost_center) in [("a", "b"), ("a/b", "c%d"), ("%2F", "/"), ("", "")] {
            let id = report_id("so/urce", period, &tenant.into(), &cost_center.into());
            let statement = nothing_left(&id, "so%2Furce/2026-10/").unwrap();
            assert_eq!((statement.tenant.as_str(), statement.cost_center.as_str()), (tenant, cost_center));
        }
    }
}
