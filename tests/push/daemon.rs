//! A push by hand while the daemon holds the ledger: the real program, both as daemon and as command.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use chrono::TimeDelta;
use defray::clock::Clock;
use defray::demo::Platform;
use defray_ledger::{Ledger, Location};

use super::month;
use super::receiver::{Act, Receiver};

const TOKEN: &str = "correct-horse";
const REPORT: &str = "shared-kubernetes-platform/2026-10/team-a/CC1234";

/// A configuration over a data directory. Nobody listens on the ports of its cluster: they are reserved.
struct Site {
    folder: tempfile::TempDir,
    address: String,
}

impl Site {
    fn new(receiver: &Receiver) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        // Free a moment ago; the command must know the port, so the daemon cannot choose it.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Self { address: free.local_addr().unwrap().to_string(), folder };
        site.write("token", TOKEN);
        site.write(
            "book.yaml",
            "version: \"1\"\ncurrency: EUR\neffective_from: 2026-01-01\nidle: even\npools: [{pool: \"*\", model: rate, \
             cpu_core_hour: \"0.03\", memory_gib_hour: \"0.004\"}]\n",
        );
        site.write(
            "kubeconfig",
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: \
             'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: \
             {cluster: c, user: u}}]\n",
        );
        // The schedule is as far from now as it can be: an hour ago, and in 23 hours.
        let at = (Clock::wall().now() - TimeDelta::hours(1)).format("%H:%M");
        let (address, url) = (&site.address, receiver.url());
        site.write(
            "defray.yaml",
            &format!(
                "price_book: [book.yaml]\nledger: {{location: data}}\nhttp: {{listen: \"{address}\", token_file: \
                 token}}\npush: {{daily_at: \"{at}\", webhooks: [{{name: finops, url: \"{url}\"}}]}}\nclusters:\n  - name: \
                 c\n    prometheus: {{url: \"http://127.0.0.1:1\", timeout: 1s}}\n    kubernetes: {{kubeconfig: \
                 kubeconfig, timeout: 1s}}\n"
            ),
        );
        site
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// What a daemon would have recorded, while none runs.
    async fn bill(&self, cents: i128) {
        let ledger = Ledger::open(&Location::directory(self.path().join("data"))).await.unwrap();
        let guard = ledger.acquire().await.unwrap();
        ledger.put_month(&guard, month("2026-10", &[("team-a", cents)])).await.unwrap();
        ledger.close().await;
    }

    fn defray(&self, command: &str) -> Command {
        let mut defray = Command::new(env!("CARGO_BIN_EXE_defray"));
        defray.arg(command).arg("--config").arg(self.path().join("defray.yaml")).stdin(Stdio::null());
        defray
    }

    /// Not on the thread that serves the receiver.
    fn push(&self) -> Output {
        let mut defray = self.defray("push");
        tokio::task::block_in_place(|| defray.output()).unwrap()
    }

    async fn serve(&self) -> Daemon {
        let log = std::fs::File::create(self.path().join("log")).unwrap();
        let daemon = Daemon(self.defray("serve").stderr(log).spawn().unwrap());
        self.eventually("the first look at what is to be pushed", async || {
            let metrics = reqwest::Client::new().get(format!("http://{}/metrics", self.address));
            let metrics = metrics.bearer_auth(TOKEN).send().await.ok()?.text().await.ok()?;
            metrics.contains("defray_job_runs_total{job=\"push\",outcome=\"success\"}").then_some(())
        })
        .await;
        daemon
    }

