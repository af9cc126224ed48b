//! The bench itself: what the other tests stand on is real, and goes when they go.

use crate::harness::{
    ApiServer, Bench, Prometheus, RESTRICTED_USER, Series, Server, VictoriaMetrics, Who, eventually, folder,
};

const NODE_AND_POD: &str = "
apiVersion: v1
kind: Node
metadata: {name: node-1, labels: {nodepool: shared}}
---
apiVersion: v1
kind: Namespace
metadata: {name: vcluster-payments}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota, namespace: vcluster-payments}
spec: {hard: {requests.cpu: '10'}}
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: vcluster-payments
  labels: {vcluster.loft.sh/managed-by: payments}
  annotations: {kwok.x-k8s.io/usage-cpu: 500m, kwok.x-k8s.io/usage-memory: 256Mi}
spec:
  nodeName: node-1
  containers: [{name: web, image: web, resources: {requests: {cpu: 250m, memory: 128Mi}}}]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_pods_use_labels_and_quota_reach_prometheus_and_go_with_it() {
    let mut bench = Bench::start().await;
    bench.api.apply(NODE_AND_POD).await;
    for wanted in [
        r#"rate(container_cpu_usage_seconds_total{namespace="vcluster-payments",pod="web",node="node-1"}[10s]) > 0.4 < 0.6"#,
        r#"container_memory_working_set_bytes{pod="web"} == 268435456"#,
        r#"kube_pod_labels{label_vcluster_loft_sh_managed_by="payments"}"#,
        r#"kube_pod_container_resource_requests{pod="web",resource="cpu"} == 0.25"#,
        r#"kube_node_labels{node="node-1",label_nodepool="shared"}"#,
        r#"kube_resourcequota{namespace="vcluster-payments",resource="requests.cpu",type="used"} == 0.25"#,
    ] {
        eventually(wanted, async || bench.prometheus.query(wanted, None).await.len() == 1).await;
    }
    bench.kwok.restart(&bench.api).await;
    let reset = r#"resets(container_cpu_usage_seconds_total{pod="web"}[1m]) == 1"#;
    eventually(reset, async || bench.prometheus.query(reset, None).await.len() == 1).await;
    bench.api.delete("/api/v1/namespaces/vcluster-payments").await;
    eventually("the controller manager emptied and removed the namespace", async || {
        bench.api.get(Who::Admin, "/api/v1/namespaces/vcluster-payments").await.0 == 404
    })
    .await;
    let gone = "absent(kube_pod_info)";
    eventually(gone, async || bench.prometheus.query(gone, None).await.len() == 1).await;
}

