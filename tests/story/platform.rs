//! The platform in Kubernetes, and the files that the daemon is given.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::harness::{Bench, RESTRICTED_USER, Who, eventually};

use super::history::{NODES, Window};
use super::receiver::Receiver;

/// The article's Tenant as it stands there, and one with only what a Tenant must have.
const TENANTS: &str = r#"
apiVersion: platform.financecore.local/v1alpha1
kind: Tenant
metadata:
  name: payment-processing
spec:
  teamName: devteam-a
  ownerEmail: team-lead@financecore.com
  costCenter: "CC-12345"
  adGroup: "devteam-a"
  resourceQuota:
    cpu: "40"
    memory: "80Gi"
    storage: "1Ti"
  nodePool:
    size: 3
    instanceType: compute-optimized
  services:
    argocd: true
    monitoring: true
    vault: true
    istio: false
---
apiVersion: platform.financecore.local/v1alpha1
kind: Tenant
metadata:
  name: fraud-detection
spec:
  teamName: devteam-b
  ownerEmail: fraud@financecore.com
  costCenter: "CC-67890"
---
apiVersion: v1
kind: Namespace
metadata: {name: vcluster-devteam-a}
---
apiVersion: v1
kind: Namespace
metadata: {name: vcluster-devteam-b}
"#;

const PRICE_BOOK: &str = r#"
version: "story"
currency: EUR
effective_from: 2020-01-01
platform_cost_center: CC-PLATFORM
pools:
  - {pool: default, model: cost, node_hour: "2.00", weights: {cpu: "0.30", memory: "0.05"}}
  - {pool: dedicated, model: cost, node_hour: "5.00", weights: {cpu: "0.30", memory: "0.05"}}
services:
  argocd: {per_month: "45309.60"}
  monitoring: {per_month: "0"}
  vault: {per_month: "0"}
shared_costs:
  - {name: platform namespaces, namespaces: [kube-system], policy: even}
idle: {proportional: direct_cost}
cost_centers:
  - {cost_center: CC-67890, discount: "10%"}
"#;

/// Builds it, waits until its pods run, and says which uids they have.
pub(super) async fn build(bench: &Bench) -> BTreeMap<String, String> {
    let api = &bench.api;
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["deploy/crd/tenants.platform.financecore.local.yaml", "deploy/rbac/clusterrole.yaml"] {
        api.apply(&fs::read_to_string(top.join(file)).expect(file)).await;
    }
    // The daemon may do what the shipped role grants, and nothing else.
    api.apply(&format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: defray}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: defray-collector}}\n\
         subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {RESTRICTED_USER}}}]\n"
    ))
    .await;
    api.apply(TENANTS).await;
    let mut objects = String::new();
    for (node, pool, cores, gib, tenant) in NODES {
        let tenant = tenant.map(|tenant| format!(", tenant: {tenant}")).unwrap_or_default();
        let capacity = format!("{{cpu: '{cores}', memory: {gib}Gi, pods: '100'}}");
        write!(
            objects,
            "apiVersion: v1\nkind: Node\nmetadata: {{name: {node}, labels: {{nodepool: {pool}{tenant}}}}}\n\
             status: {{capacity: {capacity}, allocatable: {capacity}}}\n---\n"
        )
        .expect("a string");
    }
    for (namespace, pod, node, cpu, memory) in [
        ("vcluster-devteam-a", "api", "shared-1", "2", "4Gi"),
        ("vcluster-devteam-a", "batch", "dedicated-1", "3", "8Gi"),
        ("vcluster-devteam-b", "web", "shared-2", "1", "2Gi"),
        ("kube-system", "dns", "shared-2", "500m", "2Gi"),
    ] {
        write!(
            objects,
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {pod}, namespace: {namespace}}}\n\
             spec: {{nodeName: {node}, containers: [{{name: main, image: main, \
             resources: {{requests: {{cpu: '{cpu}', memory: {memory}}}}}}}]}}\n---\n"
        )
        .expect("a string");
    }
    eventually("kube-system is there", async || {
        api.get(Who::Admin, "/api/v1/namespaces/kube-system").await.0 == 200
    })
    .await;
    api.apply(objects.trim_end_matches("---\n")).await;
    eventually("all four pods run", async || running(bench).await.len() == 4).await;
    running(bench).await
}

async fn running(bench: &Bench) -> BTreeMap<String, String> {
    let (_, pods) = bench.api.get(Who::Admin, "/api/v1/pods").await;
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    pods["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|pod| pod["status"]["phase"] == "Running")
        .map(|pod| (text(&pod["metadata"]["name"]), text(&pod["metadata"]["uid"])))
        .collect()
}

/// Writes the daemon's configuration and price book.
pub(super) fn configure(home: &Path, port: u16, bench: &Bench, window: &Window) {
    fs::create_dir(home.join("ledger")).expect("a folder for the ledger");
    fs::write(home.join("book.yaml"), PRICE_BOOK).expect("a price book");
    let since =
        chrono::DateTime::from_timestamp(window.start, 0).expect("a time").format("%Y-%m-%dT%H:%M:%SZ");
    let configuration = format!(
        "billing: {{time_zone: {zone}}}\n\
         price_book: [book.yaml]\n\
         ledger: {{location: ledger}}\n\
         http: {{listen: '127.0.0.1:{port}'}}\n\
         history: {{since: '{since}', settle: {settle}m, concurrency: 1, pause: 2s}}\n\
         clusters:\n\
         - name: prod-1\n  \
           prometheus: {{url: '{prometheus}'}}\n  \
           kubernetes: {{kubeconfig: '{kubeconfig}'}}\n",
        zone = window.zone,
        settle = window.settle_minutes,
        prometheus = bench.prometheus.url(),
        kubeconfig = bench.api.kubeconfig(Who::Restricted).display(),
    );
    fs::write(home.join("defray.yaml"), configuration).expect("a configuration");
}

/// Tells the daemon, from its next start on, to push reports to that receiver.
pub(super) fn push_to(home: &Path, receiver: &Receiver) {
    let path = home.join("defray.yaml");
    let before = fs::read_to_string(&path).expect("the configuration");
    fs::write(path, before + &receiver.configuration()).expect("a configuration");
}
