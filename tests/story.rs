//! The whole story on the real bench: tenants in Kubernetes, use in Prometheus, the daemon killed in the middle of
//! it, and a month whose every cent was computed by hand, here.
//!
//! # The platform
//! Pool `default`, shared, model cost: two nodes of 4 cores and 16 GiB at 2.00 an hour. Weights 0.30 a core and 0.05 a
//! GiB make 4 x 0.30 + 16 x 0.05 = 2.00 a node, so a core-hour costs 0.30 and a GiB-hour 0.05.
//! Pool `dedicated`: one node at 5.00 an hour, labelled for devteam-a, which pays all of it.
//! Idle goes to tenants in proportion to direct cost; `kube-system` is shared evenly; CC-67890 has 10 % off.
//!
//! # Six hours, scraped once a minute at half past the minute
//! Billable is the larger of request and use, per container and hour: core-hours, GiB-hours.
//!
//! | hour | what happens | devteam-a | devteam-b | kube-system |
//! |---|---|---|---|---|
//! | 1 | devteam-a uses 2.5 cores for half an hour, then 1: 1.75, less than the 2 it asked for | 2 and 4 | 1 and 6 | 0.5 and 2 |
//! | 2 | no scrape from 20:30 to 35:30. Counters bridge it: devteam-a used 1.8. Marks 25 to 36 have no sample in the five minutes before them: 48 of 60 are left, everything else is 0.8 of itself | 1.8 and 3.2 | 0.8 and 4.8 | 0.5 and 1.6 |
//! | 3 | devteam-a's container restarts at 30:00, its counter begins at zero again; it used 2.25 | 2.25 and 4 | 1 and 6 | 0.5 and 2 |
//! | 4 | a pod of devteam-b lives for ten minutes and uses 900 core-seconds, 0.6 GiB | 2 and 4 | 1.25 and 6.1 | 0.5 and 2 |
//! | 5 | a second kube-state-metrics and a second scrape of the kubelets: everything is there twice, and counts once | 2 and 4 | 1 and 6 | 0.5 and 2 |
//! | 6 | 740 core-seconds between the last sample of hour 5 and the first of hour 6: they are hour 6's, which has 8260 others, together 2.5 core-hours | 2.5 and 4 | 1 and 6 | 0.5 and 2 |
//!
//! # Money, hour by hour
//! Direct cost is cores x 0.30 + GiB x 0.05; idle is what the two nodes cost less all direct cost, split by direct cost:
//!
//! | hour | nodes | devteam-a | devteam-b | kube-system | idle | of it devteam-a | devteam-b |
//! |---|---|---|---|---|---|---|---|
//! | 1 | 4.00 | 0.60+0.20=0.800 | 0.30+0.30=0.600 | 0.15+0.10=0.25 | 2.350 | x 0.800/1.400 = 1.342857143 | 1.007142857 |
//! | 2 | 3.20 | 0.54+0.16=0.700 | 0.24+0.24=0.480 | 0.15+0.08=0.23 | 1.790 | x 0.700/1.180 = 1.061864407 | 0.728135593 |
//! | 3 | 4.00 | 0.675+0.2=0.875 | 0.30+0.30=0.600 | 0.15+0.10=0.25 | 2.275 | x 0.875/1.475 = 1.349576271 | 0.925423729 |
//! | 4 | 4.00 | 0.60+0.20=0.800 | 0.375+0.305=0.68 | 0.15+0.10=0.25 | 2.270 | x 0.800/1.480 = 1.227027027 | 1.042972973 |
//! | 5 | 4.00 | 0.60+0.20=0.800 | 0.30+0.30=0.600 | 0.15+0.10=0.25 | 2.350 | x 0.800/1.400 = 1.342857143 | 1.007142857 |
//! | 6 | 4.00 | 0.75+0.20=0.950 | 0.30+0.30=0.600 | 0.15+0.10=0.25 | 2.200 | x 0.950/1.550 = 1.348387097 | 0.851612903 |
//! | sum | 23.20 | 3.765+1.16=4.925 | 1.815+1.745=3.560 | 1.48 | 13.235 | 7.672569088 | 5.562430912 |
//!
//! 4.925 + 3.56 + 1.48 + 13.235 = 23.20: what the shared nodes cost. The dedicated node: 5.00 x (5 + 0.8) = 29.00.
//! kube-system is shared in two: 0.74 each. The discount: 10 % of devteam-b's direct 3.56 is 0.356.
//! devteam-a's Tenant has three services on; argocd costs 45,309.60 a month, which is a round number of tenths of a
//! cent an hour in months of any length; six hours of it are the fee F: 404.55, 390.60, 377.58 or 365.40 in months of
//! 28, 29, 30 or 31 days. monitoring and vault cost nothing, which is a price, too.
//!
//! # Statements
//! devteam-a: 3.765 + 1.16 + 29 + F + 0.74 + 7.672569088 = 42.337569088 + F, rounded 42.34 + F.
//!   Floors 3.76 + 1.16 + 29.00 + F + 0.74 + 7.67 = 42.33 + F: the cent that is missing goes to CPU, with 0.5 the largest remainder.
//! devteam-b: 1.815 + 1.745 + 0.74 + 5.562430912 - 0.356 = 9.506430912, rounded 9.51.
//!   Floors 1.81 + 1.74 + 0.74 + 5.56 - 0.36 = 9.49: two cents, to CPU and memory (0.5 each, before idle's 0.24 and the discount's 0.4).
//! The period: 51.844000000 + F exactly, rounded 51.84 + F; the statements are 51.85 + F, so a rounding line of -0.01.

