//! From YAML to a validated book.
//!
//! Every file is an edition or a part of one: files with the same `effective_from` are one edition. What has
//! dates of its own, such as adjustments, belongs to the book as a whole and may stand in any file. First
//! each file is read by itself (`part`), then the parts of an edition are brought together (`edition`), then
//! what no part can see alone is checked (`rules`). All problems of all steps are told at once.

use std::collections::BTreeMap;

use super::canonical::Wide;
use super::places::Entry;
use super::{Edition, Place, Places, PriceBook, Problem};
use crate::money::Currency;
use crate::problem::Problems;
use crate::time::{BillingZone, Hour};
use crate::yaml::{Document, Value};

mod adjustments;
mod amounts;
mod compete;
mod edition;
mod part;
mod policies;
mod pools;
mod priced;
mod rules;
mod terms;
#[cfg(test)]
mod tests;
mod tiers;
mod wide;

use part::Part;

/// One file of a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in messages.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Something that was read, and where.
#[derive(Debug, Clone)]
struct Placed<'d, T> {
    place: Value<'d>,
    value: T,
}

impl<T> Placed<'_, T> {
    /// For messages about another place: `file:line`.
    fn at(&self) -> String {
        format!("{}:{}", self.place.file(), self.place.line())
    }

    /// For messages that come after reading.
    fn kept(&self) -> Place {
        let Problem { file, line, column, path, .. } = self.place.problem("", "");
        Place { file, line, column, path }
    }
}

impl PriceBook {
    /// Reads and validates a whole book; every problem of every file at once, by file and line.
    ///
    /// The order of the files does not matter, nor do comments and formatting.
    pub fn parse(sources: &[Source], zone: BillingZone) -> Result<Self, Vec<Problem>> {
        let problems = Problems::new();
        let mut sources: Vec<&Source> = sources.iter().collect();
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        if sources.is_empty() {
            problems.add(whole_book("the price book has no files", "add a file with prices"));
        }
        for pair in sources.windows(2) {
            if let [a, b] = pair
                && a.name == b.name
            {
                problems.add(whole_book(&format!("the file `{}` is given twice", a.name), "name it once"));
            }
        }
        let mut documents = Vec::new();
        for source in sources {
            match Document::parse(&source.name, &source.text) {
                Ok(document) => documents.push(document),
                Err(found) => {
                    for problem in found {
                        problems.add(problem);
                    }
                }
            }
        }
        match assemble(&documents, &problems, zone) {
            Some(book) if problems.is_empty() => Ok(book),
            Some(_) | None => Err(problems.into_sorted()),
        }
    }
}

/// A problem that no place in a file stands for.
fn whole_book(message: &str, mend: &str) -> Problem {
    Problem {
        file: "price book".to_owned(),
        line: None,
        column: None,
        path: String::new(),
        message: message.to_owned(),
        mend: mend.to_owned(),
    }
}

/// The book, as far as it can be made; it counts only if no problem was found.
fn assemble(documents: &[Document], problems: &Problems, zone: BillingZone) -> Option<PriceBook> {
    let parts: Vec<Part<'_>> = documents
        .iter()
        .filter_map(|document| document.read_into(problems, |root| Part::read(root, zone)).ok())
        .collect();
    rules::one_currency(&parts);
    let mut by_date: BTreeMap<Hour, Vec<Part<'_>>> = BTreeMap::new();
    // Files that say nothing of an edition.
    let mut wide: Vec<Part<'_>> = Vec::new();
    for part in parts {
        match &part.effective_from {
            Some(Ok(from)) => by_date.entry(from.value).or_default().push(part),
            Some(Err(_)) => {}
            None => wide.push(part),
        }
    }
    let parts = || by_date.values().flatten().chain(&wide);
    let adjustments = rules::adjustments(parts(), by_date.keys().next().copied(), zone);
    let rates = wide::all_rates(parts());
    let budgets = wide::all_budgets(parts());
    wide::reporting_currencies_have_rates(parts(), &rates);
    let editions: Vec<Placed<'_, Edition>> =
        by_date.iter().filter_map(|(from, parts)| edition::merge(*from, parts)).collect();
    rules::versions_differ(&editions);
    rules::terms_change_at_period_starts(&by_date, zone);
    if by_date.is_empty() && problems.is_empty() {
        problems.add(whole_book("no file of the price book has prices", "add a file with `effective_from`"));
    }
    let currency: Currency = by_date.values().flatten().find_map(|part| part.currency.as_ref().ok())?.value;
    let editions: Vec<Edition> = editions.into_iter().map(|placed| placed.value).collect();
    let places = places(&by_date, parts());
    let wide = Wide { adjustments: &adjustments, rates: &rates, budgets: &budgets };
    let digest = super::canonical::digest(currency, zone, &editions, &wide);
    Some(PriceBook { currency, zone, editions, adjustments, rates, budgets, places, digest })
}

/// Where what may be asked about later was written.
fn places<'p, 'd: 'p>(
    by_date: &BTreeMap<Hour, Vec<Part<'d>>>,
    parts: impl Iterator<Item = &'p Part<'d>>,
) -> Places {
    let mut places = Places::default();
    for part in parts {
        places.currency = places.currency.or_else(|| part.currency.as_ref().ok().map(Placed::kept));
        for placed in &part.adjustments.items {
            places.adjustments.insert(placed.value.reference.clone(), placed.kept());
        }
        for placed in &part.budgets.items {
            places.budgets.insert((placed.value.of.clone(), placed.value.from), placed.kept());
        }
    }
    for (from, part) in by_date.iter().flat_map(|(from, parts)| parts.iter().map(move |part| (from, part))) {
        let mut keep = |entry: Entry, place: Place| drop(places.entries.insert((*from, entry), place));
        for placed in &part.pools.items {
            keep(Entry::of_pool(&placed.value), placed.kept());
        }
        for placed in &part.clusters.items {
            keep(Entry::Cluster(placed.value.cluster.clone()), placed.kept());
        }
        for placed in &part.services.items {
            keep(Entry::Service(placed.value.0.clone()), placed.kept());
        }
        for placed in &part.shared_costs.items {
            keep(Entry::Shared(placed.value.name.clone()), placed.kept());
        }
        for placed in &part.cost_centers.items {
            keep(Entry::Terms(placed.value.0.clone()), placed.kept());
        }
    }
    places
}
