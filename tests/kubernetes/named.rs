//! A cluster without any resource for tenants: its namespaces say whose they are.

use std::time::Duration;

use defray::collect::kubernetes::{Asked, Kind, Settings};
use defray_pricing::ownership::{Conflict, Owners, resolve};
use defray_pricing::time::Hour;
use futures::StreamExt;
use tokio::time::timeout;

use super::observing::Watcher;
use super::{collector, settings};
use crate::harness::{ApiServer, Who};

fn namespace(name: &str, labels: &str, annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{labels}}}, annotations: {{{annotations}}}}}\n"
    )
}

async fn owners(watcher: &Watcher) -> Owners {
    let timeline = watcher.look().await;
    let now = Hour::containing(watcher.observer.shared.clock.now());
    resolve(&timeline, &watcher.config.tenancy, now)
}

fn owner(owners: &Owners, namespace: &str) -> Option<(String, String)> {
    let tenant = owners.namespaces[&("c".into(), namespace.into())].tenant.clone()?;
    let cost_center = owners.tenants[&("c".into(), tenant.clone())].cost_center.to_string();
    Some((tenant.to_string(), cost_center))
}

fn pays(tenant: &str, cost_center: &str) -> (String, String) {
    (tenant.to_owned(), cost_center.to_owned())
}

#[tokio::test]
async fn labels_annotations_and_trees_name_tenants_where_there_is_no_resource_for_them() {
    let api = ApiServer::start().await;
    for (name, labels, annotations) in [
        ("oil-dev", "capsule.clastix.io/tenant: oil, cc: CC-1", ""),
        ("oil-prod", "projectcapsule.dev/tenant: oil", ""),
        ("shop", "", "field.cattle.io/projectId: 'c-1:p-2', note: private"),
        ("cards", "cards.tree.hnc.x-k8s.io/depth: '0', retail.tree.hnc.x-k8s.io/depth: '1'", ""),
        ("plain", "", ""),
    ] {
        api.apply(&namespace(name, labels, annotations)).await;
    }
    // The role of a cluster that has no Tenants asks for none.
    let watcher = Watcher::start(
        &api.kubeconfig(Who::Admin),
        "tenants: {enabled: false}, namespace_labels: []",
        "rules: [{preset: capsule}, {preset: rancher, names: {p-2: retail-shop}}, {preset: hnc}], cost_centers: {labels: [cc], \
         by_tenant: {retail-shop: CC-2}}",
    )
    .await;
    let seen = owners(&watcher).await;
    assert_eq!(owner(&seen, "oil-dev"), Some(pays("oil", "CC-1")));
    assert_eq!(owner(&seen, "oil-prod"), Some(pays("oil", "CC-1")));
    assert_eq!(owner(&seen, "shop"), Some(pays("retail-shop", "CC-2")));
    assert_eq!(owner(&seen, "cards"), Some(pays("retail", "__unassigned__")));
    assert_eq!(owner(&seen, "plain"), None);
    let nothing = Conflict::NoCostCenter { cluster: "c".into(), tenant: "retail".into() };
    assert_eq!(seen.conflicts, [nothing].into());
    let kept = watcher.look().await.namespaces;
    let shop = kept.iter().find(|span| span.fact.name.as_str() == "shop").unwrap();
    assert_eq!(shop.fact.annotations.len(), 1, "no annotation but the one that is asked for: {shop:?}");

    // Another label speaks against the first: nobody's, and counted.
    api.apply(&namespace("oil-dev", "capsule.clastix.io/tenant: oil, projectcapsule.dev/tenant: gas", ""))
        .await;
    let torn = owners(&watcher).await;
    assert_eq!(owner(&torn, "oil-dev"), None);
    assert_eq!(
        torn.conflicts.len(),
        3,
        "torn, and now nothing says the cost centre of oil: {:#?}",
        torn.conflicts
    );
    let label = defray::telemetry::ClusterLabel { cluster: "c".to_owned() };
    assert_eq!(watcher.observer.shared.metrics.ownership_conflicts.get_or_create(&label).get(), 3);
}

#[tokio::test]
async fn a_change_of_an_annotation_wakes_if_a_rule_asks_for_it() {
    let api = ApiServer::start().await;
    api.apply(&namespace("noted", "", "owner: a, note: a")).await;
    let asked = Asked { annotations: ["owner".to_owned()].into(), ..Asked::default() };
    let settings = Settings { asked, tenants: None, ..settings(&api.kubeconfig(Who::Admin)) };
    let mut wakes = collector(settings).await.changes();
    let mut woken = async |seconds| {
        let wake = timeout(Duration::from_secs(seconds), wakes.next()).await;
        wake.is_ok_and(|wake| wake.unwrap().changed.contains(&Kind::Namespaces))
    };
    while woken(3).await {}
    api.apply(&namespace("noted", "", "owner: a, note: b")).await;
    assert!(!woken(3).await, "nobody asks for that one");
    api.apply(&namespace("noted", "", "owner: b, note: b")).await;
    assert!(woken(30).await);
}
