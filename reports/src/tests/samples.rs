//! The files in `samples/`: what each output looks like, byte for byte.
//!
//! After a wanted change, `cargo test -p defray-reports -- --ignored write_the_samples_anew` writes them.

use std::path::PathBuf;

use super::fixture::{csv, definitions, json, month, statements};
use crate::grafana::{Dimension, Filter};

fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let definitions = definitions();
    let grafana = super::grafana::daily(&[Dimension::Tenant, Dimension::CostCenter], Filter::default());
    vec![
        ("statement.csv", csv(&definitions.statement, &month(), &statements()).into_bytes()),
        ("summary.csv", csv(&definitions.summary, &month(), &statements()).into_bytes()),
        ("statement.json", json(&month(), &statements()).into_bytes()),
        ("cost_report.json", super::cost_report::body()),
        ("grafana_daily.json", super::grafana::written(&grafana).into_bytes()),
    ]
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

#[test]
fn outputs_are_the_samples_byte_for_byte() {
    for (name, bytes) in samples() {
        let sample = std::fs::read(path(name)).unwrap();
        let (sample, made) = (String::from_utf8(sample).unwrap(), String::from_utf8(bytes).unwrap());
        assert_eq!(sample, made, "samples/{name}");
    }
}

#[test]
#[ignore = "writes the samples instead of checking them"]
fn write_the_samples_anew() {
    for (name, bytes) in samples() {
        std::fs::write(path(name), bytes).unwrap();
    }
}
