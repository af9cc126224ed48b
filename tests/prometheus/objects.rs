//! Everything besides counters: nodes, volumes, load balancers, quotas, GPUs, init containers, traffic,
//! virtual namespaces, and ownership from the metrics store.

use defray::collect::prometheus::Dialect;
use defray_pricing::names::{ClusterName, VirtualNamespace};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::{ComputeRow, UsageHour};

use super::{FIRST, Prometheus, Series, at, collector, container, cpu, float, half_a_core, measured};

const GIB: f64 = 1_073_741_824.0;

/// A gauge of kube-state-metrics that stands from ten minutes before the hour to ten after it.
fn state(name: &str, labels: &[(&str, &str)], value: f64) -> Series {
    part(name, labels, value, -10, 70)
}

fn part(name: &str, labels: &[(&str, &str)], value: f64, from: i64, until: i64) -> Series {
    let mut all = vec![("job", "kube-state-metrics"), ("instance", "ksm:8080")];
    all.extend_from_slice(labels);
    Series::new(name, &all).every(30, at(from), at(until) - 30, |_| value).gone(at(until))
}

/// A running pod on a node.
fn running(namespace: &str, pod: &str, node: &str, host_network: &str) -> Vec<Series> {
    let of = [("namespace", namespace), ("pod", pod), ("uid", pod)];
    let mut info = of.to_vec();
    info.extend([("node", node), ("host_network", host_network)]);
    let mut phase = of.to_vec();
    phase.push(("phase", "Running"));
    vec![state("kube_pod_info", &info, 1.0), state("kube_pod_status_phase", &phase, 1.0)]
}

fn request(pod: &str, name: &str, resource: &str, init: bool, value: f64) -> Series {
    let metric = if init {
        "kube_pod_init_container_resource_requests"
    } else {
        "kube_pod_container_resource_requests"
    };
    let labels = [
        ("namespace", "team"),
        ("pod", pod),
        ("uid", pod),
        ("container", name),
        ("node", "node-a"),
        ("resource", resource),
        ("unit", "unit"),
    ];
    state(metric, &labels, value)
}

async fn one_hour(history: &[Series]) -> UsageHour {
    measured(history, 1).await.remove(0).usage
}

