//! Past hours by hand, from a real Prometheus.

use chrono::{TimeDelta, Utc};
use defray_pricing::time::Hour;

use super::{Site, defray, err, out};
use crate::harness::{ApiServer, Prometheus, Series, Who};

/// A site whose hours count since six hours ago; the metrics store begins two hours later.
async fn site(prometheus: &Prometheus, since: Hour) -> Site {
    let begins = since.start() + TimeDelta::hours(2);
    let labels = [("job", "kube-state-metrics"), ("instance", "i"), ("node", "n")];
    let node = Series::new("kube_node_info", &labels);
    let until = since.start() + TimeDelta::hours(6);
    prometheus.writer().write(&[node.every(30, begins.timestamp(), until.timestamp(), |_| 1.0)]).await;
    let site = Site::new();
    site.write(
        "defray.yaml",
        &format!(
            "price_book: [book.yaml]\nledger: {{location: data}}\nhttp: {{listen: '127.0.0.1:0'}}\n\
             history: {{since: '{since}'}}\nclusters:\n- name: c\n  prometheus: {{url: '{url}'}}\n  \
             kubernetes: {{kubeconfig: '{kubeconfig}', tenants: {{enabled: false}}}}\n",
            url = prometheus.url(),
            kubeconfig = ApiServer::shared().await.kubeconfig(Who::Admin).display(),
        ),
    );
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn past_hours_are_measured_by_hand_and_a_ledger_that_is_held_is_only_looked_at() {
    #[expect(clippy::disallowed_methods, reason = "the metrics store has the machine's clock")]
    let now = Utc::now();
    let since = Hour::containing(now - TimeDelta::hours(7));
    let prometheus = Prometheus::start().await;
    let site = site(&prometheus, since).await;
    let until = Hour::from_index(since.index() + 6).to_string();
    let backfill = |more: &[&str]| defray(&[&["backfill", "--config", &site.config()], more].concat());

    let early = Hour::from_index(since.index() - 1).to_string();
    let refused = backfill(&["--since", &early]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(err(&refused).contains(&format!("hours of c count from {since} on")), "{}", err(&refused));
    assert_eq!(backfill(&["--cluster", "other"]).status.code(), Some(2));

    let first = backfill(&["--until", &Hour::from_index(since.index() + 3).to_string()]);
    let told = (out(&first), err(&first));
    assert_eq!(first.status.code(), Some(1), "{told:?}");
    assert!(told.0.starts_with("1 hours recorded, 2 missing, 0 lost\n"), "{told:?}");
    assert!(told.0.contains(&format!("{since} of c: no source had data")), "{told:?}");
    assert!(told.1.contains("0 hours recorded, 3 missing, 0 lost to begin with"), "{told:?}");
    assert!(told.1.contains("1 hours measured in "), "{told:?}");

    let rest = backfill(&["--until", &until]);
    assert!(out(&rest).starts_with("4 hours recorded, 2 missing, 0 lost\n"), "{}", out(&rest));
    assert!(err(&rest).contains("1 hours recorded, 5 missing"), "it went on: {}", err(&rest));

    let held = site.ledger().await;
    let beside = backfill(&["--until", &until]);
    assert_eq!(beside.status.code(), Some(0), "{}", err(&beside));
    let told = out(&beside);
    assert!(
        told.starts_with("a daemon holds the ledger and measures past hours by itself: 4 hours"),
        "{told}"
    );
    assert!(told.contains("`history.since`") && told.contains("no source had data"), "{told}");
    held.close().await;
}
