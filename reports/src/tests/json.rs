//! The month as JSON.

use defray_pricing::money::Money;
use serde_json::Value;

use super::fixture::{csv, definitions, json, money, month, statements};

fn document() -> Value {
    serde_json::from_str(&json(&month(), &statements())).unwrap()
}

#[test]
fn totals_are_the_sums_of_statements_which_are_the_sums_of_lines() {
    let document = document();
    let amount = |value: &Value| money(value["amount"].as_str().unwrap());
    let sum = |values: &Value| {
        let values = values.as_array().unwrap().iter().filter(|value| !value["amount"].is_null());
        Money::sum(values.map(amount)).unwrap()
    };
    assert_eq!(sum(&document["statements"]), amount(&document["total"]));
    assert_eq!(sum(&document["cost_centers"]), amount(&document["total"]));
    for statement in document["statements"].as_array().unwrap() {
        assert_eq!(sum(&statement["lines"]), amount(statement));
    }
    assert_eq!(document["cost_centers"][0]["cost_center"], "CC-100");
}

#[test]
fn json_says_what_csv_says() {
    let text = csv(&definitions().statement, &month(), &statements());
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let document = document();
    let lines = document["statements"].as_array().unwrap().iter().flat_map(|statement| {
        statement["lines"].as_array().unwrap().iter().map(move |line| (statement, line))
    });
    let mut compared = 0;
    for ((statement, line), record) in lines.zip(reader.records()) {
        for (column, cell) in header.iter().zip(&record.unwrap()) {
            let value = [line, statement, &document].into_iter().find_map(|object| object.get(column));
            match value {
                Some(Value::String(text)) => assert_eq!(text, cell, "{column}"),
                Some(Value::Null) => assert_eq!(cell, "", "{column}"),
                Some(Value::Number(number)) => assert_eq!(number.to_string(), cell, "{column}"),
                _ => assert_eq!(column, "price_book_version", "a list in JSON"),
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 16 * 27);
}

#[test]
fn money_and_quantities_are_strings() {
    let document = document();
    let line = &document["statements"][0]["lines"][0];
    for key in ["quantity", "unit_price", "exact_amount", "rounding", "amount", "coverage"] {
        assert!(line[key].is_string(), "{key}");
    }
    let unpriced = &document["statements"][0]["lines"][12];
    assert_eq!((unpriced["kind"].as_str(), &unpriced["amount"]), (Some("unpriced"), &Value::Null));
}

#[test]
fn a_month_without_statements_is_a_document() {
    let document: Value = serde_json::from_str(&json(&month(), &[])).unwrap();
    assert_eq!(document["statements"], Value::Array(Vec::new()));
    assert_eq!(document["total"]["amount"], "0.00");
    assert_eq!(document["period_start"], "2026-09-30T22:00:00Z", "the billing zone's midnight");
}
