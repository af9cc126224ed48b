//! Report definitions and the mistakes people make in them.

use super::fixture::{csv, month, statements};
use crate::definition::{Definition, Definitions};

fn problems(text: &str) -> Vec<String> {
    Definition::parse("r.yaml", text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_definitions_that_come_with_the_program_are_valid() {
    let definitions = Definitions::built_in().unwrap();
    assert_eq!(definitions.statement.header().count(), 27);
    assert_eq!(definitions.summary.header().next(), Some("schema_version"));
}

#[test]
fn a_definition_groups_and_orders_as_it_says() {
    let text = "name: kinds\ngroup_by: [kind]\norder: [total]\ncolumns: [kind, {name: total, sum: amount}]\n";
    let definition = Definition::parse("r.yaml", text).unwrap();
    let rows = csv(&definition, &month(), &statements());
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!(rows[..4], ["kind,total", "term,-112.07", "adjustment,-15.00", "unpriced,0.00"]);
    assert_eq!(rows.last(), Some(&"compute,972.28"));
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let told = problems(
        "name: x\ngroup_by: [tenant]\norder: [amuont]\nsort: up\ncolumns:\n  - tenant\n  - item\n  \
         - {name: q, sum: quantity}\n  - {name: a, sum: amount, kinds: [idel]}\n",
    );
    let all = told.join("\n");
    for part in ["sort", "lines of one group differ in `item`", "name the `unit`", "idel"] {
        assert!(all.contains(part), "{part} in\n{all}");
    }
    assert!(told.iter().all(|problem| problem.starts_with("r.yaml:")), "{told:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (text, part) in [
        ("name: x\ncolumns: []\n", "no column"),
        ("name: x\ncolumns: [tenant, tenant]\n", "`tenant` is there twice"),
        ("name: x\ncolumns: [tenant]\norder: [tenant]\n", "lines have one order"),
        ("name: x\ncolumns: [{name: a, sum: amount}]\n", "nothing to sum over"),
        (
            "name: x\ngroup_by: [tenant]\ncolumns: [{name: a, sum: amount, unit: GiB}]\n",
            "amounts have no unit",
        ),
        ("name: x\ngroup_by: [tenant]\ncolumns: [tenant]\norder: [amuont]\n", "amuont"),
        (
            "name: x\ngroup_by: [tenant]\ncolumns: [{name: r, sum: reporting_amount}]\n",
            "different reporting currencies",
        ),
        ("name: x\ngroup_by: [tenant]\ncolumns: [exchange_rate]\n", "lines of one group differ"),
        ("columns: [tenant]\n", "name"),
        ("name: x\ncolumns: [tennant]\n", "tennant"),
    ] {
        let told = problems(text).join("\n");
        assert!(told.contains(part), "{part} in\n{told}");
    }
}
