//! A server on a free port over a ledger with two months, and a client that looks closely.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::NaiveDate;
use defray::clock::Clock;
use defray::closing::{Again, Closer};
use defray::http::{NotReady, PushNow, Sources, State, router, router_for, serve};
use defray::rerate::Rerate;
use defray::supervise::{OnError, Supervisor};
use defray::telemetry::Telemetry;
use defray_ledger::{ChargeDay, Coverage, Ledger, Location, MonthRecord, Scope, WriteGuard};
use defray_pricing::book::{PriceBook, Source};
use defray_pricing::charge::{Charge, Kind, LineKey};
use defray_pricing::digest::Digest;
use defray_pricing::money::Money;
use defray_pricing::names::PriceClass;
use defray_pricing::quantity::{Quantity, Unit};
use defray_pricing::rating::{Control, PoolControl};
use defray_pricing::statement::{Converted, Line, PeriodStatements, Reporting, Statement};
use defray_pricing::time::{BillingZone, Period};
use defray_reports::Definitions;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::rated;

/// A tenant whose name a spreadsheet would run.
pub(crate) const FORMULA: &str = "=cmd|'/C calc'!A0";
/// A tenant whose name has everything a path must not have.
pub(crate) const AWKWARD: &str = "team/ü b?#";

/// A running server. Dropping it stops it.
pub(crate) struct Server {
    pub(crate) address: String,
    /// What keeps it from its work.
    pub(crate) not_ready: Arc<Mutex<Vec<String>>>,
    /// What is wrong and keeps it from nothing.
    pub(crate) warnings: Arc<Mutex<Vec<String>>>,
    /// Every push that was asked for.
    pub(crate) pushes: Arc<Mutex<Vec<Option<Period>>>>,
    pub(crate) client: reqwest::Client,
    pub(crate) ledger: Ledger,
    guard: WriteGuard,
    supervisor: Supervisor,
    _directory: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

/// What differs between servers.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, by its own name")]
pub(crate) struct Options {
    pub(crate) token: Option<&'static str>,
    pub(crate) demo: bool,
    pub(crate) empty: bool,
    /// A month that was really rated, in place of the two that were written by hand.
    pub(crate) rated: bool,
    /// Nothing can be pushed anywhere.
    pub(crate) no_destination: bool,
    /// Who asks is this tenant's reader, and sees nothing of others.
    pub(crate) tenant: Option<&'static str>,
    /// Lines of an extra tenant, to make an answer large.
    pub(crate) many_lines: usize,
}

impl Server {
    pub(crate) async fn start(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&Location::directory(directory.path())).await.unwrap();
        if options.rated {
            rated::fill(&ledger, rated::ground()).await;
        } else if !options.empty {
            fill(&ledger, options.many_lines).await;
        }
        let supervisor = Supervisor::new();
        let not_ready = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::clone(&not_ready);
        let warnings = Arc::new(Mutex::new(Vec::new()));
        let warned = Arc::clone(&warnings);
        let pushes = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&pushes);
        let push_now = PushNow::new(move |period| heard.lock().unwrap().push(period));
        let book = watch::channel(Arc::new(if options.rated { rated::book().0 } else { book() })).1;
        let clock =
            Clock::fixed(if options.rated { rated::NOW } else { "2026-10-20T12:00:00Z" }.parse().unwrap());
        let zone = if options.rated { BillingZone::UTC } else { zone() };
        let ground = Arc::new(rated::ground());
        let guard = ledger.acquire().await.unwrap();
        let rerate = Rerate {
            ledger: ledger.clone(),
            clock: clock.clone(),
            ground: Arc::clone(&ground),
            zone,
            supervisor: supervisor.clone(),
        };
        let closer = closer(rerate, guard.clone(), book.clone(), options.demo);
        let state = State::new(Sources {
            ledger: ledger.clone(),
            clock,
            zone,
            ground,
            book,
            closer,
            not_ready: NotReady::new(move || asked.lock().unwrap().clone())
                .with_warnings(move || warned.lock().unwrap().clone()),
            push_now: (!options.no_destination).then_some(push_now),
            telemetry: Telemetry::new(),
            supervisor: supervisor.clone(),
            token: options.token.map(|token| SecretString::from(token.to_owned())),
            demo: options.demo,
        });
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap().to_string();
        let routes = match options.tenant {
            Some(tenant) => router_for(state, Scope::tenants([tenant.into()].into())),
            None => router(state),
        };
        let owner = supervisor.clone();
        supervisor.spawn("http", OnError::Stop, move |_| {
            serve(Arc::clone(&listener), routes.clone(), owner.clone())
        });
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self {
            address,
            not_ready,
            warnings,
            pushes,
            client,
            ledger,
            guard,
            supervisor,
            _directory: directory,
        }
    }

    /// The right to write that the server has, too.
    pub(crate) const fn guard(&self) -> &WriteGuard {
        &self.guard
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.text(path).await).unwrap()
    }

    /// Asks for what must be refused, and checks that the refusal is a problem as RFC 9457 says.
    pub(crate) async fn refused(&self, path: &str, status: u16) -> serde_json::Value {
        problem(self.get(path).await, status).await
    }
}

