//! The cases in `pricing/cases/good`: a book and an hour in, statement lines out. Anyone can add one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use defray_pricing::book::{PriceBook, Source};
use defray_pricing::charge::Kind;
use defray_pricing::invariants::{check_hour, check_period};
use defray_pricing::rating::rate;
use defray_pricing::statement::{MonthFacts, build};
use defray_pricing::time::{BillingZone, Hour};

use crate::fixture::*;

/// What a case says, by the first word of its lines.
struct Case<'c> {
    lines: Vec<Vec<&'c str>>,
}

impl<'c> Case<'c> {
    fn read(text: &'c str) -> Self {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
        let lines: Vec<Vec<&str>> = lines.filter(|words| !words.is_empty()).collect();
        let known = ["book", "hour", "tenant", "nodes", "usage", "line", "total", "period"];
        assert!(lines.iter().all(|words| known.contains(&words[0])), "unknown word in {lines:#?}");
        Self { lines }
    }

    fn all(&self, word: &str) -> impl Iterator<Item = &[&'c str]> {
        self.lines.iter().filter(move |words| words[0] == word).map(|words| &words[1..])
    }

    fn one(&self, word: &str) -> &'c str {
        let all: Vec<&[&str]> = self.all(word).collect();
        let [[one]] = all.as_slice() else { panic!("`{word}` must stand once, with one word: {all:?}") };
        one
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/good")
}

fn book(case: &Case<'_>) -> PriceBook {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(case.one("book"));
    let name = path.display().to_string();
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    PriceBook::parse(&[Source { name, text }], BillingZone::UTC).unwrap()
}

fn run(name: &str, case: &Case<'_>) {
    let book = book(case);
    let at: Hour = hour(case.one("hour"));
    let (mut owners, mut usage) = (owners(at), usage(at));
    for words in case.all("tenant") {
        add_tenant(&mut owners, words[0], &words[2..]);
        let state = owners.tenants.get_mut(&(CLUSTER.into(), words[0].into())).unwrap();
        state.cost_center = words[1].into();
    }
    usage.nodes.extend(case.all("nodes").map(|words| nodes(words[0], words[1], words[2], words[3])));
    for words in case.all("usage") {
        let [cpu, memory] = [words[2], words[3]].map(|pair| pair.split_once('/').unwrap());
        usage.compute.push(row(words[0], words[1], cpu, memory));
    }
    usage.canonicalise();
    let rated = rate(&book, &owners, &[usage]).unwrap();
    assert_eq!(check_hour(&rated), Ok(()), "{name}");
    let hours = rated.control.total().unwrap();
    let period = book.zone.period_of(at);
    let facts = MonthFacts::of(book.zone, [&owners]);
    let statements = build(&book, period, &facts, rated.charges).unwrap();
    assert_eq!(check_period(&statements, hours), Ok(()), "{name}");

    let wanted: BTreeSet<_> = case
        .all("line")
        .map(|words| {
            let kind: Kind = words[1].parse().unwrap();
            (words[0].to_owned(), kind, words[2].to_owned(), money(words[3]))
        })
        .collect();
    let lines = statements.statements.iter().flat_map(|statement| &statement.lines);
    let got: BTreeSet<_> = lines
        .filter(|line| !line.exact.is_zero())
        .map(|line| (line.key.tenant.to_string(), line.key.kind, line.key.item.clone(), line.exact))
        .collect();
    assert_eq!(got, wanted, "{name}");
    let got: BTreeSet<_> = statements.statements.iter().map(|s| (s.tenant.to_string(), s.amount)).collect();
    let wanted: BTreeSet<_> = case.all("total").map(|words| (words[0].to_owned(), money(words[1]))).collect();
    assert_eq!(got, wanted, "{name}");
    assert_eq!(statements.amount, money(case.one("period")), "{name}");
}

#[test]
fn every_case_comes_out_as_it_says() {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|e| e == "case")).collect();
    names.sort();
    assert!(names.len() >= 2, "the folder of cases was not found whole");
    for path in names {
        let text = std::fs::read_to_string(&path).unwrap();
        run(&path.display().to_string(), &Case::read(&text));
    }
}
