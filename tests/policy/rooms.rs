//! Which room of the daemon may see which, read from the source.

use std::collections::BTreeSet;

use super::{files, nothing};

/// Rooms that do one job each and do not know each other: only `app` introduces them.
const SIBLINGS: &[&str] = &["collect", "http", "jobs", "push"];

/// Rooms that build the others and that none of the others may see.
const ABOVE: &[&str] = &["app", "cli", "demo"];

/// Rooms below the siblings, which these share: they know none of them.
const BELOW: &[&str] = &["closing", "outlook", "rerate", "shipped"];

/// Further pairs that must not meet: files below the first must not name the second.
const APART: &[(&str, &str)] = &[
    ("src/collect/kubernetes", "collect::prometheus"),
    ("src/collect/prometheus", "collect::kubernetes"),
    ("src/clock", "config"),
    ("src/supervise", "config"),
];

/// The files that may do what the lints forbid everywhere else: read the time, spawn, read the environment.
const MAY_LIFT: &[&str] =
    &["src/clock.rs", "src/supervise.rs", "src/supervise/", "src/config.rs", "src/config/"];

/// The source without its comments, so that prose may name what code may not.
pub(super) fn code(source: &str) -> String {
    let uncommented: Vec<&str> =
        source.lines().map(|line| line.split_once("//").map_or(line, |(before, _)| before)).collect();
    uncommented.join("\n")
}

/// What ships of a file: our unit tests stand at its end, and may do what the rest may not.
fn shipped(source: &str) -> &str {
    source.split_once("#[cfg(test)]").map_or(source, |(shipped, _)| shipped)
}

/// Every path below `crate::` that the code names, groups in braces taken apart one level deep.
fn named(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (start, _) in code.match_indices("crate::") {
        let rest = &code[start + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => paths.extend(members(group)),
            None => {
                paths.insert(path(rest));
            }
        }
    }
    paths
}

fn path(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect()
}

fn members(group: &str) -> Vec<String> {
    let (mut depth, mut found, mut member) = (0_usize, Vec::new(), String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(path(std::mem::take(&mut member).trim())),
            _ if depth == 0 => member.push(c),
            _ => {}
        }
    }
    found.push(path(member.trim()));
    found.retain(|path| !path.is_empty());
    found
}

/// The room that a file of the daemon belongs to.
fn room(file: &str) -> Option<&str> {
    file.strip_prefix("src/")?.split(['/', '.']).next()
}

fn sees(path: &str, room: &str) -> bool {
    path == room || path.strip_prefix(room).is_some_and(|rest| rest.starts_with("::"))
}

fn breaks_of(file: &str, source: &str) -> Vec<String> {
    let Some(own) = room(file) else { return Vec::new() };
    let mut breaks = Vec::new();
    for path in named(&code(source)) {
        let beside = SIBLINGS.contains(&own) || BELOW.contains(&own);
        let sibling = SIBLINGS.iter().find(|other| beside && **other != own && sees(&path, other));
        let above = ABOVE
            .iter()
            .find(|other| !ABOVE.contains(&own) && !["lib", "main"].contains(&own) && sees(&path, other));
        let apart = APART.iter().find(|(below, other)| file.starts_with(below) && sees(&path, other));
        if sibling.is_some() || above.is_some() || apart.is_some() {
            breaks.push(format!("{file} names crate::{path}"));
        }
    }
    breaks
}

#[test]
fn rooms_see_only_what_they_may() {
    let breaks: Vec<String> =
        files(&[".rs"]).iter().flat_map(|(file, source)| breaks_of(file, source)).collect();
    nothing("rooms that must not know each other", &breaks);
}

#[test]
fn a_room_that_looks_where_it_must_not_is_seen() {
    for (file, source) in [
        ("src/http.rs", "use crate::push::Outbox;"),
        ("src/http/reports.rs", "fn f() { crate::collect::prometheus::measure(); }"),
        ("src/jobs/sample.rs", "use crate::{clock::Clock, collect::{Finding, prometheus}};"),
        ("src/collect/kubernetes/watch.rs", "use crate::collect::prometheus;"),
        ("src/telemetry.rs", "use crate::app::App;"),
        ("src/rerate/plan.rs", "use crate::jobs::Cluster;"),
    ] {
        assert_eq!(breaks_of(file, source).len(), 1, "{file}: {source}");
    }
    for (file, source) in [
        ("src/http.rs", "use crate::{clock::Clock, supervise::{push, Supervisor}}; // crate::push"),
        ("src/jobs/rate.rs", "use crate::rerate::View;"),
        ("src/app/build.rs", "use crate::{collect, http, jobs, push};"),
        ("src/collect/kubernetes/watch.rs", "use crate::collect::Finding;"),
        ("pricing/src/money.rs", "use crate::push;"),
    ] {
        assert_eq!(breaks_of(file, source), Vec::<String>::new(), "{file}: {source}");
    }
}

#[test]
fn only_the_clock_reads_time_only_the_supervisor_spawns_only_config_reads_the_environment() {
    // The lints refuse these calls everywhere; this refuses that a file lifts the lint for itself, or goes round it.
    let round = [
        "disallowed_methods",
        "JoinSet",
        "SystemTime::UNIX_EPOCH.elapsed",
        "std::env::args",
        "Handle::current()",
    ];
    let mut breaks = Vec::new();
    for (file, source) in files(&[".rs"]) {
        let ours = file.starts_with("src/") || file.contains("/src/");
        let tests = file.ends_with("/tests.rs") || file.contains("/tests/");
        if !ours || tests || MAY_LIFT.iter().any(|may| file.starts_with(may)) {
            continue;
        }
        let code = code(shipped(&source));
        breaks
            .extend(round.iter().filter(|word| code.contains(**word)).map(|word| format!("{file}: {word}")));
    }
    nothing("files that read time, spawn or read the environment for themselves", &breaks);
}