fn closer(rerate: Rerate, guard: WriteGuard, book: watch::Receiver<Arc<PriceBook>>, demo: bool) -> Closer {
    Closer {
        rerate,
        guard: Some(guard),
        book,
        definitions: Arc::new(Definitions::built_in().unwrap()),
        again: Again::default(),
        demo,
        turn: Arc::default(),
    }
}

/// The problem a refusal carries.
pub(crate) async fn problem(response: reqwest::Response, status: u16) -> serde_json::Value {
    assert_eq!(response.status().as_u16(), status, "{}", response.url());
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["status"], status);
    assert_eq!(body["request_id"], id.as_str());
    assert!(body["type"].is_string() && body["title"].is_string(), "{body}");
    body
}

pub(crate) fn zone() -> BillingZone {
    BillingZone::new("Europe/Berlin").unwrap()
}

pub(crate) fn money(text: &str) -> Money {
    text.parse().unwrap()
}

pub(crate) fn period(text: &str) -> Period {
    text.parse().unwrap()
}

/// With budgets from October on.
fn book() -> PriceBook {
    let prices = include_str!("../../pricing/books/worked-example.yaml");
    let budgets = "currency: EUR\nbudgets:\n  - {cost_center: CC-100, from: 2026-10, until: 2027-01, per_month: 100}\n  \
                   - {cost_center: CC-NEW, from: 2026-10, per_month: 50}\n  - {tenant: payments, from: 2026-10, \
                   per_month: 2000}\n";
    let sources = [("prices.yaml", prices), ("budgets.yaml", budgets)];
    let sources = sources.map(|(name, text)| Source { name: name.to_owned(), text: text.to_owned() });
    PriceBook::parse(&sources, zone()).unwrap()
}

fn key(cost_center: &str, tenant: &str, kind: Kind) -> LineKey {
    LineKey {
        cost_center: cost_center.into(),
        tenant: tenant.into(),
        cluster: (kind != Kind::Term).then(|| "prod-1".into()),
        virtual_namespace: None,
        kind,
        class: (kind == Kind::Compute).then(|| PriceClass {
            pool: "general".into(),
            instance_type: "m5.large".into(),
            capacity_type: "spot".into(),
        }),
        item: if kind == Kind::Term { "percentage" } else { "cpu" }.to_owned(),
        unit_price: None,
    }
}

fn charge(key: LineKey, cores: i64, amount: &str) -> Charge {
    let quantity = Some((Quantity::from_micros(cores * 1_000_000), Unit::CoreHours));
    Charge { quantity, namespace: None, amount: money(amount), key }
}

/// Who is charged what on each of two days, in the order of statements.
const DAYS: [(&str, &str, &str, &str); 4] = [
    ("CC-100", FORMULA, "1.5", "0.251"),
    ("CC-100", "payments", "100.333333333", "100.000000001"),
    ("CC-200", "payments", "0", "1234.5"),
    ("CC-200", AWKWARD, "7", "7"),
];

/// October is open with two days of charges and a discount on `payments`; September is there whole.
async fn fill(ledger: &Ledger, many_lines: usize) {
    let guard = ledger.acquire().await.unwrap();
    for (month, days) in
        [("2026-09", ["2026-09-01", "2026-09-30"]), ("2026-10", ["2026-10-01", "2026-10-02"])]
    {
        for (index, day) in days.into_iter().enumerate() {
            put_day(ledger, &guard, month, day, index).await;
        }
        put_month(ledger, &guard, month, if month == "2026-10" { many_lines } else { 0 }).await;
    }
}

