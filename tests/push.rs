//! Deliveries to a receiver over HTTP.

mod contract;
mod daemon;
mod receiver;
mod settings;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use defray::clock::Clock;
use defray::push::webhook::{self, Backoff};
use defray::push::{Pusher, Settings};
use defray::telemetry::Telemetry;
use defray_ledger::{Coverage, DeliveryState, Ledger, Location, MonthRecord, Scope, WriteGuard};
use defray_pricing::charge::{Kind, LineKey};
use defray_pricing::digest::Digest;
use defray_pricing::money::Money;
use defray_pricing::quantity::{Quantity, Unit};
use defray_pricing::statement::{Line, PeriodStatements, Statement};
use defray_pricing::time::BillingZone;
use tokio_util::sync::CancellationToken;

use receiver::Receiver;

/// A ledger with statements, and a clock.
struct Office {
    directory: tempfile::TempDir,
    clock: Clock,
    telemetry: Telemetry,
    ledger: Ledger,
    guard: WriteGuard,
}

impl Office {
    async fn open() -> Self {
        let directory = tempfile::TempDir::new().unwrap();
        let start: DateTime<Utc> = "2026-10-20T12:00:00Z".parse().unwrap();
        let ledger = Ledger::open(&Location::directory(directory.path())).await.unwrap();
        let guard = ledger.acquire().await.unwrap();
        Self { directory, clock: Clock::fixed(start), telemetry: Telemetry::new(), ledger, guard }
    }

    /// As after a restart.
    async fn reopen(self) -> Self {
        let Self { directory, clock, telemetry, ledger, guard: _ } = self;
        ledger.close().await;
        drop(ledger);
        let ledger = Ledger::open(&Location::directory(directory.path())).await.unwrap();
        let guard = ledger.acquire().await.unwrap();
        Self { directory, clock, telemetry, ledger, guard }
    }

    /// Statements of these tenants over so many cents each.
    async fn bill(&self, period: &str, cents: &[(&str, i128)]) {
        self.ledger.put_month(&self.guard, month(period, cents)).await.unwrap();
    }

    fn pusher(&self, sink: &webhook::Settings) -> Pusher {
        let settings = Settings {
            source: "prod-1".to_owned(),
            zone: BillingZone::UTC,
            daily_at: "13:00".parse().unwrap(),
            demo: false,
            sinks: vec![sink.clone()],
        };
        let (ledger, guard) = (self.ledger.clone(), self.guard.clone());
        let metrics = self.telemetry.metrics.clone();
        Pusher::new(settings, ledger, guard, self.clock.clone(), metrics, CancellationToken::new()).unwrap()
    }

    async fn count(&self, state: DeliveryState) -> usize {
        self.ledger.deliveries(&Scope::everything(), Some(state), 1000).await.unwrap().len()
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// A sink that gives up a try soon.
fn sink(receiver: &Receiver) -> webhook::Settings {
    webhook::Settings {
        timeout: Duration::from_millis(400),
        backoff: Backoff { first: Duration::from_secs(10), longest: Duration::from_mins(1) },
        ..webhook::Settings::new("finops", receiver.url())
    }
}

fn month(period: &str, cents: &[(&str, i128)]) -> MonthRecord {
    let statements: Vec<Statement> = cents
        .iter()
        .map(|(tenant, cents)| {
            let amount = Money::from_minor(*cents, 2).unwrap();
            let key = LineKey {
                cost_center: "CC1234".into(),
                tenant: (*tenant).into(),
                cluster: Some("prod-1".into()),
                virtual_namespace: None,
                kind: Kind::Compute,
                class: None,
                item: "cpu".to_owned(),
                unit_price: None,
            };
            let quantity = Some((Quantity::from_micros(24_000_000_000), Unit::CoreHours));
            let (exact, rounding) = (amount, Money::ZERO);
            let line = Line { key, quantity, unit_price: None, exact, rounding, amount, reporting: None };
            Statement {
                cost_center: "CC1234".into(),
                tenant: (*tenant).into(),
                lines: vec![line],
                exact: amount,
                amount,
                reporting: None,
            }
        })
        .collect();
    let amount = Money::sum(statements.iter().map(|statement| statement.amount)).unwrap();
    MonthRecord {
        statements: PeriodStatements {
            period: period.parse().unwrap(),
            currency: "EUR".parse().unwrap(),
            statements,
            amount,
            month_level: Vec::new(),
        },
        inputs: Digest::of(format!("{cents:?}").as_bytes()),
        coverage: BTreeMap::from([("prod-1".into(), Coverage { minutes: 600, of: 600 })]),
        hours_missing: 0,
        hours_lost: 0,
        book_digest: Digest::of(b"book"),
        book_versions: vec!["2026-10.1".to_owned()],
        control: None,
    }
}
