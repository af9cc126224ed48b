//! One store that holds many clusters: each is measured by itself, and two that are selected as one are found out.

use super::*;

/// What a cluster's exporters say, as its Prometheus labels it.
fn of(cluster: Option<&str>, series: Series) -> Series {
    match cluster {
        Some(cluster) => series.labelled("cluster", cluster),
        None => series,
    }
}

/// One node and one pod of the same names in every cluster; only the use differs.
fn history(cluster: &str, seconds: i64) -> Vec<Series> {
    let pod = Pod { namespace: "shop", from: -10, until: 70 };
    let mut all = pod.state(&format!("ksm-{cluster}"), 250 * seconds, 1 << 30);
    all.push(cpu("shop", &[]).every(30, at(-10), at(70), move |second| float((second - at(-10)) * seconds)));
    let rest = background(&all);
    all.into_iter().chain(rest).map(|series| of(Some(cluster), series)).collect()
}

fn one_of(url: &str, cluster: Option<&str>) -> Collector {
    let cluster = cluster.map(|cluster| ("cluster".to_owned(), cluster.to_owned()));
    Collector::new(Settings { url: url.to_owned(), cluster, ..Settings::default() }).expect("settings")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_of_one_store_are_measured_apart_though_all_their_names_are_the_same() {
    let store = Prometheus::start().await;
    store.writer().write(&[history("eu", 1), history("us", 2)].concat()).await;
    for (cluster, cores) in [("eu", 1), ("us", 2)] {
        let usage = hours(&one_of(store.url(), Some(cluster)), 1).await.remove(0).usage;
        let row = usage.compute.iter().find(|row| row.namespace.as_str() == "shop").expect("a row");
        assert_eq!(row.cpu_request.micros(), cores * 250_000, "{cluster}");
        assert_eq!(cpu_micros(&usage, "shop"), cores * 1_000_000, "{cluster}");
        assert_eq!(
            usage.nodes.iter().map(|node| node.node_hours.micros()).sum::<i64>(),
            1_000_000,
            "{cluster}"
        );
        assert_eq!(
            usage.nodes.iter().map(|node| node.cpu_capacity.micros()).sum::<i64>(),
            4_000_000,
            "{cluster}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_refuses_a_selector_that_matches_two_clusters_and_says_what_tells_them_apart() {
    let store = Prometheus::start().await;
    let now = one_of(store.url(), None).clock().await.expect("its clock").timestamp();
    let made = |cluster: Option<&str>, exporter: &str, at: i64| {
        let labels = [("namespace", "kube-system"), ("job", "kube-state-metrics"), ("instance", exporter)];
        let series = Series::new("kube_namespace_created", &labels);
        of(cluster, series.every(60, now - 300, now, move |_| float(at)))
    };
    let verdict = async |collector: &Collector| {
        let now = chrono::DateTime::from_timestamp(now, 0).expect("a time");
        let findings = collector.check(now, true).await;
        let found = findings.into_iter().find(|finding| finding.subject.ends_with("one cluster"));
        found.expect("it is looked at")
    };
    let told = verdict(&one_of(store.url(), None)).await;
    assert!(told.ok && told.message.starts_with("not told"), "{told:?}");

    // A second kube-state-metrics of the same cluster is no other cluster.
    store.writer().write(&[made(Some("eu"), "a", 1_000_000), made(Some("eu"), "b", 1_000_000)]).await;
    assert!(verdict(&one_of(store.url(), None)).await.ok);
    store.writer().write(&[made(Some("us"), "c", 2_000_000)]).await;
    let told = verdict(&one_of(store.url(), None)).await;
    assert!(!told.ok, "{told:?}");
    assert!(
        told.message.contains("2 clusters") && told.message.contains("`cluster` tells them apart: eu, us"),
        "{told:?}"
    );
    assert!(told.mend.as_deref().unwrap_or_default().contains("cluster_label: {name: cluster"), "{told:?}");
    for cluster in ["eu", "us"] {
        assert!(verdict(&one_of(store.url(), Some(cluster))).await.ok, "{cluster}");
    }
}
