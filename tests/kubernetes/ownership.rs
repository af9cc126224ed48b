//! What exists becomes facts, and what cannot be read is said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use defray::collect::kubernetes::{Observed, PodEvent, PodSource, Settings};
use defray_ledger::SeenPod;
use defray_pricing::names::{Service, Uid};
use defray_pricing::ownership::{NamespaceFact, NodeFact, TenantFact};
use futures::StreamExt;

use super::{DEFINITION, collector, kube_system, loose, said, settings};
use crate::harness::{ApiServer, Who, eventually};

fn tenant<'a>(seen: &'a Observed, name: &str) -> Option<&'a (Uid, TenantFact)> {
    let tenants = seen.observation.tenants.as_ref().expect("tenants were listed");
    tenants.iter().find(|(_, fact)| fact.name == name)
}

fn namespace<'a>(seen: &'a Observed, name: &str) -> Option<&'a (Uid, NamespaceFact)> {
    let namespaces = seen.observation.namespaces.as_ref().expect("namespaces were listed");
    namespaces.iter().find(|(_, fact)| fact.name.as_str() == name)
}

fn node<'a>(seen: &'a Observed, name: &str) -> Option<&'a (Uid, NodeFact)> {
    let nodes = seen.observation.nodes.as_ref().expect("nodes were listed");
    nodes.iter().find(|(_, fact)| fact.name == name)
}

fn services(fact: &TenantFact) -> Vec<&str> {
    fact.services.iter().map(Service::as_str).collect()
}

#[tokio::test]
async fn tenants_are_read_with_the_defaults_that_the_definition_gives() {
    let api = ApiServer::shared().await;
    api.apply(DEFINITION).await;
    api.apply(include_str!("../data/tenant-article.yaml")).await;
    let seen = collector(settings(&api.kubeconfig(Who::Admin))).await.observe().await.unwrap();

    let (uid, all) = tenant(&seen, "card-payments").unwrap();
    assert_eq!(all.team.as_str(), "devteam-a");
    assert_eq!(all.cost_center.as_str(), "CC-10001");
    assert_eq!(all.owner_email, "lead-a@bank.example");
    assert_eq!(all.ad_group.as_deref(), Some("devteam-a"));
    assert_eq!(services(all), ["argocd", "monitoring", "vault"]);
    assert_eq!(all.node_pool_size, Some(3));
    assert_eq!(all.node_pool_instance_type.as_deref(), Some("compute-optimized"));
    assert!(seen.observation.created.contains_key(uid), "the API server says when it was made");

    let (_, least) = tenant(&seen, "fraud-detection").unwrap();
    assert_eq!(least.cost_center.as_str(), "CC-10002");
    assert_eq!(services(least), Vec::<&str>::new(), "no services at all: none is on");
    assert_eq!((least.node_pool_size, &least.ad_group), (None, &None));

    let (_, defaulted) = tenant(&seen, "onboarding").unwrap();
    assert_eq!(
        services(defaulted),
        ["argocd", "istio", "kafka", "monitoring"],
        "defaults, and one of its own"
    );
}

#[tokio::test]
async fn the_definition_refuses_what_could_not_be_charged() {
    let api = ApiServer::shared().await;
    api.apply(DEFINITION).await;
    let kubeconfig = api.kubeconfig(Who::Admin);
    let good = serde_json::json!({
        "apiVersion": "platform.financecore.local/v1alpha1", "kind": "Tenant",
        "metadata": {"name": "refused"},
        "spec": {"teamName": "a", "ownerEmail": "a@bank.example", "costCenter": "CC-1"},
    });
    assert_eq!(try_to_create(&kubeconfig, &good).await, 201, "the good one is taken");
    for (pointer, value) in [
        ("/spec/teamName", serde_json::json!("Team A")),
        ("/spec/teamName", serde_json::Value::Null),
        ("/spec/ownerEmail", serde_json::json!("nobody")),
        ("/spec/costCenter", serde_json::json!(7)),
        ("/spec/nodePool", serde_json::json!({"size": 0})),
        ("/spec/nodePool", serde_json::json!({"size": 11})),
        ("/spec/nodePool", serde_json::json!({"instanceType": "huge"})),
        ("/spec/services", serde_json::json!({"vault": "yes"})),
    ] {
        let mut bad = good.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        bad.pointer_mut(parent).unwrap()[field] = value;
        assert_eq!(try_to_create(&kubeconfig, &bad).await, 422, "{bad}");
    }
}

/// A client that trusts this server's certificate.
fn client(kubeconfig: &Path) -> reqwest::Client {
    let pem = std::fs::read(said(kubeconfig, "certificate-authority")).unwrap();
    let trusted = reqwest::Certificate::from_pem_bundle(&pem).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only(trusted).build().unwrap()
}

