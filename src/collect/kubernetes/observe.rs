//! What exists at one moment: complete lists of tenants, namespaces and nodes.

use std::fmt;
use std::fmt::Debug;

use chrono::{DateTime, Utc};
use defray_pricing::names::Uid;
use defray_pricing::ownership::{NamespaceFact, NodeFact, TenantFact};
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
use super::{Collector, facts};
use crate::collect::Finding;

/// A node without its status, which is most of it.
pub(super) type SlimNode = Object<NodeSpec, NotUsed>;

/// What exists in a cluster, kind by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// All tenants that can be read; none where the kind could not be listed.
    pub tenants: Option<Vec<Listed<TenantFact>>>,
    /// All namespaces; none where the kind could not be listed.
    pub namespaces: Option<Vec<Listed<NamespaceFact>>>,
    /// All nodes; none where the kind could not be listed.
    pub nodes: Option<Vec<Listed<NodeFact>>>,
    /// What exists but cannot be read. What was known of it before still holds.
    pub skipped: Vec<Skipped>,
    /// Kinds that could not be listed, and how to mend it.
    pub problems: Vec<Finding>,
    /// The uid of the `kube-system` namespace, which tells clusters apart.
    pub cluster_uid: Option<Uid>,
}

/// An object of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// Its uid.
    pub uid: Uid,
    /// When it was made, by the API server's clock: the earliest its fact can have begun to hold.
    pub created: Option<DateTime<Utc>>,
    /// The fact.
    pub fact: T,
}

/// An object that exists but cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its uid, where it has one.
    pub uid: Option<Uid>,
    /// Its kind and name.
    pub resource: String,
    /// Which field, and why.
    pub reason: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is skipped: {}", self.resource, self.reason)
    }
}

/// What became of listing one kind.
enum Rows<T> {
    /// It is not asked for.
    NotAsked,
    /// The API refused, for a reason a person can mend.
    Refused(Finding),
    /// All of it.
    All(Vec<Result<Listed<T>, Skipped>>),
}

impl<T> Rows<T> {
    /// Puts aside what cannot be read and what was refused.
    fn keep(self, skipped: &mut Vec<Skipped>, problems: &mut Vec<Finding>) -> Option<Vec<Listed<T>>> {
        let rows = match self {
            Self::NotAsked => return None,
            Self::Refused(problem) => {
                problems.push(problem);
                return None;
            }
            Self::All(rows) => rows,
        };
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows {
            match row {
                Ok(listed) => kept.push(listed),
                Err(unreadable) => skipped.push(unreadable),
            }
        }
        kept.sort_by(|a, b| a.uid.cmp(&b.uid));
        Some(kept)
    }
}

impl Collector {
    /// Lists everything that ownership is made of.
    ///
    /// A kind that may not or cannot be listed is none, with the reason among the problems, and does not
    /// keep the others from being seen. It is an error where no answer can be had, or where the answer is
    /// another cluster's.
    pub async fn observe(&self) -> Result<Observed, KubernetesError> {
        let (mut skipped, mut problems) = (Vec::new(), Vec::new());
        let namespaces = self.list_namespaces().await?.keep(&mut skipped, &mut problems);
        let cluster_uid = self.recognise(namespaces.as_deref().unwrap_or_default())?;
        let nodes = self.list_nodes().await?.keep(&mut skipped, &mut problems);
        let tenants = self.list_tenants().await?.keep(&mut skipped, &mut problems);
        Ok(Observed { tenants, namespaces, nodes, skipped, problems, cluster_uid })
    }

    /// The cluster's uid, if the lists tell; an error if it is not the one that is meant.
    fn recognise(&self, namespaces: &[Listed<NamespaceFact>]) -> Result<Option<Uid>, KubernetesError> {
        let found = namespaces.iter().find(|listed| listed.fact.name.as_str() == "kube-system");
        let found = found.map(|listed| listed.uid.clone());
        if let (Some(expected), Some(found)) = (&self.settings.cluster_uid, &found)
            && expected != found
        {
            return Err(KubernetesError::AnotherCluster {
                url: self.url.clone(),
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
        Ok(found)
    }

    async fn list_namespaces(&self) -> Result<Rows<NamespaceFact>, KubernetesError> {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(self.lists.clone());
        let keep = &self.settings.namespace_labels;
        self.rows(Kind::Namespaces, &api, |object| {
            row("Namespace", &object.metadata, facts::namespace(keep, &object.metadata))
        })
        .await
    }

    async fn list_nodes(&self) -> Result<Rows<NodeFact>, KubernetesError> {
        let api: Api<SlimNode> = Api::all_with(self.lists.clone(), &ApiResource::erase::<Node>(&()));
        let labels = &self.settings.nodes;
        self.rows(Kind::Nodes, &api, |object| {
            row("Node", &object.metadata, facts::node(labels, &object.metadata, &object.spec))
        })
        .await
    }

    async fn list_tenants(&self) -> Result<Rows<TenantFact>, KubernetesError> {
        let (Some(source), Some(resource)) = (&self.settings.tenants, &self.tenant) else {
            return Ok(Rows::NotAsked);
        };
        let api: Api<DynamicObject> = Api::all_with(self.lists.clone(), resource);
        self.rows(Kind::Tenants, &api, |object| {
            row(&source.kind, &object.metadata, facts::tenant(source, &object))
        })
        .await
    }

    async fn rows<K, T>(
        &self,
        kind: Kind,
        api: &Api<K>,
        turn: impl Fn(K) -> Result<Listed<T>, Skipped>,
    ) -> Result<Rows<T>, KubernetesError>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let params = ListParams::default();
        match self.complete(kind, &params, async |params| api.list(&params).await, turn).await {
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
        page: impl AsyncFn(ListParams) -> kube::Result<ObjectList<K>>,
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
            ListError::Kube(error) => KubernetesError::of_connection(&self.url, &error)
                .unwrap_or_else(|| KubernetesError::Refused(Box::new(self.refusal(kind, "list", &error)))),
        })
    }
}

fn row<T>(kind: &str, metadata: &ObjectMeta, fact: Result<T, String>) -> Result<Listed<T>, Skipped> {
    let uid = metadata.uid.as_deref().filter(|uid| !uid.is_empty()).map(Uid::from);
    let skip = |reason| Skipped {
        uid: uid.clone(),
        resource: format!("{kind} {}", metadata.name.as_deref().unwrap_or("(without a name)")),
        reason,
    };
    let fact = fact.map_err(skip)?;
    let uid = uid.clone().ok_or_else(|| skip("it has no uid".to_string()))?;
    Ok(Listed { uid, created: facts::created(metadata), fact })
}
