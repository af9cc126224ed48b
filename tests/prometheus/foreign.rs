//! Series that somebody else publishes under the names of ours: a tenant with an exporter of its own.

use defray::collect::prometheus::{Collector, Names, Settings};

use super::{Pod, at, container, cpu, float, half_a_core, hours};
use crate::harness::{Prometheus, Series};

const KUBELET: [(&str, &str); 2] = [("job", "kubelet"), ("metrics_path", "/metrics/cadvisor")];

fn constant(name: &str, labels: &[(&str, &str)], value: f64) -> Series {
    Series::new(name, labels).every(30, at(-10), at(70), |_| value)
}

/// A pod and its node, as the jobs tell that are selected.
fn ours() -> Vec<Series> {
    let state = |more: &[(&'static str, &'static str)]| [&[("job", "kube-state-metrics")], more].concat();
    let mut all = Pod { namespace: "victim", from: -10, until: 70 }.state("10.0.0.1:8080", 500, 1 << 30);
    all.push(cpu("victim", &KUBELET).every(30, at(-10), at(70), half_a_core));
    let memory = container("victim", &KUBELET);
    all.push(constant("container_memory_working_set_bytes", &memory, float(1 << 29)));
    let sent = [&container("victim", &KUBELET)[..], &[("interface", "eth0")]].concat();
    all.push(constant("container_network_transmit_bytes_total", &sent, 0.0));
    all.push(constant("kube_node_info", &state(&[("node", "node-a")]), 1.0));
    let capacity = state(&[("node", "node-a"), ("resource", "cpu")]);
    all.push(constant("kube_node_status_capacity", &capacity, 4.0));
    let service = state(&[("namespace", "default"), ("service", "kubernetes"), ("type", "ClusterIP")]);
    all.push(constant("kube_service_spec_type", &service, 1.0));
    all
}

/// More of everything, from a job that nobody selected: of the same pod, of another, of nodes.
fn theirs() -> Vec<Series> {
    let evil = [("job", "evil"), ("metrics_path", "/metrics/cadvisor")];
    let mut all = Vec::new();
    for namespace in ["victim", "another"] {
        all.push(cpu(namespace, &evil).every(30, at(-10), at(70), |second| 9.0 * half_a_core(second)));
        let memory = container(namespace, &evil);
        all.push(constant("container_memory_working_set_bytes", &memory, float(1 << 30)));
        let request = [&container(namespace, &evil)[..], &[("uid", "u-1"), ("resource", "cpu")]].concat();
        all.push(constant("kube_pod_container_resource_requests", &request, 64.0));
        let phase = [&container(namespace, &evil)[..], &[("uid", "u-1"), ("phase", "Running")]].concat();
        all.push(constant("kube_pod_status_phase", &phase, 1.0));
    }
    all.push(constant("kube_node_info", &[("job", "evil"), ("node", "node-b")], 1.0));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_says_that_is_not_selected_is_billed_to_nobody() {
    let prometheus = Prometheus::start().await;
    let names = Names::kube_prometheus_stack();
    let settings = Settings { url: prometheus.url().to_owned(), names, ..Settings::default() };
    let collector = Collector::new(settings).expect("settings");
    prometheus.writer().write(&ours()).await;
    let before = hours(&collector, 1).await;
    let row = &before[0].usage.compute[0];
    assert_eq!((row.cpu_request.micros(), row.cpu_usage.micros()), (500_000, 500_000));
    prometheus.writer().write(&theirs()).await;
    assert_eq!(hours(&collector, 1).await, before);
}
