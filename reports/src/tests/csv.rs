//! The statement and the summary as CSV.

use std::collections::BTreeMap;

use defray_pricing::charge::Kind;
use defray_pricing::money::Money;

use super::fixture::{csv, definitions, key, line, money, month, statement, statements};

type Record = BTreeMap<String, String>;

fn records(text: &str) -> Vec<Record> {
    let mut reader = ::csv::ReaderBuilder::new().from_reader(text.as_bytes());
    reader.deserialize().map(|record| record.unwrap()).collect()
}

fn sum(records: &[Record], column: &str) -> Money {
    Money::sum(records.iter().filter(|r| !r[column].is_empty()).map(|r| money(&r[column]))).unwrap()
}

#[test]
fn every_line_is_a_row_and_amounts_add_up() {
    let rows = records(&csv(&definitions().statement, &month(), &statements()));
    let lines: usize = statements().iter().map(|s| s.lines.len()).sum();
    assert_eq!(rows.len(), lines);
    let total = Money::sum(statements().iter().map(|s| s.amount)).unwrap();
    assert_eq!(sum(&rows, "amount"), total);
    for row in rows.iter().filter(|row| !row["amount"].is_empty()) {
        let parts = money(&row["exact_amount"]).checked_add(money(&row["rounding"])).unwrap();
        assert_eq!(parts, money(&row["amount"]));
    }
}

#[test]
fn amounts_have_the_currencys_decimals_and_quantities_six() {
    let rows = records(&csv(&definitions().statement, &month(), &statements()));
    assert_eq!(rows[0]["amount"], "672.00");
    assert_eq!(rows[0]["quantity"], "24000.000000");
    assert_eq!(rows[0]["unit_price"], "0.028");
    assert_eq!(rows[1]["exact_amount"], "300.0025");
    assert_eq!(rows[1]["rounding"], "-0.0025");

    let mut yen = month();
    yen.currency = "JPY".parse().unwrap();
    let key = key("CC", "t", Kind::Compute, "cpu");
    let rows = records(&csv(
        &definitions().statement,
        &yen,
        &[statement("CC", "t", vec![line(key, None, "12.5", "13")])],
    ));
    assert_eq!(rows[0]["amount"], "13");
}

/// Both currencies side by side; what cannot be converted is empty and never zero.
#[test]
fn a_reporting_currency_stands_beside_the_books() {
    let mut statements = statements();
    let row = |definition, cost_center, statements: &[_]| {
        let rows = records(&csv(definition, &month(), statements));
        let row = rows.into_iter().find(|row| row["cost_center"] == cost_center).unwrap();
        ["amount", "currency", "reporting_amount", "reporting_currency", "exchange_rate"]
            .map(|column| row[column].clone())
    };
    let (lines, summary) = (&definitions().statement, &definitions().summary);
    for definition in [lines, summary] {
        assert_eq!(row(definition, "CC-200", &statements), ["0.28", "EUR", "46", "JPY", "163.52"]);
    }
    assert_eq!(row(summary, "CC-100", &statements)[2..], ["", "", ""]);
    if let Some(reporting) = &mut statements[1].reporting {
        reporting.converted = None;
    }
    statements[1].lines[0].reporting = None;
    for definition in [lines, summary] {
        assert_eq!(row(definition, "CC-200", &statements), ["0.28", "EUR", "", "JPY", ""]);
    }
}

#[test]
fn usage_without_a_price_has_a_quantity_and_no_amount() {
    let rows = records(&csv(&definitions().statement, &month(), &statements()));
    let unpriced = rows.iter().find(|row| row["kind"] == "unpriced").unwrap();
    assert_eq!(unpriced["quantity"], "3.500000");
    for column in ["unit_price", "exact_amount", "rounding", "amount"] {
        assert_eq!(unpriced[column], "", "{column}");
    }
}

#[test]
fn coverage_is_the_clusters_or_of_all_together() {
    let rows = records(&csv(&definitions().statement, &month(), &statements()));
    assert_eq!(rows[0]["coverage"], "0.9986", "44639 of 44700 minutes, cut");
    let term = rows.iter().find(|row| row["kind"] == "term").unwrap();
    assert_eq!(term["coverage"], "0.9993", "89339 of 89400 minutes, cut");
}

#[test]
fn lines_end_as_rfc_4180_says_and_quotes_are_rare() {
    let text = csv(&definitions().statement, &month(), &statements());
    assert_eq!(text.matches("\r\n").count(), text.matches('\n').count());
    assert!(!text.starts_with('\u{feff}'));
    assert!(!text.contains("\"\""), "an empty cell is empty, not a quoted nothing");
}