    /// Waits for something, for as long as a busy machine may take.
    async fn eventually(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<()>) {
        for _ in 0..600 {
            if ask().await.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = std::fs::read_to_string(self.path().join("log")).unwrap_or_default();
        panic!("{what} did not happen\n{log}");
    }

    async fn revisions(&self, receiver: &Receiver, expected: &[u64]) {
        self.eventually("the revision", async || (receiver.applied()[REPORT] == expected).then_some(()))
            .await;
    }
}

/// A daemon that is stopped even if the test fails.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code(), String::from_utf8(both).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_the_command_make_a_running_daemon_push_before_its_time() {
    let receiver = Receiver::start(&[]).await;
    let site = Site::new(&receiver);
    site.bill(100).await;
    // No daemon: the command pushes itself.
    let (code, told) = said(&site.push());
    assert_eq!((code, told.as_str()), (Some(0), "1 reports new or revised, 1 delivered, 0 waiting\n"));
    site.bill(101).await;
    {
        let _daemon = site.serve().await;
        assert_eq!(receiver.applied()[REPORT], [1], "its time has not come");
        let post = || {
            let url = format!("http://{}/api/v1/push", site.address);
            reqwest::Client::new().post(url).header("content-type", "application/json").body("{}")
        };
        assert_eq!(post().send().await.unwrap().status(), 401);
        assert_eq!(post().bearer_auth(TOKEN).send().await.unwrap().status(), 202);
        site.revisions(&receiver, &[1, 2]).await;
    }
    site.bill(102).await;
    let _daemon = site.serve().await;
    assert_eq!(receiver.applied()[REPORT], [1, 2], "its time has not come");
    let (code, told) = said(&site.push());
    assert_eq!(code, Some(0), "{told}");
    let expected = format!("the daemon at {} holds the ledger and was asked to push now", site.address);
    assert!(told.starts_with(&expected), "{told}");
    site.revisions(&receiver, &[1, 2, 3]).await;
    // With another token the daemon is found and does not agree.
    site.write("token", "wrong-horse");
    let (code, told) = said(&site.push());
    assert_eq!(code, Some(1));
    assert!(told.contains("another process holds the ledger") && told.contains("401"), "{told}");
    assert!(!told.contains("horse"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_stopped_says_how_much_is_left_and_is_no_success() {
    let receiver = Receiver::start(&[Act::HangAfter]).await;
    let site = Site::new(&receiver);
    site.bill(100).await;
    let push = site.defray("push").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    site.eventually("the first request", async || (!receiver.requests().is_empty()).then_some(())).await;
    let interrupted = Command::new("kill").args(["-INT", &push.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let (code, told) = said(&tokio::task::block_in_place(|| push.wait_with_output()).unwrap());
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("1 reports wait") && told.contains("push again"), "{told}");
    let (code, told) = said(&site.push());
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(receiver.applied()[REPORT], [1], "the same key: applied once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_makes_no_ledger_and_pushes_nothing_that_is_made_up() {
    let receiver = Receiver::start(&[]).await;
    let site = Site::new(&receiver);
    let (code, told) = said(&site.push());
    assert_eq!(code, Some(1));
    assert!(told.contains("there is no ledger at"), "{told}");
    assert!(std::fs::read_dir(site.path().join("data")).unwrap().next().is_none(), "nothing is left behind");
    let ledger = Ledger::open(&Location::directory(site.path().join("data"))).await.unwrap();
    let guard = ledger.acquire().await.unwrap();
    let (at, observation) = Platform::new().unwrap().observations().remove(0);
    ledger.observe(&guard, &"demo".into(), at, &observation).await.unwrap();
    ledger.put_month(&guard, month("2026-10", &[("team-a", 100)])).await.unwrap();
    ledger.close().await;
    drop(ledger);
    let (code, told) = said(&site.push());
    assert_eq!(code, Some(1));
    assert!(told.contains("the demo's made-up numbers") && told.contains("ledger.location"), "{told}");
    assert!(receiver.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_held_where_no_daemon_answers_is_told_with_the_way_to_mend_it() {
    let receiver = Receiver::start(&[]).await;
    let site = Site::new(&receiver);
    let _held = Ledger::open(&Location::directory(site.path().join("data"))).await.unwrap();
    let (code, told) = said(&site.push());
    assert_eq!(code, Some(1));
    assert!(told.contains("another process holds the ledger"), "{told}");
    assert!(told.contains(&format!("no daemon answers at {}", site.address)), "{told}");
    assert!(receiver.requests().is_empty());
}
