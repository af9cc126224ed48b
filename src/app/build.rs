//! From a validated configuration to something that can run: everything that can fail early, fails here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use defray_ledger::{Ledger, Scope, WriteGuard};
use defray_pricing::book::{PriceBook, Problem};
use defray_pricing::estimate::Form;
use defray_pricing::names::ClusterName;
use defray_pricing::time::BillingZone;
use defray_reports::Definitions;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::closing::{Again, Closer};
use crate::collect::kubernetes::{FieldPath, TenantSource};
use crate::config::{self, Config};
use crate::http::{self, NotReady, PushNow, Sources};
use crate::jobs::{Bell, Board, Cluster, ReadBook, Shared};
use crate::push::Pusher;
use crate::rerate::{Ground, Rerate};
use crate::supervise::Supervisor;
use crate::telemetry::Telemetry;

/// What the daemon is built from.
pub struct Setup {
    /// What it is told.
    pub config: Config,
    /// What time it is.
    pub clock: Clock,
    /// The clusters it looks after.
    pub clusters: Vec<Cluster>,
    /// Reads the price book: the files of the configuration, or the demo's own.
    pub read_book: Arc<ReadBook>,
    /// Whether every number is made up.
    pub demo: bool,
}

impl Setup {
    /// As a configuration says: its clusters, its price book, the machine's clock.
    pub fn of(config: Config) -> anyhow::Result<Self> {
        let clusters = super::connect(&config)?;
        let files = config.clone();
        let read_book: Arc<ReadBook> = Arc::new(move || files.read_price_book());
        Ok(Self { config, clock: Clock::wall(), clusters, read_book, demo: false })
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("config", &self.config)
            .field("demo", &self.demo)
            .finish_non_exhaustive()
    }
}

/// Why the daemon was not started.
#[derive(Debug)]
pub enum NotStarted {
    /// What people wrote is wrong.
    Problems(Vec<Problem>),
    /// Something it needs is not to be had.
    Work(anyhow::Error),
}

impl From<anyhow::Error> for NotStarted {
    fn from(error: anyhow::Error) -> Self {
        Self::Work(error)
    }
}

/// A daemon that holds its ledger and its port and waits to be run.
pub struct App {
    pub(super) config: Config,
    pub(super) clusters: Vec<Cluster>,
    pub(super) shared: Shared,
    pub(super) board: Board,
    pub(super) book: watch::Sender<Arc<PriceBook>>,
    pub(super) read_book: Arc<ReadBook>,
    pub(super) listener: Arc<TcpListener>,
    pub(super) routes: axum::Router,
    /// None where nothing is to be pushed.
    pub(super) pusher: Option<Pusher>,
    /// Wakes the pusher: rung by who rates and by who asks for a push.
    pub(super) push: Bell,
    /// Closes and restates.
    pub(super) closer: Closer,
    pub(super) demo: bool,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", &self.config).field("demo", &self.demo).finish_non_exhaustive()
    }
}

impl App {
    /// Reads the price book, takes the port, opens the ledger and takes over the right to write it.
    pub async fn build(setup: Setup) -> Result<Self, NotStarted> {
        let Setup { config, clock, clusters, read_book, demo } = setup;
        let (book, sources) = read_book().map_err(NotStarted::Problems)?;
        http::check_listen(config.http.listen, config.http.token.is_some()).context("http.listen")?;
        // Before the ledger: a second daemon by mistake is told of the port and disturbs nothing.
        let listener = bind(config.http.listen).await?;
        let ledger = open(&config).await?;
        super::made_up::keep_apart(&ledger, &config.ledger.location.to_string(), demo).await?;
        one_currency(&ledger, &book).await?;
        one_zone(&ledger, config.billing.zone).await?;
        let guard = take_over(&ledger).await?;
        ledger.put_book(&guard, book.digest, &sources).await.context("remembering the price book")?;
        let telemetry = Telemetry::new();
        let shared = Shared {
            ledger,
            guard,
            clock,
            metrics: telemetry.metrics.clone(),
            supervisor: Supervisor::new(),
        };
        let (book, _) = watch::channel(Arc::new(book));
        let board = Board::new();
        let pusher = match config.push.webhooks.as_slice() {
            [] => None,
            _ => Some(super::pusher(&config, demo, &shared)?),
        };
        let push = Bell::new();
        let closer =
            closer(&config, &clusters, &shared, book.subscribe(), demo).map_err(NotStarted::Problems)?;
        let sources = Sources {
            ledger: shared.ledger.clone(),
            clock: shared.clock.clone(),
            zone: config.billing.zone,
            book: book.subscribe(),
            ground: Arc::new(ground(&config, &clusters)),
            not_ready: not_ready(&board),
            closer: closer.clone(),
            push_now: pusher.clone().map(|pusher| push_now(pusher, push.clone())),
            telemetry,
            supervisor: shared.supervisor.clone(),
            token: config.http.token.as_ref().map(crate::config::Secret::value),
            demo,
        };
        let routes = http::router(http::State::new(sources));
        let listener = Arc::new(listener);
        Ok(Self {
            config,
            clusters,
            shared,
            board,
            book,
            read_book,
            listener,
            routes,
            pusher,
            push,
            closer,
            demo,
        })
    }

    /// Where it listens: tests ask for port 0.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listener.local_addr().context("asking for the address that was bound")
    }

    /// What it is supervised by: stops it from outside.
    pub fn supervisor(&self) -> Supervisor {
        self.shared.supervisor.clone()
    }

    /// The last result of every job.
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// What every job works with.
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// What is remembered.
    pub fn ledger(&self) -> Ledger {
        self.shared.ledger.clone()
    }
}