#[test]
fn names_that_spreadsheets_would_run_become_text_and_every_cell_survives() {
    for name in ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1"] {
        let mut attack = key(name, name, Kind::Compute, name);
        attack.virtual_namespace = Some(name.into());
        attack.cluster = Some(name.into());
        let mut month = month();
        month.book_versions = vec![name.to_owned()];
        let statements = [statement(name, name, vec![line(attack, None, "-1.5", "-1.5")])];
        for definition in [definitions().statement, definitions().summary] {
            for row in records(&csv(&definition, &month, &statements)) {
                for (column, cell) in &row {
                    let number = ["amount", "direct_cost", "exact_amount"].contains(&column.as_str());
                    let begins = cell.chars().next().unwrap_or('x');
                    assert!(number || !"=+-@\t\r\n＝＋－＠".contains(begins), "{column}: {cell:?}");
                }
                assert_eq!(row["tenant"], format!("'{name}"));
                assert_eq!(row["amount"], "-1.50", "numbers keep their sign");
            }
        }
    }
}

#[test]
fn separators_and_quotes_in_names_stay_in_their_cell() {
    let names = [r#"a,b"c"#, "x\r\ny", "Größe; 🦀"];
    for name in names {
        let statements =
            [statement("CC", name, vec![line(key("CC", name, Kind::Storage, name), None, "1", "1")])];
        let rows = records(&csv(&definitions().statement, &month(), &statements));
        assert_eq!((rows.len(), rows[0]["tenant"].as_str(), rows[0]["item"].as_str()), (1, name, name));
    }
}

#[test]
fn the_summary_has_a_row_for_each_cost_centre_and_tenant_and_its_parts_add_up() {
    let rows = records(&csv(&definitions().summary, &month(), &statements()));
    let who: Vec<_> = rows.iter().map(|r| (r["cost_center"].as_str(), r["tenant"].as_str())).collect();
    let unassigned = ("__unassigned__", "__unassigned__");
    assert_eq!(who, [("CC-100", "payments"), ("CC-200", "payments"), unassigned]);
    for (row, statement) in rows.iter().zip(statements()) {
        assert_eq!(money(&row["amount"]), statement.amount);
        let parts =
            ["direct_cost", "service_fees", "shared_cost", "idle", "terms", "adjustments", "rounding"];
        let parts = Money::sum(parts.iter().map(|part| money(&row[*part]))).unwrap();
        assert_eq!(parts, statement.amount);
    }
    assert_eq!(rows[0]["cpu_core_hours"], "24000.000000");
    assert_eq!(rows[0]["memory_gib_hours"], "60000.500000");
    assert_eq!(rows[0]["storage_gib_hours"], "1000.000000");
}

#[test]
fn the_same_month_gives_the_same_bytes_and_another_order_is_refused() {
    let definition = definitions().statement;
    assert_eq!(
        csv(&definition, &month(), &statements()),
        csv(&definition, &month(), &statements()),
        "no clock, no chance"
    );
    let mut turned = statements();
    turned.reverse();
    let refused =
        crate::csv::write(&definition, &month(), super::fixture::ok(&turned), std::io::sink()).unwrap_err();
    assert_eq!(refused.to_string(), "the statement of `payments` on `CC-200` is out of order");
    let twice = [statements().swap_remove(0), statements().swap_remove(0)];
    assert!(crate::csv::write(&definition, &month(), super::fixture::ok(&twice), std::io::sink()).is_err());
}

#[test]
fn a_sum_beyond_64_bits_is_refused_and_never_wraps() {
    let big = |tenant| {
        let key = key("CC", tenant, Kind::Compute, "cpu");
        statement("CC", tenant, vec![line(key, None, "60000000000000000", "60000000000000000")])
    };
    let statements = [big("a"), big("b")];
    let refused =
        crate::csv::write(&definitions().summary, &month(), super::fixture::ok(&statements), std::io::sink());
    assert!(matches!(refused, Err(crate::WriteError::Overflow(_))), "{refused:?}");
    assert_eq!(records(&csv(&definitions().statement, &month(), &statements)).len(), 2, "lines still fit");
}

#[test]
fn a_ledger_that_fails_half_way_fails_the_file() {
    let first = statements().swap_remove(0);
    let broken = [Ok(first), Err(std::io::Error::other("disk"))];
    let refused = crate::csv::write(&definitions().statement, &month(), broken, std::io::sink());
    assert!(matches!(refused, Err(crate::WriteError::Read(_))), "{refused:?}");
}

#[test]
fn more_lines_than_a_batch_are_summed_alike() {
    let lines: Vec<_> = (0..10_000)
        .map(|n| line(key("CC", "t", Kind::Compute, &format!("gpu-{n:05}")), None, "0.01", "0.01"))
        .collect();
    let rows = records(&csv(&definitions().summary, &month(), &[statement("CC", "t", lines)]));
    assert_eq!((rows.len(), rows[0]["amount"].as_str()), (1, "100.00"));
}
