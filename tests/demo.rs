//! The demo, as the README promises it: one command, ready to be opened, labelled as made up, gone afterwards.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use defray::demo::Platform;
use defray_ledger::{Ledger, Location, Scope};

/// A demo that is stopped even if the test fails.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Unoptimised and beside other tests it takes minutes; a release takes seconds.
async fn line_with(file: &Path, text: &str) -> String {
    for _ in 0..1200 {
        let said = std::fs::read_to_string(file).unwrap();
        if let Some(line) = said.lines().find(|line| line.contains(text)) {
            return line.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("`{text}` was not said: {}", std::fs::read_to_string(file).unwrap());
}

/// Whole cents of an amount with two decimals.
fn cents(amount: &str) -> i64 {
    let (whole, part) = amount.split_once('.').unwrap();
    assert_eq!(part.len(), 2, "{amount}");
    format!("{whole}{part}").parse().unwrap()
}

async fn get(address: &str, path: &str) -> String {
    let answer = reqwest::get(format!("{address}{path}")).await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.text().await.unwrap()
}

#[tokio::test]
async fn the_demo_says_what_to_open_adds_up_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (temporary, said) = (folder.path().join("tmp"), folder.path().join("out"));
    std::fs::create_dir(&temporary).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_defray"))
        .args(["demo", "--listen", "127.0.0.1:0", "--log", "warn"])
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&said).unwrap())
        .stderr(std::fs::File::create(folder.path().join("err")).unwrap())
        .spawn()
        .unwrap();
    let mut demo = Running(child);
    let last = line_with(&said, "Ready. Open ").await;
    let address = last.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let address = address.trim_end_matches('/').to_owned();

    let page = get(&address, "/").await;
    assert!(page.contains("Every number here is made up"), "{page}");
    adds_up(&address).await;

    let asked = Command::new("kill").args(["-INT", &demo.0.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let ended = demo.0.wait().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(std::fs::read_dir(&temporary).unwrap().next().is_none(), "the temporary directory is removed");
    assert_eq!(std::fs::read_to_string(&said).unwrap().lines().last(), Some(last.as_str()));
}

/// Every month of the demo is there, and its statement makes its amount.
async fn adds_up(address: &str) {
    let periods: serde_json::Value = serde_json::from_str(&get(address, "/api/v1/periods").await).unwrap();
    assert_eq!(periods["demo"], true);
    let months = periods["items"].as_array().unwrap();
    assert_eq!(months.len(), 4);
    for month in months {
        let (period, total) = (month["period"].as_str().unwrap(), month["amount"].as_str().unwrap());
        let csv = get(address, &format!("/api/v1/reports/{period}.csv")).await;
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let column = reader.headers().unwrap().iter().position(|name| name == "amount").unwrap();
        let lines: Vec<i64> = reader
            .records()
            .map(|record| record.unwrap()[column].to_owned())
            // Usage without a price has a quantity and no amount.
            .filter(|amount| !amount.is_empty())
            .map(|amount| cents(&amount))
            .collect();
        assert!(lines.len() > 50, "{period} has {} lines", lines.len());
        assert_eq!(lines.iter().sum::<i64>(), cents(total), "{period}");
    }
}

/// Whether a ledger that is being written holds an hour yet.
async fn has_hours(location: &Location) -> bool {
    // There may be none yet, or one that is just being made.
    let Ok(ledger) = Ledger::open_beside(location).await else { return false };
    let range = ledger.recorded_range(&Scope::everything(), &"demo".into()).await;
    ledger.close().await;
    range.is_ok_and(|range| range.is_some())
}

/// A power cut amid the work: what was recorded is kept, the rest is done by the next start.
#[tokio::test]
async fn a_demo_that_was_killed_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (data, said) = (folder.path().join("data"), folder.path().join("out"));
    let start = || {
        let child = Command::new(env!("CARGO_BIN_EXE_defray"))
            .args(["demo", "--listen", "127.0.0.1:0", "--log", "warn", "--data"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&said).unwrap())
            .stderr(std::fs::File::create(folder.path().join("err")).unwrap())
            .spawn()
            .unwrap();
        Running(child)
    };
    let mut demo = start();
    let location = Location::directory(&data);
    // Past the observations and the first hours, and far from the end.
    while !has_hours(&location).await {
        assert!(demo.0.try_wait().unwrap().is_none(), "it ended by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    demo.0.kill().unwrap();
    demo.0.wait().unwrap();

    let ledger = Ledger::open(&location).await.unwrap();
    let before = ledger.verify(&Scope::everything()).await.unwrap();
    ledger.close().await;
    drop(ledger);
    let platform = Platform::new().unwrap();
    let all = u64::try_from(platform.hours().count()).unwrap();
    assert!(0 < before && before < all, "{before} of {all} hours were recorded when it was killed");

    let mut demo = start();
    let last = line_with(&said, "Ready. Open ").await;
    let address = last.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    adds_up(address.trim_end_matches('/')).await;
    demo.0.kill().unwrap();
    demo.0.wait().unwrap();

    let ledger = Ledger::open(&location).await.unwrap();
    assert_eq!(ledger.verify(&Scope::everything()).await.unwrap(), all, "every hour once");
    ledger.close().await;
    drop(ledger);
    let data = data.display().to_string();
    let report = Command::new(env!("CARGO_BIN_EXE_defray"))
        .args(["report", "--data", &data, "--period", "2026-09", "--time-zone", "Europe/Berlin"])
        .args(["--format", "json"])
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["demo"], true, "a report says that its numbers are made up");
}
