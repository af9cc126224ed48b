//! What exists at one moment: complete lists of tenants, namespaces and nodes.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use defray_ledger::Observation;
use defray_pricing::names::Uid;
use defray_pricing::ownership::{NamespaceFact, NodeFact, TenantFact};
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Namespace, Node, NodeSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, NotUsed, Object, ObjectList, PartialObjectMeta};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::error::KubernetesError;
use super::list::{ListError, complete};
use super::permissions::Kind;
use super::skipped::Skipped;
use super::{Collector, facts};
use crate::collect::Finding;

/// The namespace that every cluster has from its beginning to its end: its uid tells clusters apart.
const KUBE_SYSTEM: &str = "kube-system";

/// A node without its status, which is most of it.
pub(super) type SlimNode = Object<NodeSpec, NotUsed>;

/// What exists in a cluster, as far as it can be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Complete lists; none for a kind that is not asked for or could not be listed.
    pub observation: Observation,
    /// What exists but cannot be read. What was known of it before still holds.
    pub skipped: Vec<Skipped>,
    /// Kinds that could not be listed, and how to mend it.
    pub problems: Vec<Finding>,
    /// The uid of the `kube-system` namespace, which tells clusters apart.
    pub cluster_uid: Option<Uid>,
}

/// An object of a list.
struct Listed<T> {
    uid: Uid,
    created: Option<DateTime<Utc>>,
    fact: T,
}

/// What became of listing one kind.
enum Rows<T> {
    /// It is not asked for.
    NotAsked,
    /// The API refused, for a reason a person can mend.
    Refused(Finding),
    /// All of it.
    All(Vec<Result<Listed<T>, Box<Skipped>>>),
}

impl Observed {
    /// Keeps what can be read of a kind, and puts aside what cannot, or why nothing can.
    fn keep<T>(&mut self, rows: Rows<T>) -> Option<Vec<(Uid, T)>> {
        let rows = match rows {
            Rows::NotAsked => return None,
            Rows::Refused(problem) => {
                self.problems.push(problem);
                return None;
            }
            Rows::All(rows) => rows,
        };
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows {
            match row {
                Ok(Listed { uid, created, fact }) => {
                    self.observation.created.extend(created.map(|at| (uid.clone(), at)));
                    kept.push((uid, fact));
                }
                Err(skipped) => {
                    let reason = || skipped.reason.clone();
                    self.observation.unreadable.extend(skipped.uid.clone().map(|uid| (uid, reason())));
                    self.skipped.push(*skipped);
                }
            }
        }
        kept.sort_by(|a, b| a.0.cmp(&b.0));
        Some(kept)
    }

    /// The cluster's uid, if the lists tell.
    fn kube_system(&self) -> Option<Uid> {
        let mut namespaces = self.observation.namespaces.iter().flatten();
        namespaces.find(|(_, fact)| fact.name.as_str() == KUBE_SYSTEM).map(|(uid, _)| uid.clone())
    }

    /// Refuses a cluster that is not the one that is meant, and what is no cluster at all: a complete list
    /// of somebody else's or nobody's namespaces would end everything that is known of ours.
    fn recognise(&self, url: &str, expected: Option<&Uid>) -> Result<(), KubernetesError> {
        let unreadable =
            self.skipped.iter().any(|skipped| skipped.kind == "Namespace" && skipped.name == KUBE_SYSTEM);
        if self.cluster_uid.is_none() && (self.observation.namespaces.is_none() || unreadable) {
            return Ok(());
        }
        recognise(url, expected, self.cluster_uid.as_ref())
    }
}

fn recognise(url: &str, expected: Option<&Uid>, found: Option<&Uid>) -> Result<(), KubernetesError> {
    let url = url.to_string();
    match (expected, found) {
        (Some(expected), Some(found)) if expected != found => {
            let (expected, found) = (expected.to_string(), found.to_string());
            Err(KubernetesError::AnotherCluster { url, expected, found })
        }
        (_, None) => Err(KubernetesError::NoKubeSystem { url }),
        _ => Ok(()),
    }
}

impl Collector {
    /// Lists everything that ownership is made of. What is being deleted is still there until it is gone.
    ///
    /// A kind that may not or cannot be listed is none, with the reason among the problems, and does not
    /// keep the others from being seen. It is an error where no answer can be had, or where the answer is
    /// another cluster's or no whole cluster's.
    pub async fn observe(&self) -> Result<Observed, KubernetesError> {
        let mut seen = Observed::default();
        seen.observation.namespaces = seen.keep(self.list_namespaces().await?);
        seen.cluster_uid = seen.kube_system();
        seen.recognise(&self.url, self.settings.cluster_uid.as_ref())?;
        seen.observation.nodes = seen.keep(self.list_nodes().await?);
        seen.observation.tenants = seen.keep(self.list_tenants().await?);
        Ok(seen)
    }

    /// Refuses what is not the cluster that has this uid, for whoever lists no namespaces.
    pub(super) async fn recognised(&self, of: &Uid) -> Result<(), KubernetesError> {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(self.lists.clone());
        let params = ListParams::default().fields(&format!("metadata.name={KUBE_SYSTEM}"));
        let listed = self.complete(Kind::Namespaces, &params, pages(&api), |object| object.metadata).await?;
        let found = listed.into_iter().find(|namespace| namespace.name.as_deref() == Some(KUBE_SYSTEM));
        let found = found.and_then(|namespace| namespace.uid).map(|uid| Uid::from(uid.as_str()));
        recognise(&self.url, Some(of), found.as_ref())
    }