mod history;
mod platform;
mod receiver;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::{Bench, Server, eventually, folder, free_port, http};
use history::Window;

/// One line of the statement: what of it was computed above.
type Line = (&'static str, &'static str, &'static str, &'static str, String, String);

fn by_hand(window: &Window) -> Vec<Line> {
    let fee = match window.days_in_period() {
        28 => "404.55",
        29 => "390.60",
        30 => "377.58",
        _ => "365.40",
    };
    let fee_exact = fee.trim_end_matches('0');
    let line = |center, tenant, kind, item, exact: &str, amount: &str| {
        (center, tenant, kind, item, exact.to_owned(), amount.to_owned())
    };
    vec![
        line("CC-12345", "devteam-a", "compute", "cpu", "3.765", "3.77"),
        line("CC-12345", "devteam-a", "compute", "memory", "1.16", "1.16"),
        line("CC-12345", "devteam-a", "dedicated_pool", "node", "29", "29.00"),
        line("CC-12345", "devteam-a", "idle", "default", "7.672569088", "7.67"),
        line("CC-12345", "devteam-a", "service_fee", "argocd", fee_exact, fee),
        line("CC-12345", "devteam-a", "service_fee", "monitoring", "0", "0.00"),
        line("CC-12345", "devteam-a", "service_fee", "vault", "0", "0.00"),
        line("CC-12345", "devteam-a", "shared_cost", "platform namespaces", "0.74", "0.74"),
        line("CC-67890", "devteam-b", "compute", "cpu", "1.815", "1.82"),
        line("CC-67890", "devteam-b", "compute", "memory", "1.745", "1.75"),
        line("CC-67890", "devteam-b", "idle", "default", "5.562430912", "5.56"),
        line("CC-67890", "devteam-b", "shared_cost", "platform namespaces", "0.74", "0.74"),
        line("CC-67890", "devteam-b", "term", "percentage", "-0.356", "-0.36"),
        line("CC-PLATFORM", "__platform__", "rounding", "rounding", "0", "-0.01"),
    ]
}

/// The lines of a downloaded CSV, in the order of [`by_hand`].
fn lines(csv: &str) -> Vec<[String; 6]> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let columns = ["cost_center", "tenant", "kind", "item", "exact_amount", "amount"];
    let header = reader.headers().expect("a header").clone();
    let places = columns.map(|column| header.iter().position(|name| name == column).expect(column));
    let mut lines: Vec<[String; 6]> = reader
        .records()
        .map(|record| {
            let record = record.expect("a row");
            places.map(|place| record[place].to_owned())
        })
        .collect();
    lines.sort();
    lines
}

/// An amount of money in cents.
fn cents(amount: &str) -> i64 {
    let (whole, part) = amount.split_once('.').expect("two decimals");
    assert_eq!(part.len(), 2, "{amount}");
    format!("{whole}{part}").parse().expect("digits")
}

struct Daemon {
    server: Server,
    url: String,
}

impl Daemon {
    async fn start(folder: &std::path::Path, port: u16) -> Self {
        let configuration = folder.join("defray.yaml").display().to_string();
        let arguments = ["serve".to_owned(), "--config".to_owned(), configuration];
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_defray"));
        let mut server = Server::start_program("defray", program, folder, &arguments);
        let url = format!("http://127.0.0.1:{port}");
        server.ready(async || crate::harness::answers(&format!("{url}/livez")).await).await;
        Self { server, url }
    }

