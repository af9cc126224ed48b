//! The command line as a person uses it: exit codes, messages, and what is refused before anything starts.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use defray::app::configured_ground;
use defray::config::{Config, Environment};
use defray_ledger::{Ledger, Location};

use crate::rated;

mod backfill;
mod closing;
mod db;
mod estimate;
mod explain;
mod made_up;
mod prices;

/// Runs the real program to its end.
fn defray(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_defray")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A book in which CC-2 reports in yen, at a rate in October.
fn in_yen(book: &str, rate: &str) -> String {
    format!(
        "{book}cost_centers: [{{cost_center: CC-2, reporting_currency: JPY}}]\ncurrencies: {{JPY: {{2026-10: \
         \"{rate}\"}}}}\n"
    )
}

/// A configuration over a data directory, with a right price book and a port of its own choosing.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let site = Self { folder };
        site.write(
            "book.yaml",
            "version: \"1\"\ncurrency: EUR\neffective_from: 2026-01-01\nidle: even\npools: [{pool: \"*\", model: rate, \
             cpu_core_hour: \"0.03\", memory_gib_hour: \"0.004\"}]\n",
        );
        site.configure("127.0.0.1:0", "data");
        site
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Nobody listens on the ports of the cluster: they are reserved.
    fn configure(&self, listen: &str, data: &str) {
        self.write(
            "kubeconfig",
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: \
             'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: \
             {cluster: c, user: u}}]\n",
        );
        self.write(
            "defray.yaml",
            &format!(
                "price_book: [book.yaml]\nledger: {{location: {data}}}\nhttp: {{listen: \"{listen}\"}}\nclusters:\n  - name: \
                 c\n    prometheus: {{url: \"http://127.0.0.1:1\", timeout: 1s}}\n    kubernetes: {{kubeconfig: \
                 kubeconfig, timeout: 1s}}\n"
            ),
        );
    }

    fn config(&self) -> String {
        self.folder.path().join("defray.yaml").display().to_string()
    }

    /// The ledger in the data directory, made where it is not.
    async fn ledger(&self) -> Ledger {
        Ledger::open(&Location::directory(self.path().join("data"))).await.unwrap()
    }

    /// With two tenants and ten hours of October that are rated.
    async fn rated() -> Self {
        Self::rated_by(rated::BOOK).await
    }

    async fn rated_by(book: &str) -> Self {
        let site = Self::new();
        site.write("book.yaml", book);
        let config = Config::load(&site.path().join("defray.yaml"), &Environment::process()).unwrap();
        let ledger = site.ledger().await;
        rated::fill_by(&ledger, configured_ground(&config), book).await;
        ledger.close().await;
        site
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[test]
fn help_and_version_are_answers_and_a_wrong_command_line_is_the_persons() {
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["serve", "--help"], 0),
        (&[], 2),
        (&["serve"], 2),
        (&["report", "--data", "d", "--period", "2026-13"], 2),
        (&["demo", "--listen", "here"], 2),
        (&["bogus"], 2),
    ] {
        let output = defray(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{}", err(&output));
        let (said, silent) =
            if code == 0 { (out(&output), err(&output)) } else { (err(&output), out(&output)) };
        assert!(!said.is_empty() && silent.is_empty(), "{arguments:?}\n{said}\n{silent}");
    }
}

#[test]
fn every_command_is_learned_from_its_help() {
    let help = out(&defray(&["--help"]));
    for word in ["serve", "check", "report", "push", "print-config", "demo", "Exit codes:", "Examples:"] {
        assert!(help.contains(word), "{word}\n{help}");
    }
}

#[test]
fn the_printed_configuration_is_one_to_start_from() {
    let site = Site::new();
    let printed = defray(&["print-config"]);
    assert_eq!(printed.status.code(), Some(0));
    let path = site.write("printed.yaml", &out(&printed));
    let again = defray(&["print-config", "--config", &path.display().to_string()]);
    assert_eq!(again.status.code(), Some(0), "{}", err(&again));
    let path = |text: &str| text.replace(&format!("{}/", site.path().display()), "");
    assert_eq!(path(&out(&again)), out(&printed));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_defray"))
        .arg("print-config")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), err(&output)), (Some(0), String::new()));
}