/// Whether a tenant would be taken, without making it.
async fn try_to_create(kubeconfig: &Path, tenant: &serde_json::Value) -> u16 {
    let server = said(kubeconfig, "server");
    let url = format!("{server}/apis/platform.financecore.local/v1alpha1/tenants?dryRun=All");
    let request = client(kubeconfig).post(url).bearer_auth(said(kubeconfig, "token")).json(tenant);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_malformed_tenant_is_skipped_and_takes_no_other_down() {
    let api = ApiServer::shared().await;
    let (source, definition) = loose("malformed.example");
    api.apply(&definition).await;
    for (name, spec) in [
        ("good", "{teamName: devteam-a, ownerEmail: a@bank.example, costCenter: CC-1}"),
        ("twin", "{teamName: devteam-a, ownerEmail: b@bank.example, costCenter: CC-2}"),
        ("nameless", "{ownerEmail: a@bank.example, costCenter: CC-1}"),
        ("numeric", "{teamName: 7, ownerEmail: a@bank.example, costCenter: CC-1}"),
        ("negative", "{teamName: neg, ownerEmail: a@bank.example, costCenter: CC-1, nodePool: {size: -3}}"),
        ("formula", "{teamName: f, ownerEmail: a@bank.example, costCenter: '=HYPERLINK(\"x\")'}"),
        ("reserved", "{teamName: __platform__, ownerEmail: a@bank.example, costCenter: CC-1}"),
        ("control", "{teamName: \"a\\u0007b\", ownerEmail: a@bank.example, costCenter: CC-1}"),
        ("shapeless", "[1, 2]"),
    ] {
        api.apply(&format!(
            "apiVersion: malformed.example/v1alpha1\nkind: Tenant\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        ))
        .await;
    }
    let settings = Settings { tenants: Some(source), ..settings(&api.kubeconfig(Who::Admin)) };
    let seen = collector(settings).await.observe().await.unwrap();

    assert!(tenant(&seen, "good").is_some() && tenant(&seen, "twin").is_some(), "two of one team both pass");
    assert_eq!(seen.observation.tenants.as_ref().unwrap().len(), 2);
    let skipped: Vec<_> = seen.skipped.iter().map(ToString::to_string).collect();
    for (resource, reason) in [
        ("Tenant nameless", "spec.teamName is missing"),
        ("Tenant numeric", "spec.teamName is a number"),
        ("Tenant negative", "spec.nodePool.size is -3"),
        ("Tenant formula", "spec.costCenter is `=HYPERLINK(\"x\")`"),
        ("Tenant reserved", "spec.teamName is `__platform__`"),
        ("Tenant control", "U+0007"),
        ("Tenant shapeless", "spec.teamName is missing"),
    ] {
        assert!(
            skipped.iter().any(|said| said.starts_with(resource) && said.contains(reason)),
            "{resource}: {reason} in {skipped:#?}"
        );
    }
    assert_eq!(skipped.len(), 7);
    let unreadable: BTreeMap<_, _> = seen
        .skipped
        .iter()
        .filter_map(|skipped| Some((skipped.uid.clone()?, skipped.reason.clone())))
        .collect();
    assert_eq!(unreadable.len(), 7);
    assert_eq!(seen.observation.unreadable, unreadable, "they are not gone");
}

#[tokio::test]
async fn what_went_while_nobody_watched_is_gone_and_what_came_back_is_another() {
    let api = ApiServer::shared().await;
    let (source, definition) = loose("unwatched.example");
    api.apply(&definition).await;
    let one = "apiVersion: unwatched.example/v1alpha1\nkind: Tenant\nmetadata: {name: t}\n\
               spec: {teamName: t, ownerEmail: t@bank.example, costCenter: CC-1}\n";
    let two = "apiVersion: v1\nkind: Namespace\nmetadata: {name: vcluster-unwatched, labels: {team: t}}\n";
    let three = "apiVersion: v1\nkind: Node\nmetadata: {name: unwatched, labels: {nodepool: p}}\n";
    for object in [one, two, three] {
        api.apply(object).await;
    }
    let settings = Settings { tenants: Some(source), ..settings(&api.kubeconfig(Who::Admin)) };
    let collector = collector(settings).await;
    let before = collector.observe().await.unwrap();
    let uid_before = namespace(&before, "vcluster-unwatched").unwrap().0.clone();
    let node_before = node(&before, "unwatched").unwrap().0.clone();

    api.delete("/apis/unwatched.example/v1alpha1/tenants/t").await;
    api.delete("/api/v1/nodes/unwatched").await;
    api.delete("/api/v1/namespaces/vcluster-unwatched").await;
    eventually("the namespace is gone", async || {
        namespace(&collector.observe().await.unwrap(), "vcluster-unwatched").is_none()
    })
    .await;
    api.apply(two).await;
    api.apply(three).await;

    let after = collector.observe().await.unwrap();
    assert_eq!(tenant(&after, "t"), None);
    let (uid, fact) = namespace(&after, "vcluster-unwatched").unwrap();
    assert_ne!(*uid, uid_before);
    assert_eq!(fact.labels.get("team").map(String::as_str), Some("t"));
    assert!(after.observation.created[uid] >= before.observation.created[&uid_before]);
    assert_ne!(node(&after, "unwatched").unwrap().0, node_before);
}

#[tokio::test]
async fn a_list_of_many_pages_is_whole_and_nodes_say_their_pool_and_tenant() {
    let api = ApiServer::shared().await;
    for number in 0..10 {
        api.apply(&format!(
            "apiVersion: v1\nkind: Node\nmetadata:\n  name: paged-{number}\n  labels: {{nodepool: paged, \
             node.kubernetes.io/instance-type: m5.large, karpenter.sh/capacity-type: spot}}\n\
             spec: {{taints: [{{key: tenant, value: devteam-a, effect: NoSchedule}}]}}\n"
        ))
        .await;
    }
    let settings = Settings { page_size: 3, tenants: None, ..settings(&api.kubeconfig(Who::Admin)) };
    let seen = collector(settings).await.observe().await.unwrap();
    for number in 0..10 {
        let (_, fact) = node(&seen, &format!("paged-{number}")).unwrap();
        assert_eq!(fact.pool.as_str(), "paged");
        assert_eq!(fact.instance_type.as_str(), "m5.large");
        assert_eq!(fact.capacity_type.as_str(), "spot");
        assert_eq!(fact.dedicated_to.as_deref(), Some("devteam-a"));
    }
    assert_eq!(seen.observation.tenants, None, "not asked for");
    assert_eq!(seen.problems, []);
}

#[tokio::test]
async fn pods_of_virtual_clusters_are_read_by_their_labels_alone() {
    let api = ApiServer::shared().await;
    api.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: vcluster-pods}\n").await;
    for (name, labels) in [
        (
            "web-x-shop-x-a",
            "{vcluster.loft.sh/managed-by: a, vcluster.loft.sh/namespace: shop, app: vcluster}",
        ),
        ("a-0", "{app: vcluster, release: a}"),
        ("other", "{app: other}"),
    ] {
        api.apply(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: vcluster-pods, labels: {labels}}}\n\
             spec: {{containers: [{{name: c, image: none}}]}}\n"
        ))
        .await;
    }
    let settings = Settings { pods: Some(PodSource::default()), ..settings(&api.kubeconfig(Who::Admin)) };
    let collector = collector(settings).await;
    let shown = |pod: &SeenPod| {
        let fact = pod.fact.clone();
        (fact.name, fact.virtual_namespace.as_str().to_string())
    };
    let ours = |pod: &SeenPod| pod.fact.namespace.as_str() == "vcluster-pods";
    let of = kube_system(api).await;
    let mut listed: Vec<_> =
        collector.pods(&of).await.unwrap().iter().filter(|pod| ours(pod)).map(shown).collect();
    listed.sort();
    let text = str::to_string;
    let expected = [(text("a-0"), text("(control plane)")), (text("web-x-shop-x-a"), text("shop"))];
    assert_eq!(listed, expected);

    let mut changes = collector.pod_changes(&of);
    let mut next = async || loop {
        match changes.next().await.unwrap().unwrap() {
            PodEvent::Seen(pod) if !ours(&pod) => {}
            PodEvent::Begun => {}
            other => return other,
        }
    };
    let mut watched = BTreeSet::new();
    let mut uids = BTreeMap::new();
    while watched.len() < 2 {
        let PodEvent::Seen(pod) = next().await else { panic!("nothing is gone") };
        assert!(pod.created.is_some(), "the API server says when it was made");
        uids.insert(pod.fact.name.clone(), pod.uid.clone());
        watched.insert(shown(&pod));
    }
    assert_eq!(watched, BTreeSet::from(expected));
    api.delete("/api/v1/namespaces/vcluster-pods/pods/a-0?gracePeriodSeconds=0").await;
    loop {
        // Before it goes it may be seen once more, marked as one that is to go.
        if let PodEvent::Gone(uid) = next().await {
            assert_eq!(uid, uids["a-0"]);
            break;
        }
    }
}
