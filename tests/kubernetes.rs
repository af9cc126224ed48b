//! Ownership from a real API server.

mod access;
mod malformed;
mod named;
mod observing;
mod ownership;
mod pods;
mod waking;

use std::path::Path;
use std::time::Duration;

use defray::collect::kubernetes::{Access, Collector, Settings, TenantSource};
use defray_pricing::names::Uid;

use crate::harness::{ApiServer, Who};

/// The definition as it is shipped.
const DEFINITION: &str = include_str!("../deploy/crd/tenants.platform.financecore.local.yaml");

/// A way in by kubeconfig, with little patience.
fn settings(kubeconfig: &Path) -> Settings {
    Settings {
        access: Access::Kubeconfig { path: Some(kubeconfig.to_path_buf()), context: None },
        request_timeout: Duration::from_secs(10),
        settle: Duration::from_millis(100),
        ..Settings::default()
    }
}

async fn collector(settings: Settings) -> Collector {
    Collector::connect(settings).await.expect("a usable kubeconfig")
}

/// Which cluster it is.
async fn kube_system(api: &ApiServer) -> Uid {
    let (_, namespace) = api.get(Who::Admin, "/api/v1/namespaces/kube-system").await;
    Uid::from(namespace["metadata"]["uid"].as_str().expect("a uid"))
}

/// What a kubeconfig of the harness says under a key.
fn said(kubeconfig: &Path, key: &str) -> String {
    let text = std::fs::read_to_string(kubeconfig).expect("a kubeconfig");
    let quoted = text.split(&format!("{key}: \"")).nth(1).and_then(|rest| rest.split('"').next());
    quoted.expect(key).to_string()
}

/// Tenants of a group of a test's own, whose definition lets anything pass.
fn loose(group: &str) -> (TenantSource, String) {
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\n\
         kind: CustomResourceDefinition\n\
         metadata: {{name: tenants.{group}}}\n\
         spec:\n\
         \x20 group: {group}\n\
         \x20 names: {{kind: Tenant, plural: tenants, singular: tenant}}\n\
         \x20 scope: Cluster\n\
         \x20 versions:\n\
         \x20 - name: v1alpha1\n\
         \x20   served: true\n\
         \x20   storage: true\n\
         \x20   schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n"
    );
    (TenantSource { group: group.to_string(), ..TenantSource::default() }, definition)
}
