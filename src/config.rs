//! Configuration: typed, unknown keys refused, all errors at once.
//!
//! One file a section, and in it one function that reads the section and one that prints it, so that what
//! is accepted and what is explained stay together. Nothing else in the daemon reads files that people
//! write or the environment.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use defray_pricing::book::{PriceBook, Problem, Source};
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::TenancyRules;
use defray_pricing::problem::{Problems, Refused};
use defray_pricing::time::Hour;
use defray_pricing::yaml::{Document, Value};

mod billing;
mod book;
mod environment;
mod history;
mod http;
mod kubernetes;
mod ledger;
mod log;
mod page;
mod place;
mod prometheus;
mod push;
mod secret;
mod tenancy;
#[cfg(test)]
mod tests;

pub use billing::Billing;
pub use environment::{Environment, LOG_VARIABLE};
pub use history::History;
pub use http::Http;
pub use ledger::LedgerPlace;
pub use log::Log;
pub use prometheus::Prometheus;
pub use push::{Destination, Push};
pub use secret::Secret;

use page::Page;
use place::Place;

use crate::rerate::Counts;

/// Everything the daemon is told, validated.
#[derive(Debug, Clone)]
pub struct Config {
    /// When months begin and what reports are called.
    pub billing: Billing,
    /// Where what is remembered lives.
    pub ledger: LedgerPlace,
    /// The files of the price book: paths whose file name may hold `*`.
    pub price_book: Vec<PathBuf>,
    /// From when on, and how fast, hours are measured.
    pub history: History,
    /// Where people and programs read.
    pub http: Http,
    /// Which claims make a namespace a tenant's.
    pub tenancy: TenancyRules,
    /// The clusters, in the order of the file.
    pub clusters: Vec<Cluster>,
    /// Where cost reports are pushed to.
    pub push: Push,
    /// What is logged, and how.
    pub log: Log,
}

/// One Kubernetes cluster and the metrics store that watches it.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its name in every report.
    pub name: ClusterName,
    /// The first hour to measure, where it differs from `history.since`.
    pub since: Option<Hour>,
    /// The first hour that no longer counts, of a cluster that is no more.
    pub until: Option<Hour>,
    /// Hours that are accepted as they are measured, though their nodes seem to be lost.
    pub accept: BTreeSet<Hour>,
    /// Where its metrics are.
    pub prometheus: Prometheus,
    /// Where its objects are.
    pub kubernetes: crate::collect::kubernetes::Settings,
}

/// What `print-config` explains where there is no file yet.
const EXAMPLE: &str = include_str!("config/example.yaml");

impl Config {
    /// Reads a file; every problem at once.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, Vec<Problem>> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![whole_file(
                &file,
                format!("cannot be read: {error}"),
                "name the configuration file with --config",
            )]
        })?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::parse(&file, &text, &folder, environment)
    }

    /// Reads a text as if it lay in `folder`, from where relative paths begin.
    pub fn parse(
        file: &str,
        text: &str,
        folder: &Path,
        environment: &Environment,
    ) -> Result<Self, Vec<Problem>> {
        let place = Place { folder, environment };
        Document::parse(file, text)?.read(|root| read(root, &place))
    }

    /// What a file that says only what it must amounts to.
    pub fn example() -> Result<Self, Vec<Problem>> {
        Self::parse("example.yaml", EXAMPLE, Path::new(""), &Environment::empty())
    }

    /// The configuration in force as a file that means the same, every key explained, secrets left out.
    pub fn print(&self) -> String {
        let mut page = Page::new();
        page.note(
            "The configuration in force. Every key is shown; those that are commented out have no value.",
        );
        page.note("Secrets are named by file or environment variable, never written here.");
        self.billing.print(&mut page);
        self.ledger.print(&mut page);
        book::print(&self.price_book, &mut page);
        self.history.print(&mut page);
        self.http.print(&mut page);
        tenancy::print(&self.tenancy, &mut page);
        page.list(
            "clusters",
            "Every Kubernetes cluster whose cost is attributed.",
            &self.clusters,
            |cluster, page| {
                page.key(
                    "name",
                    cluster.name.as_str(),
                    "The cluster's name in every report. It must never change.",
                );
                let since = cluster.since.map(|hour| hour.to_string());
                let about = "The first hour to measure, where it differs from history.since.";
                page.maybe("since", since.as_deref(), "2026-10-01T00:00:00Z", about);
                let until = cluster.until.map(|hour| hour.to_string());
                let about = "The first hour that no longer counts: of a cluster that is gone, or whose last hours can \
                             never be measured. Once its last hour has settled it is not looked at any more.";
                page.maybe("until", until.as_deref(), "2027-01-01T00:00:00Z", about);
                let accept: Vec<String> = cluster.accept.iter().map(ToString::to_string).collect();
                let about = "Hours that are parked because more than half of the nodes were gone from the metrics and \
                             not from Kubernetes, and that are to be recorded as they were measured.";
                page.words("accept", accept.iter().map(String::as_str), about);
                prometheus::print(&cluster.prometheus, page);
                kubernetes::print(&cluster.kubernetes, page);
            },
        );
        self.push.print(&mut page);
        self.log.print(&mut page);
        page.finish()
    }

    /// The files of the price book as they are now.
    pub fn price_book_sources(&self) -> Result<Vec<Source>, Vec<Problem>> {
        book::sources(&self.price_book)
    }

    /// Which hours of a cluster count.
    pub fn counts(&self, cluster: &Cluster) -> Counts {
        Counts { since: cluster.since.or(self.history.since), until: cluster.until }
    }

    /// The price book as it is now; every problem of every file at once.
    pub fn read_price_book(&self) -> Result<(PriceBook, Vec<Source>), Vec<Problem>> {
        let sources = self.price_book_sources()?;
        Ok((PriceBook::parse(&sources, self.billing.zone)?, sources))
    }
}

