//! What we link: licences, sources, what is banned, what is there twice, and which crate may know what.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand};

use super::{licences, nothing, top};

/// Crates that never get in, whatever brings them.
const BANNED: &[(&str, &str)] = &[
    ("openssl", "TLS is rustls with aws-lc-rs: no system library to match"),
    ("openssl-sys", "TLS is rustls with aws-lc-rs: no system library to match"),
    ("native-tls", "TLS is rustls with aws-lc-rs: one stack, one configuration"),
    ("ring", "aws-lc-rs is the one provider of cryptography"),
    ("rsa", "timing side channel without a fix (RUSTSEC-2023-0071)"),
    ("rusqlite", "sqlx links SQLite; two of them cannot be linked"),
    ("serde_yaml", "no longer maintained; YAML is read by saphyr"),
];

/// Crates that are built in more than one version, and why we bear it. A line that is no longer needed fails.
const TWICE: &[(&str, &str)] = &[
    ("base64", "hyper-util moved to 0.23 before the others"),
    ("block-buffer", "sqlx is on sha2 0.10"),
    ("cpufeatures", "sqlx is on sha2 0.10"),
    ("crypto-common", "sqlx is on sha2 0.10"),
    ("digest", "sqlx is on sha2 0.10"),
    ("getrandom", "ahash, under arrow, is on 0.3"),
    ("hashbrown", "sqlx and kube are on 0.16"),
    ("num-bigint", "num-rational, the oracle of tests, is on 0.4"),
    ("sha2", "sqlx is on 0.10"),
    ("syn", "half of all macros moved to 3; build time only"),
    ("tower-http", "reqwest is on 0.6"),
];

/// What a crate of ours may never reach, directly or through others, in what it ships.
const CLOSED: &[(&str, &[&str])] = &[
    (
        "defray-pricing",
        &[
            "tokio",
            "futures",
            "sqlx",
            "polars",
            "parquet",
            "object_store",
            "axum",
            "hyper",
            "kube",
            "reqwest",
            "tracing",
        ],
    ),
    ("defray-ledger", &["polars", "axum", "kube", "reqwest", "defray-reports"]),
    ("defray-reports", &["sqlx", "axum", "kube", "reqwest", "defray-ledger"]),
];

/// What only one crate of ours may name as its dependency.
const RESERVED: &[(&str, &str)] = &[("polars", "defray-reports"), ("sqlx", "defray-ledger")];

/// The packages that are really built here, by name and version, as cargo resolves features.
fn built(arguments: &[&str]) -> BTreeSet<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p}"])
        .args(arguments)
        .current_dir(top())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let packages: BTreeSet<(String, String)> = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.trim_start_matches('v').to_owned()))
        })
        .collect();
    assert!(packages.len() > 5, "cargo tree {arguments:?} named only {packages:?}");
    packages
}

fn everything_built() -> BTreeSet<(String, String)> {
    built(&["--workspace", "--edges", "normal,build,dev"])
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .cargo_path(env!("CARGO"))
        .current_dir(top())
        .features(CargoOpt::AllFeatures)
        .other_options(["--locked".to_owned()])
        .exec()
        .expect("cargo metadata")
}

#[test]
fn every_dependency_has_an_accepted_licence_and_comes_from_the_registry() {
    let built = everything_built();
    let mut breaks = Vec::new();
    let mut seen = 0;
    for package in metadata().packages {
        if !built.contains(&(package.name.to_string(), package.version.to_string())) {
            continue;
        }
        seen += 1;
        let licence = package.license.as_deref().unwrap_or_default();
        if !licences::accepted(licence) {
            breaks.push(format!("{} {}: licence '{licence}'", package.name, package.version));
        }
        match &package.source {
            None if package.manifest_path.starts_with(top()) => {}
            Some(source) if source.is_crates_io() => {}
            other => breaks.push(format!("{} {}: from {other:?}", package.name, package.version)),
        }
    }
    assert_eq!(seen, built.len(), "cargo metadata knows every package that cargo tree names");
    nothing("dependencies that we cannot keep", &breaks);
}

#[test]
fn nothing_banned_is_built() {
    let names: BTreeSet<String> = everything_built().into_iter().map(|(name, _)| name).collect();
    let breaks: Vec<String> = BANNED
        .iter()
        .filter(|(name, _)| names.contains(*name))
        .map(|(name, reason)| format!("{name}: {reason}"))
        .collect();
    nothing("banned crates are built", &breaks);
}

#[test]
fn a_crate_is_built_in_two_versions_only_with_a_reason() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, version) in everything_built() {
        versions.entry(name).or_default().insert(version);
    }
    let borne: BTreeSet<&str> = TWICE.iter().map(|(name, _)| *name).collect();
    let mut breaks: Vec<String> = versions
        .iter()
        .filter(|(name, versions)| versions.len() > 1 && !borne.contains(name.as_str()))
        .map(|(name, versions)| {
            format!("{name} is built as {versions:?}: unify, or give the reason in TWICE")
        })
        .collect();
    for name in borne {
        if versions.get(name).is_none_or(|versions| versions.len() < 2) {
            breaks.push(format!("{name} is no longer built twice: take it off TWICE"));
        }
    }
    nothing("duplicates", &breaks);
}

#[test]
fn our_crates_reach_only_what_they_may() {
    let mut breaks = Vec::new();
    for (ours, closed) in CLOSED {
        for (name, _) in built(&["--package", ours, "--edges", "normal"]) {
            if closed.contains(&name.as_str()) {
                breaks.push(format!("{ours} reaches {name}"));
            }
        }
    }
    for package in metadata().workspace_packages() {
        for dependency in package.dependencies.iter().filter(|one| one.kind == DependencyKind::Normal) {
            let reserved = RESERVED.iter().find(|(name, _)| *name == dependency.name);
            if let Some((name, only)) = reserved.filter(|(_, only)| *only != package.name.as_str()) {
                breaks.push(format!("{} depends on {name}, which is for {only} alone", package.name));
            }
        }
    }
    nothing("edges between crates", &breaks);
}

#[test]
fn pricing_cannot_read_a_clock() {
    let metadata = metadata();
    let pricing = metadata.workspace_packages().into_iter().find(|one| one.name == "defray-pricing");
    let chrono = pricing
        .expect("the crate is there")
        .dependencies
        .iter()
        .find(|dependency| dependency.name == "chrono" && dependency.kind == DependencyKind::Normal)
        .expect("it depends on chrono");
    assert!(!chrono.uses_default_features, "chrono's default features bring its clock");
    for clock in ["clock", "now"] {
        assert!(!chrono.features.iter().any(|feature| feature == clock), "chrono's feature {clock}");
    }
}
