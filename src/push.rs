//! Deliveries of reports to a FinOps system.
//!
//! Two steps, both of which can be repeated at any time: what statements say now is compared with the
//! newest revision in the ledger's outbox, and a difference becomes the next revision; what waits in the
//! outbox is sent. A revision has one idempotency key and one body from the moment it is made, so that a
//! receiver that keeps to either applies it once, however often it arrives.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use defray_ledger::{DeliveryState, Ledger, Scope, WriteGuard};
use defray_pricing::digest::Digest;
use defray_pricing::time::{BillingZone, Period};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::telemetry::{DeliveryLabel, Metrics, SinkLabel};

mod address;
mod asked;
mod deliver;
mod enqueue;
mod retry;
mod schedule;
mod signing;
pub mod webhook;

pub use schedule::{DailyAt, NotATime};
pub use signing::{SecretError, SigningSecret};

/// What is pushed where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What reports say they come from: the cluster, or the ledger where there are several.
    pub source: String,
    /// The zone billing periods begin in.
    pub zone: BillingZone,
    /// When a report of an open period is said anew: amounts move every hour, and a receiver need not hear
    /// of each. The first revision, and everything about a closed period, goes at once.
    pub daily_at: DailyAt,
    /// Whether the numbers are made up for a demonstration.
    pub demo: bool,
    /// The destinations.
    pub sinks: Vec<webhook::Settings>,
}

/// What was last looked at for a destination and period: while it stays the same there is nothing to do.
type Looked = BTreeMap<(String, Period), Looks>;

/// All that a report can change with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Looks {
    inputs: Digest,
    version: u32,
    state: defray_ledger::PeriodState,
}

/// Pushes.
#[derive(Debug, Clone)]
pub struct Pusher {
    ledger: Ledger,
    guard: WriteGuard,
    clock: Clock,
    metrics: Metrics,
    stop: CancellationToken,
    settings: Arc<Settings>,
    sinks: Arc<Vec<webhook::Webhook>>,
    /// Saves work only: a restart looks at everything once more.
    looked: Arc<Mutex<Looked>>,
    /// What is pushed by the next run even if its time has not come.
    asked: asked::Asked,
    /// Destinations that asked for a pause.
    paused: Arc<Mutex<BTreeMap<String, DateTime<Utc>>>>,
}

impl Pusher {
    /// Checks the settings and makes a client for each destination; all that is wrong at once.
    pub fn new(
        settings: Settings,
        ledger: Ledger,
        guard: WriteGuard,
        clock: Clock,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> Result<Self, Vec<webhook::SettingsError>> {
        let (mut sinks, mut problems) = (Vec::new(), Vec::new());
        for (n, sink) in settings.sinks.iter().enumerate() {
            let twice = settings.sinks.iter().take(n).any(|earlier| earlier.name == sink.name);
            if twice {
                problems.push(webhook::SettingsError::Twice(sink.name.clone()));
            }
            match webhook::Webhook::new(sink) {
                Ok(sink) => sinks.push(sink),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            ledger,
            guard,
            clock,
            metrics,
            stop,
            settings: Arc::new(settings),
            sinks: Arc::new(sinks),
            looked: Arc::default(),
            asked: asked::Asked::default(),
            paused: Arc::default(),
        })
    }

    /// Makes the next run push whatever changed in a period, or in all, whatever the schedule says.
    pub fn ask(&self, period: Option<Period>) {
        self.asked.add(period);
    }

    /// Brings every destination up to date, as far as it lets us; says what was done. An error is what a
    /// destination said, and the next run is the retry.
    pub async fn run(&self) -> anyhow::Result<String> {
        if self.asked.is_waiting() {
            self.revive().await?;
        }
        let new = self.enqueue().await?;
        let (mut delivered, mut problems) = (0_u64, Vec::new());
        for sink in self.sinks.iter() {
            let done = self.deliver(sink).await?;
            delivered = delivered.saturating_add(done.delivered);
            problems.extend(done.problem);
        }
        let waiting = self.count().await?;
        if !problems.is_empty() {
            anyhow::bail!("{} ({waiting} reports wait)", problems.join("; "));
        }
        if new > 0 || delivered > 0 {
            tracing::info!(reports.new = new, reports.delivered = delivered, "pushed");
        }
        Ok(format!("{new} reports new or revised, {delivered} delivered, {waiting} waiting"))
    }

    /// Tries again what a receiver refused, and one that said it is gone: whoever asks by hand has mended the
    /// cause, or wants to know.
    async fn revive(&self) -> anyhow::Result<()> {
        let now = self.clock.now();
        for sink in self.sinks.iter() {
            self.ledger.revive(&self.guard, sink.name(), now).await?;
        }
        Ok(())
    }

    /// Shows how the outbox stands; says how many reports wait.
    pub async fn count(&self) -> anyhow::Result<u64> {
        let mut waiting = 0_u64;
        let counts = self.ledger.delivery_counts(&Scope::everything()).await?;
        for sink in self.sinks.iter().map(webhook::Webhook::name) {
            for state in DeliveryState::ALL {
                let found = counts.iter().find(|count| count.sink == sink && count.state == state);
                let count = found.map_or(0, |found| found.count);
                let label = DeliveryLabel { sink: sink.to_owned(), state: state.as_str() };
                self.metrics.deliveries.get_or_create(&label).set(i64::try_from(count)?);
                if state == DeliveryState::Pending {
                    let oldest = found.map_or(0, |found| found.oldest.timestamp());
                    let label = SinkLabel { sink: sink.to_owned() };
                    self.metrics.oldest_pending_delivery.get_or_create(&label).set(oldest);
                    waiting = waiting.saturating_add(count);
                }
            }
        }
        Ok(waiting)
    }
}
