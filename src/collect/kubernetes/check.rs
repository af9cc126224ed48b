//! Whether everything that reading needs is there, and how to mend what is not.

use std::collections::BTreeSet;

use defray_ledger::Observation;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;

use super::error::KubernetesError;
use super::observe::Observed;
use super::permissions::{Kind, NOT_SERVED, VERBS, kinds};
use super::settings::TenantSource;
use super::{Collector, skipped};
use crate::chain::chain;
use crate::collect::Finding;

const CONNECTION: &str = "Kubernetes: connection";

impl Collector {
    /// Tries everything once: the connection, the server's certificate, every permission, the definition of
    /// tenants, and a whole observation.
    pub async fn check(&self) -> Vec<Finding> {
        let mut findings = match self.lists.apiserver_version().await {
            Ok(version) => {
                let message = format!("{} answers, version {}", self.url, version.git_version);
                vec![Finding::fine(CONNECTION, message), self.certificate()]
            }
            Err(error) => match KubernetesError::of_connection(&self.url, &error) {
                Some(broken) => return vec![broken.finding(CONNECTION)],
                // It answers, even if it does not tell its version.
                None => vec![Finding::fine(CONNECTION, format!("{} answers", self.url)), self.certificate()],
            },
        };
        if let Some(source) = &self.settings.tenants {
            findings.push(self.definition(source).await);
        }
        for kind in kinds(&self.settings) {
            for verb in VERBS {
                findings.push(self.permission(kind, verb).await);
            }
        }
        if self.settings.events {
            findings.push(self.reporting().await);
        }
        match self.observe().await {
            Ok(observed) => {
                let known = |problem: &&Finding| {
                    findings.iter().any(|finding| !finding.ok && finding.subject == problem.subject)
                };
                let more: Vec<_> =
                    observed.problems.iter().filter(|problem| !known(problem)).cloned().collect();
                findings.extend(more);
                findings.extend(contents(&observed));
            }
            Err(broken) => findings.push(broken.finding("Kubernetes: what is there")),
        }
        findings
    }

    fn certificate(&self) -> Finding {
        let subject = "Kubernetes: server certificate";
        if self.verified {
            return Finding::fine(subject, "it is verified");
        }
        Finding::wrong(
            subject,
            "it is not verified: whoever is between us and the API can say who owns what",
            "use https, give certificate-authority and remove insecure-skip-tls-verify in the kubeconfig",
        )
    }

    /// Whether malformed resources can be told of where their owners look. Nothing depends on it.
    async fn reporting(&self) -> Finding {
        let subject = skipped::subject();
        match self.allowed(skipped::question()).await {
            Ok(true) => Finding::fine(subject, "allowed"),
            Ok(false) | Err(_) => Finding {
                mend: Some(skipped::allow(skipped::EVENTS_NAMESPACE)),
                ..Finding::fine(
                    subject,
                    "not allowed: what cannot be read is told in the log and as a metric only",
                )
            },
        }
    }

    async fn allowed(&self, attributes: ResourceAttributes) -> Result<bool, kube::Error> {
        let question = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(attributes),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api: Api<SelfSubjectAccessReview> = Api::all(self.lists.clone());
        let answer = api.create(&PostParams::default(), &question).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    async fn permission(&self, kind: Kind, verb: &str) -> Finding {
        let resource = self.resource(kind);
        let subject = format!("Kubernetes: {verb} {resource}");
        match self.allowed(resource.question(verb)).await {
            Ok(true) => Finding::fine(subject, "allowed"),
            Ok(false) => Finding::wrong(subject, "forbidden", resource.rule()),
            Err(error) => Finding::wrong(
                subject,
                format!("the API does not say whether it is allowed: {}", chain(&error)),
                "allow the account to create selfsubjectaccessreviews.authorization.k8s.io \
                 (the ClusterRole system:basic-user does)",
            ),
        }
    }

    /// Whether the resource that describes tenants is served as the settings name it.
    async fn definition(&self, source: &TenantSource) -> Finding {
        let subject = format!("Kubernetes: resource {}.{}", source.plural, source.group);
        let version = format!("{}/{}", source.group, source.version);
        let served = match self.lists.list_api_group_resources(&version).await {
            Ok(served) => served.resources,
            Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
            Err(error) => {
                return match KubernetesError::of_connection(&self.url, &error) {
                    Some(broken) => broken.finding(subject),
                    None => self.refusal(Kind::Tenants, "discover", &error),
                };
            }
        };
        match served.iter().find(|resource| resource.name == source.plural) {
            Some(resource) if resource.kind == source.kind => {
                Finding::fine(subject, format!("served as {version}"))
            }
            Some(resource) => Finding::wrong(
                subject,
                format!("its kind is {}, not {}", resource.kind, source.kind),
                "correct the kind in the configuration",
            ),
            None => Finding::wrong(subject, format!("not served as {version}"), NOT_SERVED),
        }
    }
}

/// What one observation says about the cluster.
fn contents(observed: &Observed) -> Vec<Finding> {
    let mut findings = Vec::new();
    let count = |all: Option<usize>, what: &str| all.map(|count| format!("{count} {what}"));
    let Observation { tenants, namespaces, nodes, .. } = &observed.observation;
    let nodes = nodes.as_deref();
    let said: Vec<_> = [
        count(tenants.as_ref().map(Vec::len), "tenant resources"),
        count(namespaces.as_ref().map(Vec::len), "namespaces"),
        count(nodes.map(<[_]>::len), "nodes"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !said.is_empty() {
        let pools: BTreeSet<_> = nodes.into_iter().flatten().map(|(_, node)| node.pool.to_string()).collect();
        let pools = match pools.len() {
            0 => String::new(),
            _ => format!(" in pools {}", pools.into_iter().collect::<Vec<_>>().join(", ")),
        };
        findings.push(Finding::fine("Kubernetes: what is there", said.join(", ") + &pools));
    }
    findings.extend(observed.skipped.iter().map(|skipped| {
        Finding::wrong(
            format!("Kubernetes: {}", skipped.resource()),
            format!("skipped: {}", skipped.reason),
            "correct the field in the resource, or its path in the configuration; until then what was known of \
             it before still holds",
        )
    }));
    findings
}