const VOLUME_AND_CLAIM: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: vcluster-storage}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk-1}
spec:
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: fast
  hostPath: {path: /nowhere}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: vcluster-storage}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: fast
  resources: {requests: {storage: 8Gi}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_bound_to_a_volume_and_its_capacity_reaches_prometheus() {
    let bench = Bench::start().await;
    bench.api.apply(VOLUME_AND_CLAIM).await;
    for wanted in [
        r#"kube_persistentvolumeclaim_status_phase{namespace="vcluster-storage",phase="Bound"} == 1"#,
        r#"kube_persistentvolumeclaim_info{storageclass="fast",volumename="disk-1"}"#,
        r#"kube_persistentvolume_claim_ref{persistentvolume="disk-1",claim_namespace="vcluster-storage"}"#,
        r#"kube_persistentvolume_capacity_bytes{persistentvolume="disk-1"} == 10 * 2^30"#,
    ] {
        eventually(wanted, async || bench.prometheus.query(wanted, None).await.len() == 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_grants_what_roles_grant_and_no_more() {
    let api = ApiServer::shared().await;
    let nodes = "/api/v1/nodes";
    assert_eq!(api.get(Who::Admin, nodes).await.0, 200, "{}", api.url());
    assert_eq!(api.get(Who::Restricted, nodes).await.0, 403);
    assert_eq!(api.get(Who::Stranger, nodes).await.0, 401);
    let pods = "/api/v1/namespaces/bench-roles/pods";
    api.apply(&format!(
        "
apiVersion: v1
kind: Namespace
metadata: {{name: bench-roles}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reads-pods, namespace: bench-roles}}
rules: [{{apiGroups: [''], resources: [pods], verbs: [list]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reads-pods, namespace: bench-roles}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reads-pods}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {RESTRICTED_USER}}}]
"
    ))
    .await;
    eventually("the role is in force", async || api.get(Who::Restricted, pods).await.0 == 200).await;
    api.delete("/apis/rbac.authorization.k8s.io/v1/namespaces/bench-roles/rolebindings/reads-pods").await;
    eventually("the role is no longer in force", async || api.get(Who::Restricted, pods).await.0 == 403)
        .await;
}

/// An hour of a counter that rises by 30 a minute, and then is marked as gone.
fn history(from: i64) -> Series {
    Series::new("bench_seconds_total", &[("pod", "web")])
        .every(60, from, from + 3540, |second| {
            f64::from(u16::try_from(second - from).expect("an hour")) / 2.0
        })
        .at(from + 3600, 1800.0)
        .gone(from + 3660)
}

#[tokio::test(flavor = "multi_thread")]
async fn history_written_into_either_store_reads_back_as_written() {
    let (prometheus, victoria) = tokio::join!(Prometheus::start(), VictoriaMetrics::start());
    let from = 1_790_000_000;
    prometheus.writer().write(&[history(from)]).await;
    victoria.writer().write(&[history(from)]).await;
    let samples = "count_over_time(bench_seconds_total[1h1s])";
    let last = "last_over_time(bench_seconds_total[1m])";
    for (promql, wanted) in [(samples, "61"), (last, "1800")] {
        let at = Some(from + 3600);
        assert_eq!(
            prometheus.query(promql, at).await[0]["value"][1],
            wanted,
            "{promql} on {}",
            prometheus.url()
        );
        assert_eq!(victoria.query(promql, at).await[0]["value"][1], wanted, "{promql} on {}", victoria.url());
    }
    let after = Some(from + 3661);
    assert_eq!(prometheus.query("bench_seconds_total", after).await.len(), 0);
    assert_eq!(victoria.query("bench_seconds_total", after).await.len(), 0);
}

fn running(pid: u32) -> bool {
    // A zombie has an entry in /proc but runs nothing.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_goes_with_its_value_and_with_the_test_that_panics() {
    let prometheus = Prometheus::start().await;
    let pid = prometheus.pid();
    assert!(running(pid));
    drop(prometheus);
    assert!(!running(pid));

    let prometheus = Prometheus::start().await;
    let pid = prometheus.pid();
    let panicked = std::panic::catch_unwind(move || {
        let _held = prometheus;
        panic!("a test that fails, on purpose: the log that follows is part of it");
    });
    assert!(panicked.is_err());
    assert!(!running(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_goes_with_the_test_process_however_that_ends() {
    let this = std::env::current_exe().expect("this test binary");
    let folder = folder();
    let arguments = ["--exact", "bench::waits_with_a_server", "--ignored", "--nocapture"].map(str::to_owned);
    let mut tests = Server::start_program("tests", &this, folder.path(), &arguments);
    let said = |log: String| log.lines().find_map(|line| line.strip_prefix("pid ")?.parse::<u32>().ok());
    eventually("the other process has a server", async || said(tests.log()).is_some()).await;
    let pid = said(tests.log()).expect("just seen");
    assert!(running(pid));
    tests.kill();
    eventually("the server is gone", async || !running(pid)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that the test above kills"]
async fn waits_with_a_server() {
    let prometheus = Prometheus::start().await;
    println!("pid {}", prometheus.pid());
    std::future::pending::<()>().await;
}
