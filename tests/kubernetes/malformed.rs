//! A Tenant that becomes malformed: said where its owner looks, and its last good version stays in force.

use super::loose;
use super::observing::Watcher;
use crate::harness::{ApiServer, RESTRICTED_USER, Who, eventually};

const GROUP: &str = "platform.financecore.local";

fn tenant(spec: &str) -> String {
    format!("apiVersion: {GROUP}/v1alpha1\nkind: Tenant\nmetadata: {{name: payments}}\nspec: {spec}\n")
}

/// Grants the restricted user what a file of `deploy/` grants the daemon.
fn grant(file: &str) -> String {
    let account = "kind: ServiceAccount\n    name: defray\n    namespace: defray";
    let user = format!("apiGroup: rbac.authorization.k8s.io\n    kind: User\n    name: {RESTRICTED_USER}");
    assert!(file.contains(account), "{file}");
    file.replace(account, &user)
}

/// What is said on the tenant.
async fn notes(api: &ApiServer) -> Vec<String> {
    let (_, events) = api.get(Who::Admin, "/apis/events.k8s.io/v1/namespaces/default/events").await;
    let all = events["items"].as_array().cloned().unwrap_or_default();
    let ours = all.iter().filter(|event| event["regarding"]["name"] == "payments");
    ours.map(|event| {
        assert_eq!(event["type"], "Warning", "{event}");
        assert_eq!(event["regarding"]["kind"], "Tenant", "{event}");
        assert!(event["regarding"]["uid"].is_string(), "{event}");
        event["note"].as_str().unwrap().to_owned()
    })
    .collect()
}

#[tokio::test]
async fn a_malformed_tenant_is_told_once_on_the_resource_and_its_last_good_version_stays_in_force() {
    let api = ApiServer::start().await;
    api.apply(&loose(GROUP).1).await;
    api.apply(include_str!("../../deploy/rbac/clusterrole.yaml")).await;
    let bindings = include_str!("../../deploy/rbac/clusterrolebinding.yaml");
    api.apply(&grant(bindings.split("---\n").last().unwrap())).await;
    let watcher = Watcher::start(&api.kubeconfig(Who::Restricted), "", "").await;

    api.apply(&tenant("{teamName: pay, ownerEmail: p@bank.example, costCenter: CC-1}")).await;
    eventually("the role is in force", async || watcher.observer.run().await.is_ok()).await;
    assert_eq!(watcher.look().await.tenants.len(), 1);
    assert_eq!(watcher.held_over(), 0);

    // Not allowed to say so on the resource: no reason to stop.
    api.apply(&tenant("{teamName: pay, ownerEmail: p@bank.example}")).await;
    let timeline = watcher.look().await;
    let last = timeline.tenants.last().unwrap();
    assert_eq!(timeline.tenants.len(), 2, "{timeline:#?}");
    assert_eq!((last.until, last.fact.cost_center.as_str()), (None, "CC-1"), "it stays in force");
    assert_eq!(last.fact.malformed.as_deref(), Some("spec.costCenter is missing"));
    assert_eq!((watcher.held_over(), notes(&api).await), (1, Vec::new()));

    api.apply(&grant(include_str!("../../deploy/rbac/events.yaml"))).await;
    eventually("it is told on the resource", async || {
        watcher.look().await;
        !notes(&api).await.is_empty()
    })
    .await;
    for _ in 0..3 {
        assert_eq!(watcher.look().await.tenants.len(), 2, "nothing new");
    }
    let told = notes(&api).await;
    assert_eq!(told.len(), 1, "once for the cause, not for each list: {told:#?}");
    assert!(told[0].starts_with("spec.costCenter is missing. The last version"), "{told:#?}");

    // After a restart the same cause is the same Event.
    let again = Watcher::start(&api.kubeconfig(Who::Restricted), "", "").await;
    again.look().await;
    assert_eq!(notes(&api).await.len(), 1);
    let silent = Watcher::start(&api.kubeconfig(Who::Restricted), "events: false", "").await;
    api.apply(&tenant("{teamName: pay, ownerEmail: p@bank.example, costCenter: 7}")).await;
    silent.look().await;
    assert_eq!(notes(&api).await.len(), 1, "switched off");

    watcher.look().await;
    assert_eq!(notes(&api).await.len(), 2, "another cause is told");
    api.apply(&tenant("{teamName: pay, ownerEmail: p@bank.example, costCenter: CC-2}")).await;
    let timeline = watcher.look().await;
    let seen: Vec<_> = timeline
        .tenants
        .iter()
        .map(|span| (span.fact.cost_center.as_str(), span.fact.malformed.is_some(), span.until.is_none()))
        .collect();
    assert_eq!(
        seen,
        [("CC-1", false, false), ("CC-1", true, false), ("CC-1", true, false), ("CC-2", false, true)]
    );
    assert_eq!(watcher.held_over(), 0);
}
