//! Prometheus 2 and 3 and VictoriaMetrics: all take history by remote write and answer the same query API.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::process::{Server, folder, free_port};
use super::remote_write::RemoteWriter;

/// What Prometheus scrapes besides taking remote writes.
#[derive(Debug, Default)]
pub(crate) struct Scrape<'a> {
    /// Where kwok lists its nodes.
    pub(crate) kwok: Option<&'a str>,
    /// Addresses of kube-state-metrics; two of them is a platform that runs it twice.
    pub(crate) kube_state_metrics: &'a [&'a str],
}

/// A real Prometheus with an empty store.
#[derive(Debug)]
pub(crate) struct Prometheus {
    server: Server,
    url: String,
    _folder: TempDir,
}

impl Prometheus {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// For history only.
    pub(crate) async fn start() -> Self {
        Self::scraping(&Scrape::default()).await
    }

    /// Prometheus 3, for history only: the edges of its ranges are not those of Prometheus 2.
    pub(crate) async fn three() -> Self {
        Self::run("prometheus-3", &Scrape::default()).await
    }

    /// Scraping these once a second.
    pub(crate) async fn scraping(scrape: &Scrape<'_>) -> Self {
        Self::run("prometheus", scrape).await
    }

    async fn run(program: &'static str, scrape: &Scrape<'_>) -> Self {
        let folder = folder();
        let configuration = folder.path().join("prometheus.yml");
        fs::write(&configuration, scrape.configuration()).expect("a configuration");
        let port = free_port();
        let arguments = [
            format!("--config.file={}", configuration.display()),
            format!("--storage.tsdb.path={}", folder.path().join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--web.enable-remote-write-receiver".to_owned(),
            "--storage.tsdb.retention.time=3y".to_owned(),
        ];
        let mut server = Server::start(program, folder.path(), &arguments);
        let url = format!("http://127.0.0.1:{port}");
        let ready = format!("{url}/-/ready");
        server.ready(async || super::answers(&ready).await).await;
        Self { server, url, _folder: folder }
    }

    /// Its address, which is also the root of its query API.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Writes history into it.
    pub(crate) fn writer(&self) -> RemoteWriter {
        RemoteWriter::new(format!("{}/api/v1/write", self.url), None)
    }

    /// An instant query, at a Unix time or now: the result's rows.
    pub(crate) async fn query(&self, promql: &str, at: Option<i64>) -> Vec<Value> {
        query(&self.url, promql, at).await
    }
}

impl Scrape<'_> {
    fn configuration(&self) -> String {
        // Days of history may come in any order.
        let mut text =
            "global: {scrape_interval: 1s}\nstorage: {tsdb: {out_of_order_time_window: 1000d}}\nscrape_configs:\n"
                .to_owned();
        if let Some(discovery) = self.kwok {
            let node = "relabel_configs: [{source_labels: [__metrics_path__], regex: '.*/nodes/([^/]+)/.*', target_label: instance}]";
            writeln!(text, "- {{job_name: cadvisor, http_sd_configs: [{{url: '{discovery}', refresh_interval: 1s}}], {node}}}")
                .expect("a string");
        }
        if !self.kube_state_metrics.is_empty() {
            let targets = self.kube_state_metrics.join("', '");
            writeln!(
                text,
                "- {{job_name: kube-state-metrics, honor_labels: true, static_configs: [{{targets: ['{targets}']}}]}}"
            )
            .expect("a string");
        }
        text
    }
}

/// A real VictoriaMetrics with an empty store.
#[derive(Debug)]
pub(crate) struct VictoriaMetrics {
    _server: Server,
    url: String,
    _folder: TempDir,
}

impl VictoriaMetrics {
    /// Starts it.
    pub(crate) async fn start() -> Self {
        let folder = folder();
        let port = free_port();
        let arguments = [
            format!("-httpListenAddr=127.0.0.1:{port}"),
            format!("-storageDataPath={}", folder.path().join("data").display()),
            "-retentionPeriod=10y".to_owned(),
        ];
        let mut server = Server::start("victoria-metrics", folder.path(), &arguments);
        let url = format!("http://127.0.0.1:{port}");
        let health = format!("{url}/health");
        server.ready(async || super::answers(&health).await).await;
        Self { _server: server, url, _folder: folder }
    }

    /// Its address, which is also the root of its query API.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Writes history into it, at once visible to queries.
    pub(crate) fn writer(&self) -> RemoteWriter {
        RemoteWriter::new(
            format!("{}/api/v1/write", self.url),
            Some(format!("{}/internal/force_flush", self.url)),
        )
    }

    /// An instant query, at a Unix time or now: the result's rows.
    pub(crate) async fn query(&self, promql: &str, at: Option<i64>) -> Vec<Value> {
        query(&self.url, promql, at).await
    }
}

async fn query(url: &str, promql: &str, at: Option<i64>) -> Vec<Value> {
    let mut parameters = vec![("query", promql.to_owned())];
    parameters.extend(at.map(|second| ("time", second.to_string())));
    let address =
        url::Url::parse_with_params(&format!("{url}/api/v1/query"), parameters).expect("an address");
    let answer = super::http().get(address).send().await.expect("the store answers");
    let status = answer.status();
    let body: Value = answer.json().await.expect("JSON");
    assert!(status.is_success(), "{promql}: {status}: {body}");
    body["data"]["result"].as_array().expect("rows").clone()
}
