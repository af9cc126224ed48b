//! Every metric declared once, its doc comment is its help text; logging.
//!
//! Labels are names that the configuration or a cluster bounds: never error texts, never namespaces.

use std::io::IsTerminal;

use defray_pricing::money::Money;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

mod figures;

pub use figures::Figures;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One object a line, for machines.
    Json,
}

/// What is logged where nothing else is said. A library's lines about a connection that failed and a watch that was
/// refused are left out: whoever needed them says so, once, with the way to mend it.
pub const DEFAULT_LOG_FILTER: &str = "info,kube_client::client::builder=off,kube_runtime::watcher=error";

/// The filter is no filter.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be read.
    #[error("`{filter}` is not a log filter such as `info` or `warn,defray=debug`: {reason}")]
    Filter {
        /// What was given.
        filter: String,
        /// Why it cannot be read.
        reason: String,
    },
    /// Logging was set up twice.
    #[error("logging is already set up: {0}")]
    Twice(String),
}

/// Whether a filter can be read.
pub fn check_filter(filter: &str) -> Result<(), LogError> {
    parse_filter(filter).map(drop)
}

fn parse_filter(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(filter)
        .map_err(|error| LogError::Filter { filter: filter.to_owned(), reason: error.to_string() })
}

/// Starts logging to the standard error stream. Called once, before anything is logged.
pub fn log_to_stderr(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let filter = parse_filter(filter)?;
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if json {
        lines.json().flatten_event(true).with_current_span(true).try_init()
    } else {
        lines.with_ansi(terminal).with_target(false).try_init()
    };
    started.map_err(|error| LogError::Twice(error.to_string()))
}

/// Which cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ClusterLabel {
    /// Its name in the configuration.
    pub cluster: String,
}

/// Which watch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WatchLabel {
    /// The cluster.
    pub cluster: String,
    /// `tenants`, `namespaces` or `nodes`.
    pub kind: &'static str,
}

/// Which job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct JobLabel {
    /// Its name.
    pub job: &'static str,
}

/// Which job, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct JobOutcome {
    /// The job's name.
    pub job: &'static str,
    /// `success` or `failure`.
    pub outcome: &'static str,
}

/// What recording an hour did.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HourOutcome {
    /// The cluster.
    pub cluster: String,
    /// `new`, `revised` or `unchanged`.
    pub outcome: &'static str,
}

/// Growth of counters that is not billed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LeftOutLabel {
    /// The cluster.
    pub cluster: String,
    /// `cpu_core_seconds` or `network_egress_bytes`.
    pub quantity: &'static str,
    /// `gap` or `first_seen`.
    pub reason: &'static str,
}

/// Why an adjustment does not reach whom it is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// `not_yet`, `never_measured`, `closed`, `no_tenant` or `no_statement`.
    pub reason: &'static str,
}

/// Deliveries to one destination in one state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeliveryLabel {
    /// The destination.
    pub sink: String,
    /// `pending`, `delivered` or `dead`.
    pub state: &'static str,
}

/// Tries to deliver, and what came of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabel {
    /// The destination.
    pub sink: String,
    /// `delivered`, `retry`, `dead` or `gone`.
    pub outcome: &'static str,
}

/// Which destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SinkLabel {
    /// Its name in the configuration.
    pub sink: String,
}

/// Which pool of which cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
pub struct PoolLabel {
    /// The cluster; empty for an amount that names none.
    pub cluster: String,
    /// The pool, or the price-book entry that an amount without measured nodes belongs to.
    pub pool: String,
}

/// Whose budget or forecast.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
pub struct WhoseLabel {
    /// The cost centre; empty for a tenant's.
    pub cost_center: String,
    /// The tenant; empty for a cost centre's.
    pub tenant: String,
}

/// An amount as the metrics format has numbers. Only ever shown: nothing is computed or booked from it.
pub fn amount(money: Money) -> f64 {
    money.to_string().parse().unwrap_or(f64::NAN)
}

type PerCluster = Family<ClusterLabel, Gauge>;
type Ratio = Gauge<f64, std::sync::atomic::AtomicU64>;

