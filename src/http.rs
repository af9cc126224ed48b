//! What people and programs read: statements, series for Grafana, metrics, health, and a page; and the one
//! thing they can ask for, a push.
//!
//! Every route but the health checks wants the token, where one is configured; without one the daemon
//! listens on loopback only and answers only requests that were addressed to loopback. Authentication
//! yields a [`Scope`](defray_ledger::Scope), and every read of the ledger takes it.
//!
//! | route | answer |
//! |---|---|
//! | `/` and `/periods/{period}` | pages for people |
//! | `/api/v1/periods` | every billing period, where it stands, its total |
//! | `/api/v1/periods/{period}/versions` | every version that was closed, and the SHA-256 of every file kept of it |
//! | `/api/v1/periods/{period}/versions/{version}/{file}` | a file of one version, the same for ever |
//! | `POST /api/v1/periods/{period}/close`, `…/restate` | closes a month; plans a restatement and writes it |
//! | `/api/v1/periods/{period}/recovery` | what was charged against what was paid for |
//! | `/api/v1/reports/{period}.csv`, `.json` | every statement line, or of one `tenant` or `cost_center` |
//! | `/api/v1/reports/{period}/summary.csv` | one row for each cost centre and tenant |
//! | `/api/v1/reports/{period}/{tenant}.json` | one tenant's statements |
//! | `/api/v1/forecast`, `/api/v1/budgets` | what a month will come to, and what of budgets is used |
//! | `/api/v1/grafana/costs/daily`, `/monthly` | rows for Grafana |
//! | `/api/v1/explain/{period}/{tenant}` | why a tenant pays what it pays |
//! | `POST /api/v1/price/diff?period=` | what another price book would have changed |
//! | `POST /api/v1/estimate` | what a proposed tenant would cost a month |
//! | `POST /api/v1/push` | pushes whatever changed, now |
//! | `/metrics` | metrics, in the OpenMetrics text format |
//! | `/livez`, `/readyz`, `/healthz` | health; open, so that probes need no secret |

mod access;
mod body;
mod caching;
mod close;
mod error;
mod estimate;
mod explain;
mod files;
mod forecast;
mod grafana;
mod health;
mod missing;
mod months;
mod pages;
mod periods;
mod price;
mod problems;
mod push;
mod query;
mod recovery;
mod reports;
mod sent;
mod server;
mod versions;
mod window;
mod yaml;

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use axum::{Extension, Router};
use defray_ledger::{Ledger, Scope};
use defray_pricing::book::PriceBook;
use defray_pricing::time::{BillingZone, Period};
use defray_reports::Definitions;
use secrecy::SecretString;
use tokio::sync::watch;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate as _, SizeAbove};
use tower_http::timeout::TimeoutLayer;

pub use error::Error;
pub use server::{ListenError, check_listen, serve};

use crate::clock::Clock;
use crate::closing::Closer;
use crate::rerate::{Ground, Rerate};
use crate::supervise::Supervisor;
use crate::telemetry::Telemetry;

/// Bodies below this size are sent as they are.
const COMPRESS_ABOVE: u64 = 1024;
/// An answer that has not begun by then is not coming.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// How long a request waits for its turn to have a month rated again.
const TURN_WITHIN: Duration = Duration::from_secs(10);
/// How long rating it may then take. Together these are less than an answer may take: whoever asks for too large
/// a month is told so.
const RERATED_WITHIN: Duration = Duration::from_secs(45);
/// Large answers that are written at the same time: each holds a thread while its reader reads.
const CONCURRENT_WRITERS: usize = 32;

/// Asks for what is wrong, each as `name: what is wrong`.
type Ask = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// Says why the daemon cannot do its work, and what is wrong beside it; nothing while all is well.
#[derive(Clone)]
pub struct NotReady {
    reasons: Ask,
    warnings: Ask,
}

impl NotReady {
    /// Asks a function each time.
    pub fn new(ask: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self { reasons: Arc::new(ask), warnings: Arc::new(Vec::new) }
    }

    /// Asks another function for what does not keep the daemon from its work.
    #[must_use]
    pub fn with_warnings(self, ask: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self { warnings: Arc::new(ask), ..self }
    }

    fn reasons(&self) -> Vec<health::Reason> {
        (self.reasons)().into_iter().map(health::Reason::new).collect()
    }

    fn warnings(&self) -> Vec<health::Reason> {
        (self.warnings)().into_iter().map(health::Reason::new).collect()
    }
}

impl std::fmt::Debug for NotReady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NotReady").field(&(self.reasons)()).finish()
    }
}

/// Asks for a push of whatever changed in a period, or in all of them, now.
#[derive(Clone)]
pub struct PushNow(Arc<dyn Fn(Option<Period>) + Send + Sync>);

impl PushNow {
    /// Calls a function each time; it must not wait for the push.
    pub fn new(ask: impl Fn(Option<Period>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    fn ask(&self, period: Option<Period>) {
        (self.0)(period);
    }
}

impl std::fmt::Debug for PushNow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PushNow")
    }
}