    async fn list_namespaces(&self) -> Result<Rows<NamespaceFact>, KubernetesError> {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(self.lists.clone());
        let (keep, asked) = (&self.settings.namespace_labels, &self.settings.asked);
        self.rows(Kind::Namespaces, &api, |object| {
            row(("v1", "Namespace"), &object.metadata, facts::namespace(keep, asked, &object.metadata))
        })
        .await
    }

    async fn list_nodes(&self) -> Result<Rows<NodeFact>, KubernetesError> {
        let api: Api<SlimNode> = Api::all_with(self.lists.clone(), &ApiResource::erase::<Node>(&()));
        let labels = &self.settings.nodes;
        self.rows(Kind::Nodes, &api, |object| {
            row(("v1", "Node"), &object.metadata, facts::node(labels, &object.metadata, &object.spec))
        })
        .await
    }

    async fn list_tenants(&self) -> Result<Rows<TenantFact>, KubernetesError> {
        let (Some(source), Some(resource)) = (&self.settings.tenants, &self.tenant) else {
            return Ok(Rows::NotAsked);
        };
        let api: Api<DynamicObject> = Api::all_with(self.lists.clone(), resource);
        self.rows(Kind::Tenants, &api, |object| {
            row((&resource.api_version, &source.kind), &object.metadata, facts::tenant(source, &object))
        })
        .await
    }

    async fn rows<K, T>(
        &self,
        kind: Kind,
        api: &Api<K>,
        turn: impl Fn(K) -> Result<Listed<T>, Box<Skipped>>,
    ) -> Result<Rows<T>, KubernetesError>
    where
        K: Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let params = ListParams::default();
        match self.complete(kind, &params, pages(api), turn).await {
            Ok(rows) => Ok(Rows::All(rows)),
            Err(KubernetesError::Refused(problem)) => Ok(Rows::Refused(*problem)),
            Err(broken) => Err(broken),
        }
    }

    /// A complete list within the time for one.
    pub(super) async fn complete<K, T>(
        &self,
        kind: Kind,
        params: &ListParams,
        page: impl Fn(ListParams) -> Page<K>,
        turn: impl Fn(K) -> T,
    ) -> Result<Vec<T>, KubernetesError>
    where
        K: Clone,
    {
        let params = params.clone().limit(self.settings.page_size);
        let what = || self.resource(kind).to_string();
        let after = self.settings.list_timeout;
        let items = timeout(after, complete(&params, page, turn))
            .await
            .map_err(|_| KubernetesError::TooSlow { url: self.url.clone(), what: what(), after })?;
        items.map_err(|error| match error {
            ListError::Incomplete(reason) => {
                KubernetesError::Incomplete { url: self.url.clone(), what: what(), reason }
            }
            ListError::Kube(error) => self.explain(kind, "list", &error),
        })
    }
}

/// A page under way. Boxed, because the future of an async closure that borrows is not `Send` in the eyes
/// of whoever spawns what awaits it.
pub(super) type Page<K> = BoxFuture<'static, kube::Result<ObjectList<K>>>;

/// Asks for pages of a list.
pub(super) fn pages<K>(api: &Api<K>) -> impl Fn(ListParams) -> Page<K> + use<K>
where
    K: Clone + DeserializeOwned + Debug + Send + 'static,
{
    let api = api.clone();
    move |params| {
        let api = api.clone();
        async move { api.list(&params).await }.boxed()
    }
}

fn row<T>(
    (api_version, kind): (&str, &str),
    metadata: &ObjectMeta,
    fact: Result<T, String>,
) -> Result<Listed<T>, Box<Skipped>> {
    let uid = metadata.uid.as_deref().filter(|uid| !uid.is_empty()).map(Uid::from);
    let skip = |reason| {
        Box::new(Skipped {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: uid.clone(),
            reason,
        })
    };
    let fact = fact.map_err(skip)?;
    let uid = uid.clone().ok_or_else(|| skip("it has no uid".to_string()))?;
    Ok(Listed { uid, created: facts::created(metadata), fact })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(namespaces: Option<&[&str]>) -> Observed {
        let mut seen = Observed::default();
        seen.observation.namespaces = namespaces.map(|names| {
            let facts = names.iter().map(|name| NamespaceFact {
                name: defray_pricing::names::Namespace::from(*name),
                labels: std::collections::BTreeMap::new(),
                annotations: std::collections::BTreeMap::new(),
            });
            facts.map(|fact| (Uid::from(format!("uid-{}", fact.name.as_str()).as_str()), fact)).collect()
        });
        seen.cluster_uid = seen.kube_system();
        seen
    }

    #[test]
    fn namespaces_without_kube_system_are_nobodys() {
        for empty in [&[][..], &["default", "team"]] {
            let error = seen(Some(empty)).recognise("https://api", None).unwrap_err();
            assert!(matches!(error, KubernetesError::NoKubeSystem { .. }), "{error}");
        }
        let whole = seen(Some(&["default", "kube-system"]));
        assert!(whole.recognise("https://api", None).is_ok());
        assert!(whole.recognise("https://api", Some(&Uid::from("uid-kube-system"))).is_ok());
        let another = whole.recognise("https://api", Some(&Uid::from("x"))).unwrap_err();
        assert!(matches!(another, KubernetesError::AnotherCluster { .. }), "{another}");
        assert!(
            seen(None).recognise("https://api", None).is_ok(),
            "not allowed to list them is another matter"
        );
    }
}
