//! What runs beside the API server: simulated kubelets and kube-state-metrics.

use tempfile::TempDir;

use super::api_server::{ApiServer, Who};
use super::process::{Server, folder, free_port};

/// Simulated kubelets: nodes become ready, pods run, and their use is served in cAdvisor's shape.
#[derive(Debug)]
pub(crate) struct Kwok {
    server: Server,
    url: String,
    port: u16,
    folder: TempDir,
}

impl Kwok {
    /// Simulates every node of that cluster.
    pub(crate) async fn start(api: &ApiServer) -> Self {
        let (folder, port) = (folder(), free_port());
        let (server, url) = serve(&folder, port, api).await;
        Self { server, url, port, folder }
    }

    /// Where Prometheus discovers the nodes' metrics.
    pub(crate) fn discovery(&self) -> String {
        format!("{}/discovery/prometheus", self.url)
    }

    /// Kills it and starts another in its place: every counter starts again from zero.
    pub(crate) async fn restart(&mut self, api: &ApiServer) {
        self.server.kill();
        (self.server, self.url) = serve(&self.folder, self.port, api).await;
    }
}

async fn serve(folder: &TempDir, port: u16, api: &ApiServer) -> (Server, String) {
    let arguments = [
        format!("--kubeconfig={}", api.kubeconfig(Who::Admin).display()),
        "--manage-all-nodes=true".to_owned(),
        "--node-ip=127.0.0.1".to_owned(),
        format!("--node-port={port}"),
        format!("--server-address=127.0.0.1:{port}"),
        "--node-lease-duration-seconds=0".to_owned(),
        format!("--config={}/tests/bench/kwok.yaml", env!("CARGO_MANIFEST_DIR")),
    ];
    let mut server = Server::start("kwok", folder.path(), &arguments);
    let url = format!("http://127.0.0.1:{port}");
    let health = format!("{url}/healthz");
    server.ready(async || super::answers(&health).await).await;
    (server, url)
}

/// A real kube-state-metrics.
#[derive(Debug)]
pub(crate) struct KubeStateMetrics {
    _server: Server,
    address: String,
    _folder: TempDir,
}

impl KubeStateMetrics {
    /// With every label allowed, as a platform that charges by labels has it.
    pub(crate) async fn start(api: &ApiServer) -> Self {
        let every = "nodes=[*],namespaces=[*],pods=[*],persistentvolumeclaims=[*]";
        Self::start_with(api, &[format!("--metric-labels-allowlist={every}")]).await
    }

    /// With these arguments only: without an allowlist it serves no labels at all.
    pub(crate) async fn start_with(api: &ApiServer, more: &[String]) -> Self {
        let folder = folder();
        let (port, telemetry) = (free_port(), free_port());
        let mut arguments = vec![
            format!("--kubeconfig={}", api.kubeconfig(Who::Admin).display()),
            "--host=127.0.0.1".to_owned(),
            format!("--port={port}"),
            "--telemetry-host=127.0.0.1".to_owned(),
            format!("--telemetry-port={telemetry}"),
            "--resources=pods,nodes,namespaces,resourcequotas,persistentvolumeclaims,persistentvolumes,services"
                .to_owned(),
        ];
        arguments.extend_from_slice(more);
        let mut server = Server::start("kube-state-metrics", folder.path(), &arguments);
        let address = format!("127.0.0.1:{port}");
        let health = format!("http://{address}/healthz");
        server.ready(async || super::answers(&health).await).await;
        Self { _server: server, address, _folder: folder }
    }

    /// Host and port to scrape.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}