    async fn text(&self, path: &str) -> String {
        let answer = http().get(format!("{}{path}", self.url)).send().await.expect("an answer");
        let status = answer.status();
        let body = answer.text().await.expect("text");
        assert!(status.is_success(), "{path}: {status}: {body}");
        body
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path).await).expect("JSON")
    }

    /// How many hours of the period it has measured and folded into the month.
    async fn hours_measured(&self, period: &str) -> u64 {
        let periods = self.json("/api/v1/periods").await;
        let items = periods["items"].as_array().expect("items");
        let item = items.iter().find(|item| item["period"] == period);
        item.and_then(|item| item["hours_measured"]["prod-1"].as_u64()).unwrap_or(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_on_a_real_cluster_equals_what_was_computed_by_hand() {
    let window = Window::before_now();
    let bench = Bench::start().await;
    let uids = platform::build(&bench).await;
    history::write(&bench.prometheus, &window, &uids).await;
    let (home, port) = (folder(), free_port());
    platform::configure(home.path(), port, &bench, &window);
    let period = window.period();

    // Killed without warning while it catches up, as soon as some of the six hours are there.
    let mut daemon = Daemon::start(home.path(), port).await;
    eventually("two hours measured", async || daemon.server.log().matches("hour recorded").count() >= 2)
        .await;
    daemon.server.kill();
    let recorded = daemon.server.log().matches("hour recorded").count();
    assert!(recorded < 6, "killed too late to prove anything: {recorded} hours were recorded already");

    // Started again it goes on where it was.
    let mut daemon = Daemon::start(home.path(), port).await;
    eventually("all six hours measured", async || daemon.hours_measured(&period).await == 6).await;
    let wanted: Vec<[String; 6]> = by_hand(&window)
        .into_iter()
        .map(|(a, b, c, d, e, f)| [a.into(), b.into(), c.into(), d.into(), e, f])
        .collect();
    let path = format!("/api/v1/reports/{period}.csv");
    // The last hour may still be on its way into the month; what stands there in the end is what counts.
    for _ in 0..100 {
        if lines(&daemon.text(&path).await) == wanted {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let csv = daemon.text(&path).await;
    assert_eq!(lines(&csv), wanted, "{csv}");
    // 12 of 360 minutes had no data: 0.9666, cut, not rounded up.
    assert_eq!(csv.lines().skip(1).filter(|line| !line.contains(",0.9666,")).count(), 0, "{csv}");
    let total: i64 = wanted.iter().map(|line| cents(&line[5])).sum();

    // Grafana's days, and what acts on the month, add up to it.
    grafana_adds_up(&daemon, &period, total).await;

    // Started with somewhere to push to, it pushes a report of every statement; they add up to it.
    daemon.server.kill();
    let receiver = receiver::Receiver::start().await;
    platform::push_to(home.path(), &receiver);
    let mut daemon = Daemon::start(home.path(), port).await;
    pushed_adds_up(&receiver, &period, total).await;

    // Stopped and started once more, nothing is measured, charged or pushed again.
    daemon.server.kill();
    let pushed = receiver.reports();
    let daemon = Daemon::start(home.path(), port).await;
    eventually("ready", async || crate::harness::answers(&format!("{}/readyz", daemon.url)).await).await;
    let has_pushed = "defray_job_runs_total{job=\"push\",outcome=\"success\"}";
    eventually("a push after the restart", async || daemon.text("/metrics").await.contains(has_pushed)).await;
    assert_eq!(daemon.text(&path).await, csv);
    assert_eq!(receiver.reports(), pushed);
    assert!(window.stands(), "the test took so long that another hour settled: run it again");
}

async fn grafana_adds_up(daemon: &Daemon, period: &str, total: i64) {
    let daily = daemon.json(&format!("/api/v1/grafana/costs/daily?period={period}")).await;
    let mut by_tenant: BTreeMap<String, f64> = BTreeMap::new();
    for rows in ["rows", "month_level"] {
        for row in daily[rows].as_array().expect("rows") {
            *by_tenant.entry(row["tenant"].as_str().expect("a tenant").to_owned()).or_default() +=
                row["cost"].as_f64().expect("a cost");
        }
    }
    let sum: f64 = by_tenant.values().sum();
    let wanted = f64::from(i32::try_from(total).expect("small")) / 100.0;
    assert!((sum - wanted).abs() < 1e-6, "{sum} is not {wanted}: {by_tenant:?}\n{daily}");
    assert!((by_tenant["devteam-b"] - 9.51).abs() < 1e-6, "{by_tenant:?}");
}

async fn pushed_adds_up(receiver: &receiver::Receiver, period: &str, total: i64) {
    let complete = async || receiver.reports().len() >= 3;
    eventually("a report of each of the three statements", complete).await;
    // The receiver was out of order when each came first; the same bytes came again under the same key.
    let reports = receiver.reports();
    assert_eq!(reports.len(), 3, "{reports:?}");
    let keys: BTreeSet<String> = reports.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(keys, receiver.refused());
    let mut by_tenant = BTreeMap::new();
    for (_, report) in &reports {
        assert_eq!(report["Period"], period);
        let amount = cents(&format!("{:.2}", report["Costs"]["Total"].as_f64().expect("a number")));
        by_tenant.insert(report["TenantName"].as_str().expect("a tenant"), amount);
    }
    assert_eq!(by_tenant.values().sum::<i64>(), total, "{by_tenant:?}");
    assert_eq!(by_tenant["devteam-b"], 951);
}