#[test]
fn a_wrong_configuration_is_told_whole_and_nothing_is_started() {
    let site = Site::new();
    site.write("defray.yaml", "clusters: [{name: c}]\nhttp: {listen: here}\nsurprise: 1\n");
    for command in ["serve", "check", "push", "print-config"] {
        let output = defray(&[command, "--config", &site.config()]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let told = err(&output);
        for place in [
            "defray.yaml:1:1: `price_book` is missing",
            "prometheus",
            ":2:16: http.listen",
            ":3:1: unknown key",
        ] {
            assert!(told.contains(place), "{command}: {place}\n{told}");
        }
        assert!(told.ends_with("4 problems; nothing was started\n"), "{told}");
    }
    let absent = defray(&["serve", "--config", "/nowhere/defray.yaml"]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(err(&absent).contains("/nowhere/defray.yaml: cannot be read"), "{}", err(&absent));
}

#[test]
fn a_wrong_price_book_is_told_whole_and_nothing_is_started() {
    let site = Site::new();
    site.write("book.yaml", "version: \"1\"\ncurrency: XXQ\neffective_from: tomorrow\nsurprise: 1\n");
    for command in ["serve", "check"] {
        let output = defray(&[command, "--config", &site.config()]);
        assert_eq!(output.status.code(), Some(2), "{command}: {}", err(&output));
        let told = err(&output);
        for place in ["book.yaml:2:", "book.yaml:3:", "book.yaml:4:1: unknown key `surprise`"] {
            assert!(told.contains(place), "{command}: {place}\n{told}");
        }
    }
}

#[test]
fn check_names_what_does_not_answer_and_how_to_mend_it() {
    let site = Site::new();
    let offline = defray(&["check", "--offline", "--config", &site.config()]);
    assert_eq!(offline.status.code(), Some(0), "{}", err(&offline));
    assert!(out(&offline).contains("price book: 1 from 2026-01-01T00:00:00Z (EUR)"), "{}", out(&offline));
    let online = defray(&["check", "--config", &site.config()]);
    assert_eq!(online.status.code(), Some(1));
    let told = out(&online);
    assert!(told.matches("WRONG cluster c: ").count() >= 2 && told.contains("\n      mend: "), "{told}");
    assert!(std::fs::read_dir(site.path().join("data")).unwrap().next().is_none(), "check changes nothing");
}

#[test]
fn a_port_in_use_is_told_with_the_way_to_mend_it() {
    let site = Site::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    site.configure(&taken.local_addr().unwrap().to_string(), "data");
    let output = defray(&["serve", "--config", &site.config()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("stop what listens there"), "{}", err(&output));
}

#[test]
fn a_data_directory_that_cannot_be_used_is_told_with_the_way_to_mend_it() {
    let site = Site::new();
    site.write("file", "");
    site.configure("127.0.0.1:0", "file");
    let output = defray(&["serve", "--config", &site.config()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("is not a directory"), "{}", err(&output));
    // Nobody may make files there, root neither.
    site.configure("127.0.0.1:0", "/sys/kernel");
    let output = defray(&["serve", "--config", &site.config()]);
    assert_eq!(output.status.code(), Some(1));
    let told = err(&output);
    assert!(told.contains("/sys/kernel"), "{told}");
    assert!(told.contains("cannot be written") || told.contains("read-only"), "{told}");
    let report = defray(&["report", "--data", "/nowhere", "--period", "2026-10"]);
    assert_eq!(report.status.code(), Some(1));
    assert!(err(&report).contains("does not exist"), "{}", err(&report));
}

#[test]
fn reading_a_report_makes_no_ledger_where_there_is_none() {
    let site = Site::new();
    let data = site.path().join("data");
    let output = defray(&["report", "--data", &data.display().to_string(), "--period", "2026-10"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("there is no ledger at"), "{}", err(&output));
    assert!(std::fs::read_dir(data).unwrap().next().is_none(), "nothing is left behind");
}

#[tokio::test]
async fn a_month_without_data_is_told() {
    let site = Site::new();
    site.ledger().await.close().await;
    let data = site.path().join("data").display().to_string();
    let output = defray(&["report", "--data", &data, "--period", "2026-10"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("the ledger holds nothing of 2026-10"), "{}", err(&output));
}

/// A daemon that is stopped even if the test fails.
struct Daemon(std::process::Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Waits for something, for as long as a busy machine may take.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = ask().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what} did not happen");
}

#[tokio::test]
async fn without_its_clusters_the_daemon_starts_says_why_it_is_not_ready_and_stops_when_asked() {
    let site = Site::new();
    let log = std::fs::File::create(site.path().join("log")).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_defray"))
        .args(["serve", "--config", &site.config(), "--log-format", "json"])
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut daemon = Daemon(child);
    let lines = || std::fs::read_to_string(site.path().join("log")).unwrap();
    let address = eventually("the daemon listening", async || {
        let log = lines();
        let (_, after) = log.split_once("\"http.address\":\"")?;
        Some(after.split_once('"')?.0.to_owned())
    })
    .await;
    let told = eventually("a reason", async || {
        let answer = reqwest::get(format!("http://{address}/readyz")).await.ok()?;
        let (status, text) = (answer.status(), answer.text().await.ok()?);
        (status == 503 && text.contains("observe") && text.contains("127.0.0.1:1")).then_some(text)
    })
    .await;
    assert!(told.contains("cannot be reached"), "{told}");
    let second = defray(&["report", "--config", &site.config(), "--period", "2026-10"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(err(&second).contains("the ledger holds nothing of 2026-10"), "{}", err(&second));
    let second = defray(&["serve", "--config", &site.config()]);
    assert_eq!(second.status.code(), Some(1));
    assert!(err(&second).contains("another process holds the ledger"), "{}", err(&second));
    let asked = Command::new("kill").args(["-TERM", &daemon.0.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let ended = eventually("the end", async || daemon.0.try_wait().unwrap()).await;
    assert_eq!(ended.code(), Some(0), "{}", lines());
}
