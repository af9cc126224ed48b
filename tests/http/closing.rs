//! Closing and restating over the socket, and what is sent of a closed month: the same for ever.

use defray_ledger::{RenderedFile, Scope};
use defray_pricing::money::Money;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::fixture::{Options, Server, money, period, problem};
use crate::rated;

const VERSIONS: &str = "/api/v1/periods/2026-10/versions";

async fn rated_server() -> Server {
    Server::start(Options { rated: true, ..Options::default() }).await
}

async fn post(server: &Server, what: &str, body: Value) -> reqwest::Response {
    let url = server.url(&format!("/api/v1/periods/2026-10/{what}"));
    server.client.post(url).json(&body).send().await.unwrap()
}

async fn told(response: reqwest::Response) -> Value {
    assert_eq!(response.status(), 200);
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

async fn closed(server: &Server) -> Value {
    told(post(server, "close", json!({"force": true, "reason": "the store was lost", "by": "ann"})).await)
        .await
}

async fn status(server: &Server) -> String {
    let periods = server.json("/api/v1/periods").await;
    let october = periods["items"].as_array().unwrap().iter().find(|item| item["period"] == "2026-10");
    october.unwrap()["status"].as_str().unwrap().to_owned()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_in_the_way_is_told_and_only_what_is_missing_is_forced() {
    let server = rated_server().await;
    let look = told(post(&server, "close", json!({"dry_run": true})).await).await;
    assert_eq!((&look["closable"], &look["obstacles"][0]["kind"]), (&false.into(), &"hours_missing".into()));
    assert_eq!(look["obstacles"][0]["can_be_forced"], true);
    let refused = problem(post(&server, "close", json!({})).await, 409).await;
    assert_eq!(refused["type"], "/problems/obstacles");
    assert!(
        refused["detail"].as_str().unwrap().contains("734 hours of 2026-10 are not measured"),
        "{refused}"
    );
    assert_eq!(refused["invalid_params"][0]["name"], "hours_missing");
    for half in [json!({"force": true}), json!({"reason": "why"}), json!({"force": true, "reason": " "})] {
        problem(post(&server, "close", half).await, 400).await;
    }
    let plain =
        server.client.post(server.url("/api/v1/periods/2026-10/close")).body("{}").send().await.unwrap();
    assert_eq!(problem(plain, 415).await["type"], "/problems/not-json");
    assert_eq!(status(&server).await, "open");
    let early = problem(post(&server, "restate", json!({})).await, 409).await;
    assert_eq!(early["type"], "/problems/wrong-state");
    let closed = closed(&server).await;
    assert_eq!((&closed["version"], &closed["status"]), (&1.into(), &"final".into()));
    assert_eq!(closed["closed_by"], "ann (a user of this machine)");
    assert_eq!(
        (&closed["forced_reason"], &closed["hours_missing"]),
        (&"the store was lost".into(), &734.into())
    );
    assert_eq!(*server.pushes.lock().unwrap(), [Some(period("2026-10"))]);
    let again = problem(post(&server, "close", json!({})).await, 409).await;
    assert_eq!(again["type"], "/problems/wrong-state");
    assert_eq!(status(&server).await, "final");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_version_is_sent_as_it_is_kept_and_every_file_matches_its_manifest() {
    let server = rated_server().await;
    let closed = closed(&server).await;
    let files = closed["files"].as_array().unwrap();
    assert_eq!(files.len(), 3);
    for file in files {
        let response = server.get(file["href"].as_str().unwrap()).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("etag"), format!("\"{}\"", file["sha256"].as_str().unwrap()));
        assert_eq!(header("cache-control"), "private, max-age=31536000, immutable");
        let bytes = response.bytes().await.unwrap();
        assert_eq!(
            (sha256(&bytes), bytes.len()),
            (
                file["sha256"].as_str().unwrap().into(),
                usize::try_from(file["bytes"].as_u64().unwrap()).unwrap()
            )
        );
    }
    let newest = server.get("/api/v1/reports/2026-10.csv").await;
    assert_eq!(newest.headers()["cache-control"], "private, no-cache");
    assert!(
        newest.headers()["content-disposition"].to_str().unwrap().contains("chargeback_2026-10_final_r1.csv")
    );
    let tag = newest.headers()["etag"].clone();
    assert_eq!(newest.text().await.unwrap(), server.text(&format!("{VERSIONS}/1/statement.csv")).await);
    let unchanged = server.client.get(server.url("/api/v1/reports/2026-10.csv")).header("if-none-match", tag);
    assert_eq!(unchanged.send().await.unwrap().status(), 304);
    // A variant that nobody asked for before is kept, and then it is that which is sent.
    let alpha = "/api/v1/reports/2026-10.csv?tenant=alpha";
    let first = server.text(alpha).await;
    let listed = server.json(VERSIONS).await;
    let kept =
        listed["versions"][0]["files"].as_array().unwrap().iter().find(|file| file["at_close"] == false);
    let kept = kept.unwrap();
    assert_eq!(
        (&kept["name"], &kept["sha256"]),
        (&"statement-tenant=alpha.csv".into(), &sha256(first.as_bytes()).into())
    );
    assert_eq!(server.text(kept["href"].as_str().unwrap()).await, first);
    let ledger = &server.ledger;
    let version = ledger.close_of(&Scope::everything(), period("2026-10"), 1).await.unwrap().unwrap();
    let earlier =
        RenderedFile { name: "statement-tenant=beta.csv".to_owned(), content: b"as it was sent".to_vec() };
    ledger.keep_file(&Scope::everything(), &version, earlier).await.unwrap();
    assert_eq!(server.text("/api/v1/reports/2026-10.csv?tenant=beta").await, "as it was sent");
    let mine = server.json("/api/v1/reports/2026-10/alpha.json").await;
    assert_eq!(mine, server.json(&format!("{VERSIONS}/1/alpha.json")).await);
    server.refused("/api/v1/reports/2026-10.csv?tenant=gamma", 404).await;
    for (path, kind) in [
        ("/2/statement.csv", "version-not-found"),
        ("/x/statement.csv", "version-not-found"),
        ("/1/x.xlsx", "format-not-found"),
        ("/1/gamma.json", "tenant-not-found"),
    ] {
        let refused = server.refused(&format!("{VERSIONS}{path}"), 404).await;
        assert_eq!(refused["type"], format!("/problems/{kind}"), "{path}");
    }
    ledger.verify(&Scope::everything()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restatement_writes_what_was_shown_and_leaves_the_version_before_as_it_was() {
    let server = rated_server().await;
    closed(&server).await;
    let csv = server.text("/api/v1/reports/2026-10.csv").await;
    rated::record_late_by(&server.ledger, server.guard()).await;
    assert_eq!(server.text("/api/v1/reports/2026-10.csv").await, csv, "late usage changes nothing");
    let explained = server.json("/api/v1/explain/2026-10/alpha").await;
    assert_eq!(
        (&explained["of_stored"], &explained["statements"][0]["amount"]),
        (&true.into(), &"3750.00".into())
    );
    let shown = told(post(&server, "restate", json!({})).await).await;
    assert_eq!((&shown["version"], &shown["next_version"]), (&1.into(), &2.into()));
    let plan = shown["plan"].as_str().unwrap();
    let other = plan.replace(|c: char| c.is_ascii_digit(), "0");
    let refused =
        problem(post(&server, "restate", json!({"plan": other, "reason": "late"})).await, 409).await;
    assert_eq!(refused["type"], "/problems/wrong-state");
    problem(post(&server, "restate", json!({"plan": plan})).await, 400).await;
    let body = json!({"plan": plan, "reason": "an hour came late", "by": "bob"});
    let restated = told(post(&server, "restate", body).await).await;
    assert_eq!((&restated["version"], &restated["status"]), (&2.into(), &"restated".into()));
    assert_eq!(restated["restate_reason"], "an hour came late");
    let listed = server.json(VERSIONS).await;
    let [first, second] = listed["versions"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&listed["status"], &second["previous_digest"]), (&"restated".into(), &first["digest"]));
    let deltas = second["deltas"].as_array().unwrap();
    let sum = Money::sum(deltas.iter().map(|delta| money(delta["amount"].as_str().unwrap()))).unwrap();
    let total = |version: &Value| money(version["amount"].as_str().unwrap());
    assert_eq!(Ok(sum), total(second).checked_sub(total(first)));
    assert!(!sum.is_zero());
    assert_eq!(server.text(&format!("{VERSIONS}/1/statement.csv")).await, csv);
    let newest = server.text("/api/v1/reports/2026-10.csv").await;
    assert!(newest != csv && newest == server.text(&format!("{VERSIONS}/2/statement.csv")).await);
    let page = server.text("/periods/2026-10").await;
    assert!(page.contains("restated"), "{page}");
}
