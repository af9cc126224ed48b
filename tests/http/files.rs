//! Downloads: what is in them, and what a reader that has them already is told.

use std::collections::BTreeMap;
use std::io::Read as _;

use defray_pricing::money::Money;

use super::fixture::{AWKWARD, FORMULA, Options, Server, money};

type Record = BTreeMap<String, String>;

const CSV: &str = "/api/v1/reports/2026-10.csv";
const JSON: &str = "/api/v1/reports/2026-10.json";
const SUMMARY: &str = "/api/v1/reports/2026-10/summary.csv";

fn records(text: &str) -> Vec<Record> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(|record| record.unwrap()).collect()
}

fn total(records: &[Record]) -> Money {
    Money::sum(records.iter().map(|record| money(&record["amount"]))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn periods_say_where_they_stand_newest_first() {
    let server = Server::start(Options::default()).await;
    let periods = server.json("/api/v1/periods").await;
    let names: Vec<&str> =
        periods["items"].as_array().unwrap().iter().map(|p| p["period"].as_str().unwrap()).collect();
    assert_eq!(names, ["2026-10", "2026-09"]);
    let october = &periods["items"][0];
    assert_eq!((october["status"].as_str(), october["currency"].as_str()), (Some("open"), Some("EUR")));
    assert_eq!(october["coverage"], "0.9996");
    assert_eq!(october["hours_missing"], 1);
    assert_eq!(october["period_start"], "2026-09-30T22:00:00Z");
    let statements = server.json(JSON).await;
    assert_eq!(october["amount"], statements["total"]["amount"]);
    for link in october["links"].as_object().unwrap().values() {
        assert_eq!(server.get(link.as_str().unwrap()).await.status(), 200, "{link}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_summary_and_json_come_to_the_same_total() {
    let server = Server::start(Options::default()).await;
    let lines = records(&server.text(CSV).await);
    let summary = records(&server.text(SUMMARY).await);
    let json = server.json(JSON).await;
    assert_eq!(total(&lines).format(2), json["total"]["amount"].as_str().unwrap());
    assert_eq!(total(&summary), total(&lines));
    assert_eq!((lines.len(), summary.len()), (5, 4));
    // 1.751 + 200.333333334 - 20.033333333 + 14 + 1234.5, each line rounded.
    assert_eq!(total(&lines).format(2), "1430.55");
    assert!(lines.iter().all(|line| line["status"] == "open" && line["coverage"] == "0.9996"));
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_have_safe_names_and_say_what_they_are() {
    let server = Server::start(Options::default()).await;
    let response = server.get(CSV).await;
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/csv; charset=utf-8; header=present");
    let file = "chargeback_2026-10_open_r1.csv";
    assert_eq!(
        header("content-disposition"),
        format!("attachment; filename=\"{file}\"; filename*=UTF-8''{file}")
    );
    assert_eq!(header("cache-control"), "private, max-age=60");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("vary").to_ascii_lowercase().contains("authorization"));
    assert!(header("repr-digest").starts_with("sha-256=:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_a_spreadsheet_would_run_is_text_in_csv_and_itself_in_json() {
    let server = Server::start(Options::default()).await;
    for path in [CSV, SUMMARY] {
        let rows = records(&server.text(path).await);
        assert!(rows.iter().any(|row| row["tenant"] == format!("'{FORMULA}")), "{path}");
        let cells = rows.iter().flat_map(BTreeMap::values);
        assert!(!cells.into_iter().any(|cell| cell.starts_with(['=', '+', '@', '\t', '\r'])), "{path}");
    }
    let json = server.json(JSON).await;
    assert_eq!(json["statements"][0]["tenant"], FORMULA);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_every_statement_it_has_and_no_other() {
    let server = Server::start(Options::default()).await;
    let payments = server.json("/api/v1/reports/2026-10/payments.json").await;
    let statements = payments["statements"].as_array().unwrap();
    let where_: Vec<&str> = statements.iter().map(|s| s["cost_center"].as_str().unwrap()).collect();
    assert_eq!(where_, ["CC-100", "CC-200"], "it moved, and has two");
    assert!(statements.iter().all(|statement| statement["tenant"] == "payments"));
    assert_eq!(payments["total"]["amount"], "1414.80");

    let segment = "team%2F%C3%BC%20b%3F%23.json";
    let response = server.get(&format!("/api/v1/reports/2026-10/{segment}")).await;
    let disposition = response.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(disposition.contains("filename=\"statement_2026-10_team___b___open_r1.json\""), "{disposition}");
    let awkward: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(awkward["statements"][0]["tenant"], AWKWARD);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_has_what_was_asked_for_and_nothing_else() {
    let server = Server::start(Options::default()).await;
    let one = records(&server.text(&format!("{CSV}?tenant=payments&cost_center=CC-200")).await);
    assert_eq!((one.len(), one[0]["amount"].as_str()), (1, "1234.50"));
    let center = records(&server.text(&format!("{CSV}?cost_center=CC-200")).await);
    assert_eq!(total(&center).format(2), "1248.50");
    let several = server.json(&format!("{JSON}?tenant=payments&tenant=team%2F%C3%BC%20b%3F%23")).await;
    assert_eq!(several["total"]["amount"], "1428.80");
    server.refused(&format!("{CSV}?tenant=pay,ments"), 404).await;
    server.refused(&format!("{CSV}?tenant="), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reader_has_is_not_sent_again() {
    let server = Server::start(Options::default()).await;
    for path in [CSV, SUMMARY, JSON, "/api/v1/periods", "/", "/api/v1/grafana/costs/daily?period=2026-10"] {
        let first = server.get(path).await;
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{path}: strong");
        let again = server.get(path).await;
        assert_eq!(again.headers()["etag"], tag.as_str(), "{path}");
        assert_eq!(again.bytes().await.unwrap(), first.bytes().await.unwrap(), "{path}");
        let asked = server.client.get(server.url(path)).header("if-none-match", &tag);
        let unchanged = asked.send().await.unwrap();
        assert_eq!(unchanged.status(), 304, "{path}");
        assert_eq!(unchanged.headers()["etag"], tag.as_str());
        assert!(unchanged.headers().contains_key("cache-control"));
        assert!(unchanged.bytes().await.unwrap().is_empty());
        let other = server.client.get(server.url(path)).header("if-none-match", "\"other\"");
        assert_eq!(other.send().await.unwrap().status(), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_bytes_have_a_tag_of_their_own() {
    let server = Server::start(Options::default()).await;
    let plain = server.get(JSON).await;
    let tag = plain.headers()["etag"].to_str().unwrap().to_owned();
    let plain = plain.bytes().await.unwrap();
    let compressed =
        server.client.get(server.url(JSON)).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(compressed.headers()["content-encoding"], "gzip");
    assert!(
        compressed.headers()["vary"].to_str().unwrap().contains("accept-encoding") || {
            let vary: Vec<_> = compressed.headers().get_all("vary").iter().collect();
            vary.iter().any(|value| value.to_str().unwrap().contains("accept-encoding"))
        }
    );
    let gzip_tag = compressed.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(gzip_tag, format!("{}-gz\"", tag.strip_suffix('"').unwrap()));
    let mut unpacked = Vec::new();
    let packed = compressed.bytes().await.unwrap();
    flate2::read::GzDecoder::new(packed.as_ref()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    let asked = server.client.get(server.url(JSON)).header("accept-encoding", "gzip");
    let unchanged = asked.header("if-none-match", &gzip_tag).send().await.unwrap();
    assert_eq!(
        (unchanged.status().as_u16(), unchanged.headers()["etag"].to_str().unwrap()),
        (304, &*gzip_tag)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn head_tells_the_headers_of_get_and_no_more() {
    let server = Server::start(Options::default()).await;
    for path in [CSV, "/api/v1/periods", "/", "/livez"] {
        let get = server.get(path).await;
        let head = server.client.head(server.url(path)).send().await.unwrap();
        assert_eq!(head.status(), get.status(), "{path}");
        for name in ["content-type", "etag", "content-length"] {
            assert_eq!(head.headers().get(name), get.headers().get(name), "{path} {name}");
        }
        assert!(head.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_is_streamed_and_complete() {
    let server = Server::start(Options { many_lines: 20_000, ..Options::default() }).await;
    let response = server.get(CSV).await;
    let length: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    let text = response.text().await.unwrap();
    assert_eq!(text.len(), length);
    assert!(length > 2_000_000, "{length} is not large");
    let rows = records(&text);
    assert_eq!(rows.len(), 20_005);
    assert_eq!(total(&rows).format(2), "1630.55", "200.00 more than without the large tenant");
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_data_says_so_everywhere() {
    let server = Server::start(Options { demo: true, ..Options::default() }).await;
    for path in ["/api/v1/periods", JSON, "/api/v1/reports/2026-10/payments.json"] {
        assert_eq!(server.json(path).await["demo"], true, "{path}");
    }
    let rows = server.json("/api/v1/grafana/costs/monthly?period=2026-10").await;
    assert_eq!(rows["meta"]["demo"], true);
    for path in [CSV, SUMMARY] {
        let response = server.get(path).await;
        assert!(response.headers()["content-disposition"].to_str().unwrap().contains("\"demo_"), "{path}");
    }
    assert!(server.text("/").await.contains("made up"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_ledger_is_no_error() {
    let server = Server::start(Options { empty: true, ..Options::default() }).await;
    assert_eq!(server.json("/api/v1/periods").await["items"], serde_json::json!([]));
    assert!(server.text("/").await.contains("Nothing is recorded yet"));
    let rows = server.json("/api/v1/grafana/costs/daily?period=2026-10").await;
    assert_eq!(rows["rows"], serde_json::json!([]));
    assert_eq!(rows["meta"]["currency"], serde_json::Value::Null);
    server.refused(CSV, 404).await;
}
