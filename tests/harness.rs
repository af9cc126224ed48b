//! Starts the real servers on free loopback ports and takes them down again.
//!
//! Each part can be started alone ([`ApiServer`], [`Kwok`], [`KubeStateMetrics`], [`Prometheus`], [`VictoriaMetrics`]);
//! [`Bench`] is all of a platform. Every server dies with its value, with the test that panics, and with the test process
//! however that ends. What is not installed is installed first; what cannot be installed fails the test.

mod api_server;
mod install;
mod metrics_store;
mod platform;
mod process;
mod remote_write;

pub(crate) use api_server::{ApiServer, RESTRICTED_USER, Who};
pub(crate) use metrics_store::{Prometheus, Scrape, VictoriaMetrics};
pub(crate) use platform::{KubeStateMetrics, Kwok};
pub(crate) use process::{Server, folder, free_port};
pub(crate) use remote_write::Series;

/// A whole platform: Kubernetes with simulated nodes, its metrics scraped once a second.
#[derive(Debug)]
pub(crate) struct Bench {
    /// Scrapes the two below.
    pub(crate) prometheus: Prometheus,
    /// Serves what the API server knows as metrics.
    _kube_state_metrics: KubeStateMetrics,
    /// Simulates the nodes.
    pub(crate) kwok: Kwok,
    /// The cluster's API.
    pub(crate) api: ApiServer,
}

impl Bench {
    /// Starts it all.
    pub(crate) async fn start() -> Self {
        let api = ApiServer::start().await;
        let (kwok, kube_state_metrics) = tokio::join!(Kwok::start(&api), KubeStateMetrics::start(&api));
        let prometheus = Prometheus::scraping(&Scrape {
            kwok: Some(&kwok.discovery()),
            kube_state_metrics: &[kube_state_metrics.address()],
        })
        .await;
        Self { prometheus, _kube_state_metrics: kube_state_metrics, kwok, api }
    }
}

/// A client for the bench's own plain HTTP.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// Whether that address answers with success.
pub(crate) async fn answers(url: &str) -> bool {
    http().get(url).send().await.is_ok_and(|answer| answer.status().is_success())
}

/// Waits until a condition holds, asking twenty times a second for a minute; what it is, if it never does.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..1200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("within a minute, never: {what}");
}