/// The files of a price book that is named on the command line; a name may hold `*`.
pub fn read_sources(paths: &[PathBuf]) -> Result<Vec<Source>, Vec<Problem>> {
    book::sources(paths)
}

fn read(root: &Value<'_>, place: &Place<'_>) -> Result<Config, Refused> {
    let mut keys = root.mapping()?;
    let billing = keys.section("billing", billing::read);
    let ledger = keys.section("ledger", |value| ledger::read(value, place));
    let price_book = keys.required("price_book", |value| book::read(value, place));
    let history = keys.section("history", history::read);
    let http = keys.section("http", |value| http::read(value, place));
    let tenancy = keys.section("tenancy", tenancy::read);
    let settle = history.as_ref().map_or(History::default().settle, |history| history.settle);
    let clusters = keys.required("clusters", |value| clusters(value, place, settle));
    let push = keys.section("push", |value| push::read(value, place));
    let log = keys.section("log", log::read);
    keys.finish();
    let (tenancy, mut clusters) = (tenancy?, clusters?);
    for cluster in &mut clusters {
        // What labels mean is said once, and holds for the metrics store as for the API server.
        let names = &mut cluster.prometheus.settings.names;
        names.nodes = cluster.kubernetes.nodes.clone();
        let owned = |keys: BTreeSet<&str>| keys.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
        let asked = &mut cluster.kubernetes.asked;
        asked.labels = owned(tenancy.label_keys());
        asked.label_suffixes = owned(tenancy.label_suffixes());
        asked.annotations = owned(tenancy.annotation_keys());
        names.namespace_labels = asked.labels.iter().cloned().collect();
        names.namespace_label_suffixes = asked.label_suffixes.iter().cloned().collect();
        names.namespace_annotations = asked.annotations.iter().cloned().collect();
    }
    Ok(Config {
        billing: billing?,
        ledger: ledger?,
        price_book: price_book?,
        history: history?,
        http: http?,
        tenancy,
        clusters,
        push: push?,
        log: log?,
    })
}

fn clusters(
    value: &Value<'_>,
    place: &Place<'_>,
    settle: std::time::Duration,
) -> Result<Vec<Cluster>, Refused> {
    let seen = std::cell::RefCell::new(std::collections::BTreeMap::new());
    let clusters = value.list(|value| {
        let mut keys = value.mapping()?;
        let name = keys.required("name", |value| {
            let name = value.string()?;
            match seen.borrow_mut().insert(name.clone(), value.line()) {
                Some(line) => Err(value.refuse(
                    format!("the cluster `{name}` is already described in line {line}"),
                    "give each cluster a name of its own",
                )),
                None => Ok(ClusterName::from(name)),
            }
        });
        let since = keys.optional("since", Value::parsed);
        let until = keys.optional("until", |value| {
            let until: Hour = value.parsed()?;
            match since.as_ref().ok().and_then(|since: &Option<Hour>| *since) {
                Some(since) if until <= since => Err(value.refuse(
                    format!("no hour is from {since} until {until}"),
                    "name the first hour that no longer counts, after `since`",
                )),
                _ => Ok(until),
            }
        });
        let accept = keys.with_default("accept", Vec::new(), |value| value.list(Value::parsed::<Hour>));
        let prometheus = keys.required("prometheus", |value| prometheus::read(value, place, settle));
        let kubernetes = keys.section("kubernetes", |value| kubernetes::read(value, place));
        keys.finish();
        let (name, since, until) = (name?, since?, until?);
        let accept = accept?.into_iter().collect();
        let cluster =
            Cluster { name, since, until, accept, prometheus: prometheus?, kubernetes: kubernetes? };
        Ok((cluster, value.clone()))
    })?;
    let mut one_store = Ok(());
    for (index, (cluster, place)) in clusters.iter().enumerate() {
        for (other, at) in clusters.iter().take(index) {
            // One that ended may have handed its store on.
            let ends_before = |one: &Cluster, next: &Cluster| {
                one.until.is_some_and(|until| next.since.is_none_or(|since| since >= until))
            };
            let at_once = !ends_before(cluster, other) && !ends_before(other, cluster);
            if at_once && cluster.prometheus.overlaps(&other.prometheus) {
                one_store = Err(place.refuse(
                    format!(
                        "`{}` and `{}` (line {}) read one store, and nothing tells their series apart: each would be \
                         billed for both",
                        cluster.name,
                        other.name,
                        at.line()
                    ),
                    "give each a `prometheus.cluster_label` with the label and the value that its series carry",
                ));
            }
        }
    }
    one_store?;
    let clusters: Vec<Cluster> = clusters.into_iter().map(|(cluster, _)| cluster).collect();
    if clusters.is_empty() {
        return Err(
            value.refuse("there is no cluster", "describe at least one: a name and its prometheus.url")
        );
    }
    Ok(clusters)
}

/// A problem of a file as a whole.
fn whole_file(file: &str, message: String, mend: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        line: None,
        column: None,
        path: String::new(),
        message,
        mend: mend.to_owned(),
    }
}

/// Problems that come from several places, or nothing.
fn all_or(problems: Problems) -> Result<(), Vec<Problem>> {
    if problems.is_empty() { Ok(()) } else { Err(problems.into_sorted()) }
}