macro_rules! metrics {
    (
        $(#[$outer:meta])*
        pub struct $name:ident {
            $( $(#[doc = $help:literal])+ pub $field:ident: $kind:ty => $metric:literal, )*
        }
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            $( $(#[doc = $help])+ pub $field: $kind, )*
        }

        impl $name {
            fn register(&self, registry: &mut Registry) {
                $( registry.register($metric, help(concat!($($help),+)), self.$field.clone()); )*
            }

            /// The name and help text of every metric.
            pub fn catalogue() -> Vec<(&'static str, String)> {
                vec![ $( ($metric, help(concat!($($help),+))) ),* ]
            }
        }
    };
}

metrics! {
    /// Every metric of the daemon.
    pub struct Metrics {
        /// 1 while every job the numbers rely on has done its work, 0 while the daemon is not ready
        pub ready: Gauge => "defray_ready",
        /// Hours recorded since the start, by what recording them did: `new`, `revised` (other content than
        /// before) or `unchanged`
        pub hours_recorded: Family<HourOutcome, Counter> => "defray_hours_recorded",
        /// The end of the latest recorded hour of a cluster, in seconds since 1970
        pub latest_hour: PerCluster => "defray_latest_hour_end_timestamp_seconds",
        /// Hours of a cluster that ought to be recorded and are not, without those that are lost
        pub hours_missing: PerCluster => "defray_hours_missing",
        /// The start of the oldest missing hour of a cluster, in seconds since 1970; absent while none is missing
        pub oldest_missing: PerCluster => "defray_oldest_missing_hour_timestamp_seconds",
        /// Hours of a cluster that are over and that its metrics store does not have any more: they never will be
        /// measured
        pub hours_lost: PerCluster => "defray_hours_lost",
        /// What share of the time that a cluster's metrics store keeps samples has gone by since the oldest missing
        /// hour began: beyond 1 hours are lost; absent while none is missing or the store does not say what it keeps
        pub retention_used: Family<ClusterLabel, Ratio> => "defray_missing_hours_retention_ratio",
        /// Growth of counters in recorded hours since the start that belongs to no one hour and is not billed,
        /// by quantity (`cpu_core_seconds`, `network_egress_bytes`) and reason: `gap` (across more than an hour
        /// without samples) or `first_seen` (what a counter stood at when it was first seen, where nothing proves
        /// that it began since: the most that may have gone unseen)
        pub growth_left_out: Family<LeftOutLabel, Counter> => "defray_growth_left_out",
        /// When a job last did its work without an error, in seconds since 1970
        pub job_last_success: Family<JobLabel, Gauge> => "defray_job_last_success_timestamp_seconds",
        /// Runs of a job since the start, by how they ended: `success` or `failure`
        pub job_runs: Family<JobOutcome, Counter> => "defray_job_runs",
        /// Claims on namespaces, pools, team names or cost centres that contradict each other in the latest hour, and
        /// tenants without a cost centre; what is in doubt is charged to `__unassigned__`
        pub ownership_conflicts: PerCluster => "defray_ownership_conflicts",
        /// Tenants and namespaces that cannot be read and are skipped
        pub tenants_skipped: PerCluster => "defray_tenants_skipped",
        /// Skipped Tenant resources whose last good version is in force; what others would own is charged to
        /// `__unassigned__`
        pub tenants_held_over: PerCluster => "defray_tenants_held_over",
        /// Changes of ownership since the start that a list found and a watch ought to have told of: the watch is
        /// silent, and changes are known an hour late
        pub watch_missed_changes: Family<WatchLabel, Counter> => "defray_watch_missed_changes",
        /// 1 while the watch on a cluster's pods is broken or has not begun, and the short-lived are missed, or while
        /// what it saw cannot be written
        pub pod_watch_broken: PerCluster => "defray_pod_watch_broken",
        /// Problems of the price book files on disk; while there are any the last good book is in force
        pub price_book_problems: Gauge => "defray_price_book_problems",
        /// Adjustments of the price book that do not reach whom they are for, by reason: `not_yet` (on no statement
        /// until their month is rated), `never_measured` (their month was over before the first hour that counts),
        /// `closed` (their month was closed without them and they wait for a restatement), `no_tenant` or
        /// `no_statement` (on a statement of `__unassigned__`, because their month does not know the tenant or the
        /// cost centre)
        pub adjustments_astray: Family<ReasonLabel, Gauge> => "defray_adjustments_astray",
        /// Terms and budgets of the price book for tenants and cost centres that the current billing period does not
        /// know
        pub price_book_doubts: Gauge => "defray_price_book_doubts",
        /// Days rated since the start
        pub days_rated: Counter => "defray_days_rated",
        /// What stands in the way of closing the months that are due by `billing.close_after_days`
        pub close_obstacles: Gauge => "defray_close_obstacles",
        /// Hours of open billing periods that no edition of the price book reaches
        pub hours_without_book: Gauge => "defray_hours_without_price_book",
        /// What the nodes of a pool have cost in the current billing period, in the currency of the price book;
        /// absent while the book does not say
        pub pool_paid: Figures<PoolLabel> => "defray_recovery_paid",
        /// What was charged for a pool in the current billing period, in the currency of the price book
        pub pool_charged: Figures<PoolLabel> => "defray_recovery_charged",
        /// What share of a budget of the price book is used in the current billing period; 1 is all of it
        pub budget_used: Figures<WhoseLabel> => "defray_budget_used_ratio",
        /// What share of a budget of the price book its cost centre or tenant is forecast to use by the end of the
        /// current billing period: an estimate; absent while there is none
        pub budget_forecast: Figures<WhoseLabel> => "defray_budget_forecast_ratio",
        /// What a tenant or a cost centre is forecast to be charged in the current billing period, in the currency of
        /// the price book: an estimate; absent while there is none, and beyond the 2000 largest
        pub forecast: Figures<WhoseLabel> => "defray_forecast",
        /// How many forecasts of tenants and cost centres are not shown as metrics because 2000 others are larger
        pub forecasts_left_out: Gauge => "defray_forecasts_left_out",
        /// Report deliveries by destination and state: `pending`, `delivered` or `dead`
        pub deliveries: Family<DeliveryLabel, Gauge> => "defray_deliveries",
        /// Tries to deliver a report since the start, by what came of them: `delivered`, `retry`, `dead`
        /// (refused for good) or `gone` (the receiver said it is no more)
        pub delivery_attempts: Family<AttemptLabel, Counter> => "defray_delivery_attempts",
        /// When the oldest report that a destination does not have yet was made, in seconds since 1970;
        /// 0 while none waits
        pub oldest_pending_delivery: Family<SinkLabel, Gauge> => "defray_oldest_pending_delivery_timestamp_seconds",
    }
}

/// Doc comment lines keep the blank that follows `///`; the registry adds the full stop.
fn help(text: &str) -> String {
    text.trim().to_owned()
}

/// The metrics and the registry that renders them.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// The metrics.
    pub metrics: Metrics,
    registry: std::sync::Arc<Registry>,
}

impl Telemetry {
    /// All metrics, registered, none yet counted.
    pub fn new() -> Self {
        let metrics = Metrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let build = Info::new(vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("engine_version", defray_pricing::ENGINE_VERSION.to_string()),
        ]);
        registry.register("defray_build", "The version of this program and of its rating engine", build);
        Self { metrics, registry: std::sync::Arc::new(registry) }
    }

    /// Every metric in the `OpenMetrics` text format.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_rendered_with_its_doc_comment_as_help() {
        let telemetry = Telemetry::new();
        let job = JobLabel { job: "sample" };
        telemetry.metrics.job_last_success.get_or_create(&job).set(7);
        let text = telemetry.render().unwrap();
        for (name, help) in Metrics::catalogue() {
            // Families without a member yet are not rendered.
            let found = text.lines().find(|line| line.starts_with(&format!("# HELP {name} ")));
            assert!(found.is_none_or(|line| line == format!("# HELP {name} {help}.")), "{found:?}");
            assert!(!help.is_empty() && !help.contains('\n') && !help.ends_with('.'), "{name}: {help}");
        }
        // What has no labels is there from the start.
        assert!(text.contains("# HELP defray_ready "), "{text}");
        assert!(text.contains("# HELP defray_price_book_problems "), "{text}");
        assert!(text.contains("defray_job_last_success_timestamp_seconds{job=\"sample\"} 7"), "{text}");
        assert!(text.contains("defray_build_info{version=\"") && text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_with_an_example() {
        let refused = log_to_stderr(LogFormat::Text, "defray=loud").unwrap_err().to_string();
        assert!(refused.contains("defray=loud") && refused.contains("warn,defray=debug"), "{refused}");
    }
}
