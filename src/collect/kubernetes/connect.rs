//! The way in: kubeconfig or service account, with time limits on everything.

use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config};

use super::Collector;
use super::error::KubernetesError;
use super::settings::{Access, Settings};
use crate::chain::chain;

/// How much longer than a watch its connection may be silent before it counts as dead.
const WATCH_MARGIN: Duration = Duration::from_secs(30);

impl Collector {
    /// Prepares the way in. Nothing is asked of the server yet, so a cluster that is down today does not
    /// keep a daemon from starting.
    pub async fn connect(settings: Settings) -> Result<Self, KubernetesError> {
        let config = config(&settings.access).await?;
        let url = shown(&config.cluster_url);
        let https = config.cluster_url.scheme() == Some(&http::uri::Scheme::HTTPS);
        let tenant = settings.tenants.as_ref().map(|source| {
            let kind = GroupVersionKind::gvk(&source.group, &source.version, &source.kind);
            ApiResource::from_gvk_with_plural(&kind, &source.plural)
        });
        Ok(Self {
            verified: https && !config.accept_invalid_certs,
            lists: client(&config, &settings, settings.request_timeout)?,
            watches: client(&config, &settings, settings.watch_timeout.saturating_add(WATCH_MARGIN))?,
            settings,
            url,
            tenant,
        })
    }
}

/// An address for messages: without a password that somebody put into it, and without a lone slash.
fn shown(url: &http::Uri) -> String {
    let authority = url.authority().map_or("", http::uri::Authority::as_str);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let scheme = url.scheme_str().unwrap_or("http");
    format!("{scheme}://{host}{}", url.path().trim_end_matches('/'))
}

fn client(config: &Config, settings: &Settings, silence: Duration) -> Result<Client, KubernetesError> {
    let mut config = config.clone();
    config.connect_timeout = Some(settings.request_timeout);
    config.write_timeout = Some(settings.request_timeout);
    config.read_timeout = Some(silence);
    // A pooled connection may have been idle longer than that: only what follows a request counts.
    config.reset_reader_on_write = true;
    let url = shown(&config.cluster_url);
    Client::try_from(config).map_err(|error| {
        KubernetesError::of_connection(&url, &error)
            .unwrap_or_else(|| KubernetesError::Access { reason: chain(&error) })
    })
}

async fn config(access: &Access) -> Result<Config, KubernetesError> {
    let refused = |reason| KubernetesError::Access { reason };
    match access {
        Access::InCluster => Config::incluster().map_err(|error| refused(chain(&error))),
        Access::Kubeconfig { path, context } => {
            let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
            match path {
                None => Config::from_kubeconfig(&options).await.map_err(|error| refused(chain(&error))),
                Some(path) => {
                    let said = |error: &dyn std::error::Error| {
                        refused(format!("kubeconfig {}: {}", path.display(), chain(error)))
                    };
                    let file = Kubeconfig::read_from(path).map_err(|error| said(&error))?;
                    Config::from_custom_kubeconfig(file, &options).await.map_err(|error| said(&error))
                }
            }
        }
        Access::Automatic => match Config::from_kubeconfig(&KubeConfigOptions::default()).await {
            Ok(config) => Ok(config),
            Err(by_file) => Config::incluster().map_err(|as_pod| {
                refused(format!(
                    "no kubeconfig can be used ({}), and this is not a pod with a service account ({})",
                    chain(&by_file),
                    chain(&as_pod)
                ))
            }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, expected) in [
            ("https://10.0.0.1:6443/", "https://10.0.0.1:6443"),
            ("https://user:secret@api.example/k8s/clusters/c-1", "https://api.example/k8s/clusters/c-1"),
        ] {
            assert_eq!(shown(&url.parse().unwrap()), expected);
        }
    }
}
