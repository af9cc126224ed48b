//! What the daemon would need and does not have.

use crate::clock::Clock;
use crate::collect::{Finding, kubernetes, prometheus};
use crate::config::Config;

/// Asks every cluster's metrics store and API server for what the daemon will need. Changes nothing.
pub async fn check(config: &Config, clock: &Clock) -> Vec<Finding> {
    let mut findings = Vec::new();
    for cluster in &config.clusters {
        let label = |finding: Finding| Finding {
            subject: format!("cluster {}: {}", cluster.name, finding.subject),
            ..finding
        };
        findings.extend(objects(&cluster.kubernetes).await.into_iter().map(label));
        let listed = cluster.kubernetes.pods.is_some();
        let metrics = metrics(&cluster.prometheus.settings, listed, clock).await;
        findings.extend(metrics.into_iter().map(label));
    }
    findings
}

async fn objects(settings: &kubernetes::Settings) -> Vec<Finding> {
    match kubernetes::Collector::connect(settings.clone()).await {
        Ok(collector) => collector.check().await,
        Err(error) => vec![error.finding("Kubernetes API")],
    }
}

async fn metrics(settings: &prometheus::Settings, pods_listed: bool, clock: &Clock) -> Vec<Finding> {
    match prometheus::Collector::new(settings.clone()) {
        Ok(collector) => collector.check(clock.now(), pods_listed).await,
        Err(problems) => {
            let mend = "mend the cluster's prometheus section in the configuration";
            problems.iter().map(|problem| Finding::wrong("Prometheus", problem.to_string(), mend)).collect()
        }
    }
}
