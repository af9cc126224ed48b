//! The demo's numbers and measured ones do not come together.

use defray::demo::Platform;
use defray_ledger::{Ledger, Observation, Scope};
use defray_pricing::names::ClusterName;

use super::{Site, defray, err};

/// A ledger in which a cluster was observed.
pub(super) async fn observed(site: &Site, cluster: &str, at: chrono::DateTime<chrono::Utc>) -> Ledger {
    let ledger = site.ledger().await;
    let guard = ledger.acquire().await.unwrap();
    ledger.observe(&guard, &ClusterName::from(cluster), at, &Observation::default()).await.unwrap();
    ledger
}

#[tokio::test]
async fn the_demo_is_not_run_over_what_was_measured() {
    // Even a cluster that is called as the demo's is not the demo's.
    for cluster in ["prod-1", "demo"] {
        let site = Site::new();
        let ledger = observed(&site, cluster, "2026-10-01T00:00:00.5Z".parse().unwrap()).await;
        ledger.close().await;
        drop(ledger);
        let data = site.path().join("data").display().to_string();
        let output = defray(&["demo", "--data", &data, "--listen", "127.0.0.1:0"]);
        assert_eq!(output.status.code(), Some(1));
        let told = err(&output);
        assert!(told.contains(&format!("holds what was measured of {cluster};")), "{told}");
        assert!(told.contains("name an empty directory with --data"), "{told}");
        let ledger = site.ledger().await;
        let clusters = ledger.clusters(&Scope::everything()).await.unwrap();
        assert_eq!(clusters, [cluster.into()]);
        assert_eq!(ledger.latest_hour(&Scope::everything()).await.unwrap(), None, "nothing was added");
        ledger.close().await;
    }
}

#[tokio::test]
async fn the_daemon_is_not_run_over_the_demo() {
    let site = Site::new();
    let (first, _) = Platform::new().unwrap().observations().remove(0);
    observed(&site, "demo", first).await.close().await;
    let output = defray(&["serve", "--config", &site.config()]);
    assert_eq!(output.status.code(), Some(1));
    let told = err(&output);
    assert!(told.contains("the demo's made-up numbers") && told.contains("ledger.location"), "{told}");
}