/// What closes and restates months.
pub(super) fn closer(
    config: &Config,
    clusters: &[Cluster],
    shared: &Shared,
    book: watch::Receiver<Arc<PriceBook>>,
    demo: bool,
) -> Result<Closer, Vec<Problem>> {
    Ok(Closer {
        rerate: Rerate {
            ledger: shared.ledger.clone(),
            clock: shared.clock.clone(),
            ground: Arc::new(ground(config, clusters)),
            zone: config.billing.zone,
            supervisor: shared.supervisor.clone(),
        },
        guard: Some(shared.guard.clone()),
        book,
        definitions: Arc::new(Definitions::built_in()?),
        again: if demo { Again::never() } else { Again::default() },
        demo,
        turn: Arc::default(),
    })
}

/// What counts, of the clusters that are looked after.
pub(super) fn ground(config: &Config, clusters: &[Cluster]) -> Ground {
    Ground {
        clusters: clusters.iter().map(|cluster| (cluster.name.clone(), cluster.counts)).collect(),
        tenancy: config.tenancy.clone(),
        settle: config.history.settle,
        forms: forms(config),
    }
}

/// What counts, as a configuration says.
pub fn configured_ground(config: &Config) -> Ground {
    let clusters = config.clusters.iter();
    Ground {
        clusters: clusters.map(|cluster| (cluster.name.clone(), config.counts(cluster))).collect(),
        tenancy: config.tenancy.clone(),
        settle: config.history.settle,
        forms: forms(config),
    }
}

fn forms(config: &Config) -> BTreeMap<ClusterName, Form> {
    let described = |cluster: &config::Cluster| {
        cluster.kubernetes.tenants.as_ref().map(|source| (cluster.name.clone(), form(source)))
    };
    config.clusters.iter().filter_map(described).collect()
}

/// Where in a proposed tenant the answers stand: where they stand in one that is there.
fn form(source: &TenantSource) -> Form {
    let path = |path: &Option<FieldPath>| path.as_ref().map(|path| path.segments().to_vec());
    let shipped = Form::default();
    let is_shipped = (&source.group, &source.kind) == (&shipped.group, &shipped.kind);
    Form {
        group: source.group.clone(),
        kind: source.kind.clone(),
        team: source.team.segments().to_vec(),
        cost_center: source.cost_center.segments().to_vec(),
        services: path(&source.services),
        size: path(&source.node_pool_size),
        instance_type: path(&source.node_pool_instance_type),
        resource_quota: path(&source.resource_quota),
        unpriced: [path(&source.owner_email), path(&source.ad_group)].into_iter().flatten().collect(),
        // What is switched on by default is known of our own definition only.
        on_by_default: if is_shipped { shipped.on_by_default } else { BTreeSet::new() },
    }
}

/// All books of a ledger have one currency: no sum goes over two.
async fn one_currency(ledger: &Ledger, book: &PriceBook) -> Result<(), NotStarted> {
    let periods =
        ledger.periods(&Scope::everything(), book.zone).await.context("reading the billing periods")?;
    let refused =
        periods.iter().filter_map(|entry| entry.currency).find_map(|kept| book.other_currency(kept));
    refused.map_or(Ok(()), |problem| Err(NotStarted::Problems(vec![problem])))
}

/// In another zone the months that are closed would begin and end at other hours than they were closed with.
pub(super) async fn one_zone(ledger: &Ledger, zone: BillingZone) -> Result<(), NotStarted> {
    let closes = ledger.closes(&Scope::everything()).await.context("reading the closed months")?;
    let refused = closes.last().and_then(|newest| other_zone(&newest.zone, zone));
    refused.map_or(Ok(()), |problem| Err(NotStarted::Problems(vec![problem])))
}

fn other_zone(kept: &str, zone: BillingZone) -> Option<Problem> {
    (zone.name() != kept).then(|| Problem {
        file: "the configuration".to_owned(),
        line: None,
        column: None,
        path: "billing.time_zone".to_owned(),
        message: format!("the zone is {}, but the closed months of the ledger are in {kept}", zone.name()),
        mend: format!("set it back to {kept}, or begin another ledger"),
    })
}

fn not_ready(board: &Board) -> NotReady {
    let (board, beside) = (board.clone(), board.clone());
    NotReady::new(move || board.not_ready()).with_warnings(move || beside.warnings())
}

/// First the wish, then the bell: a run that the bell starts must find it.
fn push_now(pusher: Pusher, bell: Bell) -> PushNow {
    PushNow::new(move |period| {
        pusher.ask(period);
        bell.ring();
    })
}

/// Opens the ledger of a configuration.
pub(super) async fn open(config: &Config) -> anyhow::Result<Ledger> {
    let location = &config.ledger.location;
    Ledger::open(location).await.with_context(|| format!("opening the ledger at {location}"))
}

async fn take_over(ledger: &Ledger) -> anyhow::Result<WriteGuard> {
    ledger.acquire().await.context("taking over the right to write the ledger")
}

async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.with_context(|| {
        format!(
            "cannot listen on {listen}; stop what listens there, or choose another address with http.listen"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_is_read_by_the_paths_that_tenants_are_read_by() {
        assert_eq!(form(&TenantSource::default()), Form::default());
    }

    #[test]
    fn another_zone_than_that_of_the_closed_months_is_refused() {
        assert_eq!(other_zone("UTC", BillingZone::UTC), None);
        let told = other_zone("Europe/Berlin", BillingZone::UTC).map(|problem| problem.to_string());
        let expected = "the configuration: billing.time_zone: the zone is UTC, but the closed months of the ledger \
                        are in Europe/Berlin (set it back to Europe/Berlin, or begin another ledger)";
        assert_eq!(told.as_deref(), Some(expected));
    }
}