/// What the routes read from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Where everything is remembered.
    pub ledger: Ledger,
    /// What time it is.
    pub clock: Clock,
    /// The zone in which months begin.
    pub zone: BillingZone,
    /// The price book in force, for its budgets and for estimates.
    pub book: watch::Receiver<Arc<PriceBook>>,
    /// What counts, for months that are rated again.
    pub ground: Arc<Ground>,
    /// Why the daemon cannot do its work.
    pub not_ready: NotReady,
    /// Closes and restates.
    pub closer: Closer,
    /// Asks for a push; none where there is no destination.
    pub push_now: Option<PushNow>,
    /// The metrics.
    pub telemetry: Telemetry,
    /// The owner of the threads that write large answers.
    pub supervisor: Supervisor,
    /// What a reader must show; none on loopback only.
    pub token: Option<SecretString>,
    /// Whether the numbers are made up for a demonstration: every answer then says so.
    pub demo: bool,
}

/// Everything the routes need.
#[derive(Debug, Clone)]
pub struct State(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sources: Sources,
    access: access::Access,
    writers: Arc<tokio::sync::Semaphore>,
    /// Held by whoever has a month rated again: one at a time, so that the daemon's own work goes on.
    rerating: tokio::sync::Semaphore,
}

impl State {
    /// Decides who may read.
    pub fn new(sources: Sources) -> Self {
        let access = access::Access::new(sources.token.as_ref());
        Self(Arc::new(Inner {
            access,
            writers: Arc::new(tokio::sync::Semaphore::new(CONCURRENT_WRITERS)),
            rerating: tokio::sync::Semaphore::new(1),
            sources,
        }))
    }

    /// Whoever receives reports hears of it now.
    fn ask_for_push(&self, period: Period) {
        if let Some(push) = &self.push_now {
            push.ask(Some(period));
        }
    }

    /// How reports look.
    fn definitions(&self) -> Arc<Definitions> {
        Arc::clone(&self.closer.definitions)
    }
}

impl State {
    /// The right to have a month rated again.
    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Error> {
        let turn = tokio::time::timeout(TURN_WITHIN, self.0.rerating.acquire()).await;
        turn.map_err(|_| Error::Busy)?.map_err(|_| Error::Busy)
    }

    /// Has a month rated again, when it is this request's turn. The work ends with the day it is at when its
    /// time is over, or when whoever asked is gone.
    async fn rerate<T, Work>(&self, work: impl FnOnce(Rerate) -> Work) -> Result<T, Error>
    where
        Work: Future<Output = Result<T, Error>>,
    {
        let _turn = self.turn().await?;
        let rerate = Rerate {
            ledger: self.ledger.clone(),
            clock: self.clock.clone(),
            ground: Arc::clone(&self.ground),
            zone: self.zone,
            supervisor: self.supervisor.clone(),
        };
        tokio::time::timeout(RERATED_WITHIN, work(rerate)).await.map_err(|_| Error::MonthTooLarge)?
    }
}

impl std::ops::Deref for State {
    type Target = Sources;

    fn deref(&self) -> &Sources {
        &self.0.sources
    }
}

/// Every route, for whoever shows the token.
pub fn router(state: State) -> Router {
    let check = from_fn_with_state(state.clone(), access::check);
    assemble(protected().layer(check), state)
}

/// Every route, for a reader that whoever embeds them has made sure of.
pub fn router_for(state: State, scope: Scope) -> Router {
    let by = access::Principal("a reader that was made sure of");
    assemble(protected().layer(Extension(access::Reader(scope))).layer(Extension(by)), state)
}

fn protected() -> Router<State> {
    Router::new()
        .route("/", get(pages::index))
        .route("/periods/{period}", get(pages::period))
        .route("/style.css", get(pages::style))
        .route("/api/v1/periods", get(periods::list))
        .route("/api/v1/hours/missing", get(missing::list))
        .route("/api/v1/periods/{period}/recovery", get(recovery::month))
        .route("/api/v1/periods/{period}/versions", get(versions::list))
        .route("/api/v1/periods/{period}/versions/{version}/{file}", get(versions::file))
        .route("/api/v1/periods/{period}/close", post(close::close))
        .route("/api/v1/periods/{period}/restate", post(close::restate))
        .route("/api/v1/reports/{period}", get(reports::month))
        .route("/api/v1/reports/{period}/{file}", get(reports::part))
        .route("/api/v1/forecast", get(forecast::forecast))
        .route("/api/v1/budgets", get(forecast::budgets))
        .route("/api/v1/grafana/costs/daily", get(grafana::daily))
        .route("/api/v1/grafana/costs/monthly", get(grafana::monthly))
        .route("/api/v1/explain/{period}/{tenant}", get(explain::tenant))
        .route("/api/v1/price/diff", post(price::diff))
        .route("/api/v1/estimate", post(estimate::tenant))
        .route("/api/v1/push", post(push::now))
        .route("/metrics", get(health::metrics))
        .fallback(|| async { Error::NoSuchRoute })
}

fn assemble(protected: Router<State>, state: State) -> Router {
    let open = Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/healthz", get(health::ready));
    let compression = CompressionLayer::new()
        .gzip(true)
        .compress_when(SizeAbove::new(COMPRESS_ABOVE).and(caching::worth_compressing));
    // From the inside out: compression, the entity tag of what was compressed, then problems for all.
    protected
        .merge(open)
        .with_state(state)
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, ANSWER_WITHIN))
        .layer(compression)
        .layer(from_fn(caching::tag_encoding))
        .layer(from_fn(problems::tell))
}