async fn put_day(ledger: &Ledger, guard: &WriteGuard, month: &str, day: &str, index: usize) {
    let day: NaiveDate = day.parse().unwrap();
    let hour = zone().hours_of_day(day).from;
    let charges = DAYS.map(|(cost_center, tenant, first, second)| {
        charge(key(cost_center, tenant, Kind::Compute), 24, [first, second][index])
    });
    let day = ChargeDay {
        day,
        period: period(month),
        inputs: Digest::of(day.to_string().as_bytes()),
        hours: vec![(hour, charges.to_vec())],
        whole_hours: 1,
        control: Control::default(),
    };
    ledger.put_day(guard, day).await.unwrap();
}

async fn put_month(ledger: &Ledger, guard: &WriteGuard, month: &str, many_lines: usize) {
    let mut statements: Vec<Statement> = DAYS
        .map(|(cost_center, tenant, first, second)| {
            let exact = money(first).checked_add(money(second)).unwrap();
            let mut lines = vec![line(key(cost_center, tenant, Kind::Compute), exact, Some(48))];
            if (cost_center, tenant) == ("CC-100", "payments") {
                lines.push(line(key(cost_center, tenant, Kind::Term), money("-20.033333333"), None));
            }
            statement(cost_center, tenant, lines)
        })
        .into();
    // One tenant's statement is shown in yen, too; another's currency has no rate.
    for statement in &mut statements {
        let yen = Some(Converted { rate: "163.52".parse().unwrap(), amount: money("2289") });
        let (currency, converted) = match (statement.cost_center.as_str(), statement.tenant.as_str()) {
            ("CC-200", AWKWARD) => ("JPY", yen),
            ("CC-200", _) => ("KWD", None),
            _ => continue,
        };
        statement.reporting = Some(Reporting { currency: currency.parse().unwrap(), converted });
        statement.lines[0].reporting = converted.map(|converted| converted.amount);
    }
    if many_lines > 0 {
        let lines = (0..many_lines).map(|n| {
            let mut key = key("CC-900", "large", Kind::Compute);
            key.item = format!("gpu-{n:06}");
            line(key, money("0.01"), Some(1))
        });
        statements.push(statement("CC-900", "large", lines.collect()));
    }
    let mut term = charge(key("CC-100", "payments", Kind::Term), 0, "-20.033333333");
    term.quantity = None;
    // All of it at unit prices, on nodes that cost 1000.
    let exact = Money::sum(statements.iter().map(|statement| statement.exact)).unwrap();
    let rated = exact.checked_sub(term.amount).unwrap();
    let pool = PoolControl { rated, rated_nodes: money("1000"), ..PoolControl::default() };
    let pools = BTreeMap::from([((Some("prod-1".into()), "general".to_owned()), pool)]);
    let control = Control { pools, ..Control::default() };
    let month = MonthRecord {
        statements: PeriodStatements {
            period: period(month),
            currency: "EUR".parse().unwrap(),
            amount: Money::sum(statements.iter().map(|statement| statement.amount)).unwrap(),
            statements,
            month_level: vec![term],
        },
        inputs: Digest::of(month.as_bytes()),
        coverage: BTreeMap::from([("prod-1".into(), Coverage { minutes: 2879, of: 2880 })]),
        hours_missing: 1,
        hours_lost: 0,
        book_digest: Digest::of(b"book"),
        book_versions: vec!["2026-09.1".to_owned()],
        control: Some(control),
    };
    ledger.put_month(guard, month).await.unwrap();
}

fn line(key: LineKey, exact: Money, cores: Option<i64>) -> Line {
    let minor = exact.to_minor_half_away(2).unwrap();
    let amount = Money::from_minor(minor, 2).unwrap();
    Line {
        key,
        quantity: cores.map(|cores| (Quantity::from_micros(cores * 1_000_000), Unit::CoreHours)),
        unit_price: None,
        exact,
        rounding: amount.checked_sub(exact).unwrap(),
        amount,
        reporting: None,
    }
}

fn statement(cost_center: &str, tenant: &str, lines: Vec<Line>) -> Statement {
    Statement {
        cost_center: cost_center.into(),
        tenant: tenant.into(),
        exact: Money::sum(lines.iter().map(|line| line.exact)).unwrap(),
        amount: Money::sum(lines.iter().map(|line| line.amount)).unwrap(),
        lines,
        reporting: None,
    }
}
