//! Joins the answers for one hour into its usage.

use std::collections::{BTreeMap, BTreeSet};

use defray_pricing::Overflow;
use defray_pricing::names::{ClusterName, PriceClass};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::Hour;
use defray_pricing::usage::{Minutes, Source, UsageHour};

use super::client::{Client, Parts};
use super::envelope::Series;
use super::error::MeasureError;
use super::gauges::MarkSet;
use super::identity::{Identity, Views, once};
use super::names::{Names, ObjectLabels};
use super::queries::{Queries, Query, Shape};
use super::{Measured, NodeDirectory, Note, NoteKind, PodDirectory};

mod compute;
mod nodes;
mod objects;
mod pods;
mod whole;

pub(super) use nodes::node_fact;

/// A question whose answer is taken part by part, and what the parts came to so far.
struct Asking {
    parts: Parts,
    minutes: MarkSet,
    is_empty: bool,
}

impl Asking {
    fn new(query: Query) -> Self {
        Self { parts: Parts::new(query), minutes: MarkSet::default(), is_empty: true }
    }
}

/// One hour in the making. Samples are held of one part of one answer at a time; what is kept of it is a
/// few numbers for each container, pod, volume or node.
pub(super) struct Measurement<'a> {
    client: &'a Client,
    queries: Queries<'a>,
    hour: Hour,
    coverage: BTreeMap<Source, MarkSet>,
    answers: Vec<whole::Answer>,
    /// In which minutes each node's containers were seen.
    scraped: BTreeMap<String, MarkSet>,
    notes: BTreeMap<(NoteKind, String), Quantity>,
}

impl<'a> Measurement<'a> {
    pub(super) fn new(client: &'a Client, queries: Queries<'a>, hour: Hour) -> Self {
        let coverage = Source::ALL.map(|source| (source, MarkSet::default())).into();
        Self {
            client,
            queries,
            hour,
            coverage,
            answers: Vec::new(),
            scraped: BTreeMap::new(),
            notes: BTreeMap::new(),
        }
    }

    fn names(&self) -> &'a Names {
        self.queries.names
    }

    /// The next part of an answer; after the last, remembers in which minutes the source had data.
    async fn next(&mut self, asking: &mut Asking) -> Result<Option<Vec<Series>>, MeasureError> {
        let series = self.client.next(&mut asking.parts, self.hour).await?;
        let query = &asking.parts.query;
        let Some(series) = series else {
            self.answers.push(whole::Answer {
                source: query.source,
                metric: query.selector.metric().to_owned(),
                feeds: query.feeds,
                minutes: asking.minutes,
                is_empty: asking.is_empty,
            });
            let covered = self.coverage.entry(query.source).or_default();
            *covered = covered.union(asking.minutes);
            return Ok(None);
        };
        let minutes = |one: &Series| match query.shape {
            Shape::Marks | Shape::MarksOfOne => MarkSet::of(one, self.hour),
            Shape::Raw => MarkSet::of_raw(one, self.hour),
            Shape::Least | Shape::CountBy(_) => MarkSet::default(),
        };
        asking.minutes = series.iter().map(minutes).fold(asking.minutes, MarkSet::union);
        asking.is_empty &= series.is_empty();
        Ok(Some(series))
    }

    /// Asks for series at marks, tells scrapers' views of each identity apart, and keeps of them what is
    /// made of them.
    async fn ask_once<const N: usize, T>(
        &mut self,
        query: Query,
        identity: [&str; N],
        attributes: &[&str],
        make: impl Fn(&Views) -> T,
    ) -> Result<BTreeMap<[String; N], T>, MeasureError> {
        let attributes: Vec<String> = attributes.iter().map(|label| (*label).to_owned()).collect();
        let labels: BTreeSet<String> = identity.iter().map(|label| (*label).to_owned()).collect();
        let of = |one: &Series| Identity {
            key: identity.map(|label| one.label(label).to_owned()),
            labels: labels.clone(),
        };
        let mut all = BTreeMap::new();
        let mut asking = Asking::new(query);
        while let Some(series) = self.next(&mut asking).await? {
            let part = once(series, &attributes, of, |one| one.samples.len());
            all.extend(part.into_iter().map(|(key, views)| (key, make(&views))));
        }
        Ok(all)
    }

    /// Everything about the hour.
    pub(super) async fn run(
        mut self,
        cluster: &ClusterName,
        directory: &NodeDirectory,
        placed: Option<&PodDirectory>,
    ) -> Result<Measured, MeasureError> {
        let mut usage = UsageHour::empty(cluster.clone(), self.hour);
        let classes = self.classes(directory).await?;
        let pods = self.pods(placed).await?;
        let starts = self.starts().await?;
        usage.compute = self.compute(&pods, &starts, &classes).await?;
        usage.network = self.network(&pods, &starts).await?;
        usage.nodes = self.nodes(&classes).await?;
        usage.storage = self.storage(&pods).await?;
        usage.load_balancers = self.load_balancers(&pods).await?;
        usage.quotas = self.quotas().await?;
        self.refuse_holes(&pods)?;
        usage.coverage = self.minutes(&pods);
        usage.canonicalise();
        if usage.coverage.values().all(|minutes| *minutes == Minutes::NONE) {
            return Err(MeasureError::NoData(self.hour));
        }
        let notes = self.notes.into_iter();
        let notes = notes.map(|((kind, subject), quantity)| Note { kind, subject, quantity }).collect();
        Ok(Measured { usage, notes })
    }
}

/// Price classes of nodes: from the directory, else from the nodes' labels, else the pool `(none)`.
struct Classes<'a> {
    directory: &'a NodeDirectory,
    labelled: BTreeMap<String, PriceClass>,
}

impl Classes<'_> {
    fn of(&self, node: &str) -> PriceClass {
        let known = self.directory.classes.get(node).or_else(|| self.labelled.get(node));
        known.cloned().unwrap_or_else(NodeDirectory::unknown)
    }
}

/// The first of the node labels that a series carries, with the port of an `instance` cut.
pub(super) fn node_label<'a>(series: &'a Series, labels: &'a ObjectLabels) -> Option<(&'a str, &'a str)> {
    let (label, value) = labels.node.iter().find_map(|label| {
        let value = series.label(label);
        (!value.is_empty()).then_some((label.as_str(), value))
    })?;
    let host =
        if label == "instance" { value.rsplit_once(':').map_or(value, |(host, _)| host) } else { value };
    Some((label, host))
}

fn add(total: &mut Quantity, more: Quantity) -> Result<(), Overflow> {
    *total = total.checked_add(more)?;
    Ok(())
}