fn only(rows: &[ComputeRow]) -> &ComputeRow {
    assert_eq!(rows.len(), 1, "{rows:?}");
    &rows[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_count_by_the_minutes_they_existed_and_carry_their_capacity() {
    let mut history = Vec::new();
    // node-a is known to the directory; node-b appears at 0:30 and is known by its labels only.
    for (node, from) in [("node-a", -10), ("node-b", 30)] {
        history.push(part("kube_node_info", &[("node", node), ("system_uuid", node)], 1.0, from, 70));
        for (resource, value) in
            [("cpu", 4.0), ("memory", 16.0 * GIB), ("nvidia_com_gpu", 2.0), ("pods", 110.0)]
        {
            let labels = [("node", node), ("resource", resource), ("unit", "x")];
            history.push(part("kube_node_status_capacity", &labels, value, from, 70));
        }
    }
    let labels = [
        ("node", "node-b"),
        ("label_eks_amazonaws_com_nodegroup", "batch"),
        ("label_node_kubernetes_io_instance_type", "m6"),
        ("label_eks_amazonaws_com_capacity_type", "SPOT"),
    ];
    history.push(part("kube_node_labels", &labels, 1.0, 30, 70));
    let usage = one_hour(&history).await;
    let rows: Vec<_> = usage
        .nodes
        .iter()
        .map(|row| {
            let gpus = row.gpu_capacity["nvidia.com/gpu"].micros();
            let capacity = (row.cpu_capacity.micros(), row.memory_capacity.micros(), gpus);
            (row.class.to_string(), row.node_hours.micros(), capacity)
        })
        .collect();
    let expected = [
        ("batch/m6/spot".to_owned(), 500_000, (2_000_000, 8_000_000, 1_000_000)),
        ("shared/m5".to_owned(), 1_000_000, (4_000_000, 16_000_000, 2_000_000)),
    ];
    assert_eq!(rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn bound_volumes_count_by_claim_and_class_mounted_or_not() {
    let mut history = Vec::new();
    for (volume, size, bound_from) in [("pv-1", 10.0, -10), ("pv-2", 20.0, 45), ("pv-3", 40.0, 90)] {
        let of = [("persistentvolume", volume)];
        history.push(state("kube_persistentvolume_capacity_bytes", &of, size * GIB));
        let claim = [("persistentvolume", volume), ("claim_namespace", "team"), ("name", "data")];
        history.push(state("kube_persistentvolume_claim_ref", &claim, 1.0));
        let class = if volume == "pv-2" { "slow" } else { "fast" };
        let info = [("persistentvolume", volume), ("storageclass", class)];
        history.push(state("kube_persistentvolume_info", &info, 1.0));
        let phase = [("persistentvolume", volume), ("phase", "Bound")];
        let series =
            Series::new("kube_persistentvolume_status_phase", &phase)
                .every(30, at(-10), at(70), |second| if second >= at(bound_from) { 1.0 } else { 0.0 });
        history.push(series);
    }
    let usage = one_hour(&history).await;
    let rows: Vec<_> = usage
        .storage
        .iter()
        .map(|row| (row.namespace.as_str(), row.class.as_str(), row.capacity.micros()))
        .collect();
    assert_eq!(
        rows,
        [("team", "fast", 10_000_000), ("team", "slow", 5_000_000)],
        "released ones cost nobody"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn load_balancers_and_quotas_count_by_namespace() {
    let mut history = vec![
        part(
            "kube_service_spec_type",
            &[("namespace", "team"), ("service", "a"), ("uid", "a"), ("type", "LoadBalancer")],
            1.0,
            -10,
            70,
        ),
        part(
            "kube_service_spec_type",
            &[("namespace", "team"), ("service", "b"), ("uid", "b"), ("type", "LoadBalancer")],
            1.0,
            0,
            15,
        ),
        state(
            "kube_service_spec_type",
            &[("namespace", "team"), ("service", "c"), ("uid", "c"), ("type", "ClusterIP")],
            1.0,
        ),
    ];
    for (quota, kind, resource, value) in [
        ("big", "hard", "requests.cpu", 10.0),
        ("big", "used", "requests.cpu", 1.0),
        ("big", "hard", "requests.memory", 20.0 * GIB),
        ("small", "hard", "cpu", 4.0),
        ("small", "hard", "pods", 3.0),
    ] {
        let labels =
            [("namespace", "team"), ("resourcequota", quota), ("type", kind), ("resource", resource)];
        history.push(state("kube_resourcequota", &labels, value));
    }
    let usage = one_hour(&history).await;
    let balancers: Vec<_> =
        usage.load_balancers.iter().map(|row| (row.namespace.as_str(), row.hours.micros())).collect();
    assert_eq!(balancers, [("team", 1_250_000)]);
    assert_eq!(usage.quotas.len(), 1);
    let quota = &usage.quotas[0];
    assert_eq!(quota.cpu.map(Quantity::micros), Some(4_000_000), "the least of 10 and 4");
    assert_eq!(quota.memory.map(Quantity::micros), Some(20_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn init_containers_need_what_they_need_beyond_the_rest() {
    let mut history = running("team", "web", "node-a", "false");
    history.push(request("web", "app", "cpu", false, 1.0));
    history.push(request("web", "app", "nvidia_com_gpu", false, 1.0));
    history.push(request("web", "proxy", "cpu", true, 0.5));
    history.push(request("web", "migrate", "cpu", true, 4.0));
    history.push(request("web", "fetch", "cpu", true, 2.0));
    for (name, policy) in [("proxy", "Always"), ("migrate", ""), ("fetch", "")] {
        let labels = [
            ("namespace", "team"),
            ("pod", "web"),
            ("uid", "web"),
            ("container", name),
            ("restart_policy", policy),
        ];
        history.push(state("kube_pod_init_container_info", &labels, 1.0));
    }
    let usage = one_hour(&history).await;
    let row = only(&usage.compute);
    // The proxy's 0.5 is there all the time; migrate needs 4, which is 3 more than app's 1.
    assert_eq!(row.cpu_request.micros(), 4_500_000);
    assert_eq!(row.gpu_request["nvidia.com/gpu"].micros(), 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pods_own_interfaces_count_and_the_nodes_do_not() {
    let mut history = running("team", "web", "node-a", "false");
    history.extend(running("team", "agent", "node-a", "true"));
    for (pod, interface, job) in [
        ("web", "eth0", "kubelet"),
        ("web", "eth0", "kubelet-again"),
        ("web", "net1", "kubelet"),
        ("web", "cali1234", "kubelet"),
        ("agent", "eth0", "kubelet"),
    ] {
        let labels =
            [("namespace", "team"), ("pod", pod), ("node", "node-a"), ("interface", interface), ("job", job)];
        // 2^30 bytes a minute, so 60 GiB an hour.
        history.push(Series::new("container_network_transmit_bytes_total", &labels).every(
            60,
            at(-10),
            at(70),
            |second| float(second - at(-10)) / 60.0 * GIB,
        ));
    }
    let usage = one_hour(&history).await;
    let rows: Vec<_> = usage
        .network
        .iter()
        .map(|row| (row.namespace.as_str(), row.class.as_str(), row.egress.micros()))
        .collect();
    assert_eq!(rows, [("team", "all", 120_000_000)], "eth0 and net1, each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn virtual_namespaces_come_from_the_syncers_labels() {
    let mut history = Vec::new();
    let synced = |pod: &'static str, labels: &[(&'static str, &'static str)]| {
        let mut all = vec![("namespace", "vcluster-a"), ("pod", pod), ("uid", pod)];
        all.extend_from_slice(labels);
        state("kube_pod_labels", &all, 1.0)
    };
    let by = ("label_vcluster_loft_sh_managed_by", "a");
    history.push(synced("web-x-shop-x-a", &[by, ("label_vcluster_loft_sh_namespace", "shop")]));
    history.push(synced("db-x-data-x-a", &[by, ("label_vcluster_loft_sh_namespace", "data")]));
    history.push(synced("a-0", &[("label_app", "vcluster"), ("label_release", "a")]));
    history.push(synced("debug", &[]));
    for pod in ["web-x-shop-x-a", "db-x-data-x-a", "a-0", "debug"] {
        history.extend(running("vcluster-a", pod, "node-a", "false"));
        let labels = [
            ("namespace", "vcluster-a"),
            ("pod", pod),
            ("uid", pod),
            ("container", "c"),
            ("node", "node-a"),
            ("resource", "cpu"),
        ];
        history.push(state("kube_pod_container_resource_requests", &labels, 1.0));
    }
    let usage = one_hour(&history).await;
    let places: Vec<_> = usage
        .compute
        .iter()
        .map(|row| row.virtual_namespace.as_ref().map(VirtualNamespace::as_str))
        .collect();
    assert_eq!(places, [None, Some("(control plane)"), Some("data"), Some("shop")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_container_keeps_what_it_used_before() {
    // Another id is another series: the first ends at 0:30, the second starts there.
    let history = [
        cpu("team", &[("id", "/one")]).every(30, at(-10), at(30) - 30, half_a_core).gone(at(30)),
        cpu("team", &[("id", "/two")]).every(30, at(30) + 30, at(70), |s| float(s - at(30)) / 2.0),
        Series::new("container_start_time_seconds", &container("team", &[("id", "/two")])).every(
            30,
            at(30) + 30,
            at(70),
            |_| float(at(30)),
        ),
    ];
    let usage = one_hour(&history).await;
    // 900 s until 29:30 from 23:59:30, and 885 s until 59:30 from zero.
    assert_eq!(only(&usage.compute).cpu_usage.micros(), 250_000 + 245_833);
}

#[tokio::test(flavor = "multi_thread")]
async fn ownership_before_the_first_observation_comes_from_labels() {
    let tenant = |cost_center, from, until| {
        let labels = [("tenant", "payments"), ("team", "payments"), ("cost_center", cost_center)];
        part("kube_tenant_info", &labels, 1.0, from, until)
    };
    let history = [
        tenant("CC-1", 0, 60),
        tenant("CC-2", 60, 180),
        part(
            "kube_namespace_labels",
            &[("namespace", "vcluster-payments"), ("label_platform_financecore_local_tenant", "payments")],
            1.0,
            60,
            120,
        ),
        part("kube_namespace_labels", &[("namespace", "zoo")], 1.0, 0, 180),
        part(
            "kube_node_labels",
            &[("node", "node-a"), ("label_nodepool", "shared"), ("label_tenant", "x")],
            1.0,
            0,
            180,
        ),
    ];
    let prometheus = Prometheus::start().await;
    prometheus.writer().write(&history).await;
    let hours = HourRange { from: FIRST, until: Hour::from_index(FIRST.index() + 3) };
    let assumed = collector(prometheus.url(), Dialect::Prometheus)
        .assumed_ownership(&ClusterName::from("c1"), hours)
        .await
        .expect("ownership");
    let hour = |at: chrono::DateTime<chrono::Utc>| Hour::containing(at).index() - FIRST.index();
    let span = |from, until: Option<_>| (hour(from), until.map(hour));
    let tenants: Vec<_> =
        assumed.tenants.iter().map(|s| (s.fact.cost_center.as_str(), span(s.from, s.until))).collect();
    assert_eq!(tenants, [("CC-1", (0, Some(1))), ("CC-2", (1, Some(3)))]);
    let namespaces: Vec<_> =
        assumed.namespaces.iter().map(|s| (s.fact.name.as_str(), span(s.from, s.until))).collect();
    assert_eq!(namespaces, [("vcluster-payments", (1, Some(2))), ("zoo", (0, Some(3)))]);
    assert_eq!(assumed.namespaces[0].fact.labels["platform.financecore.local/tenant"], "payments");
    assert_eq!(assumed.nodes[0].fact.dedicated_to.as_deref(), Some("x"));
}
