//! What is asked of the API, and so what must be allowed. The role in `deploy/rbac/` says the same.

use std::fmt;

use k8s_openapi::api::authorization::v1::ResourceAttributes;

use super::error::KubernetesError;
use super::{Collector, Settings};
use crate::chain::chain;
use crate::collect::Finding;

/// Everything that is ever asked of a kind.
pub(super) const VERBS: [&str; 2] = ["list", "watch"];

/// A kind of object that ownership is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The resource that describes tenants.
    Tenants,
    /// Namespaces.
    Namespaces,
    /// Nodes.
    Nodes,
    /// Pods, if they are asked for.
    Pods,
}

/// A kind as URLs and roles write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) group: String,
    pub(super) plural: String,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plural)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

impl Resource {
    /// Whether it may be listed, watched, …, as a question to the API.
    pub(super) fn question(&self, verb: &str) -> ResourceAttributes {
        ResourceAttributes {
            group: Some(self.group.clone()),
            resource: Some(self.plural.clone()),
            verb: Some(verb.to_string()),
            ..ResourceAttributes::default()
        }
    }

    /// What a role must say.
    pub(super) fn rule(&self) -> String {
        let folder = if self.plural == "pods" && self.group.is_empty() { "pods/" } else { "" };
        format!(
            "bind deploy/rbac/{folder} to the account in use, or add this rule to its ClusterRole: \
             {{apiGroups: [\"{}\"], resources: [\"{}\"], verbs: [\"{}\"]}}",
            self.group,
            self.plural,
            VERBS.join("\", \"")
        )
    }
}

/// The kinds that are read under these settings.
pub(super) fn kinds(settings: &Settings) -> Vec<Kind> {
    let mut kinds = vec![Kind::Namespaces, Kind::Nodes];
    if settings.tenants.is_some() {
        kinds.push(Kind::Tenants);
    }
    if settings.pods.is_some() {
        kinds.push(Kind::Pods);
    }
    kinds
}

fn resource(settings: &Settings, kind: Kind) -> Resource {
    let core = |plural: &str| Resource { group: String::new(), plural: plural.to_string() };
    match (kind, &settings.tenants) {
        (Kind::Tenants, Some(source)) => {
            Resource { group: source.group.clone(), plural: source.plural.clone() }
        }
        (Kind::Tenants, None) => core("tenants"),
        (Kind::Namespaces, _) => core("namespaces"),
        (Kind::Nodes, _) => core("nodes"),
        (Kind::Pods, _) => core("pods"),
    }
}

impl Collector {
    /// A kind as URLs and roles write it.
    pub(super) fn resource(&self, kind: Kind) -> Resource {
        resource(&self.settings, kind)
    }

    /// What a failed request for a kind means: for the connection, or for the kind alone.
    pub(super) fn explain(&self, kind: Kind, verb: &str, error: &kube::Error) -> KubernetesError {
        // Of a group that is not defined the server says so without the form of its other answers.
        let undefined =
            kind == Kind::Tenants && matches!(error, kube::Error::Api(status) if status.code == 404);
        let broken = if undefined { None } else { KubernetesError::of_connection(&self.url, error) };
        broken.unwrap_or_else(|| KubernetesError::Refused(Box::new(self.refusal(kind, verb, error))))
    }

    /// What the API refused, in the words of a person who can mend it.
    pub(super) fn refusal(&self, kind: Kind, verb: &str, error: &kube::Error) -> Finding {
        let resource = self.resource(kind);
        let subject = format!("Kubernetes: {verb} {resource}");
        let kube::Error::Api(status) = error else {
            return Finding::wrong(subject, chain(error), "look at the API server's log");
        };
        match status.code {
            403 => Finding::wrong(subject, status.message.clone(), resource.rule()),
            404 => Finding::wrong(
                subject,
                format!("the API server does not serve {resource}{}", self.version(kind)),
                NOT_SERVED,
            ),
            code => Finding::wrong(
                subject,
                format!("the API server answers {code}: {}", status.message),
                "look at the API server's log; for a resource of your own also at its conversion webhook",
            ),
        }
    }

    fn version(&self, kind: Kind) -> String {
        match (kind, &self.settings.tenants) {
            (Kind::Tenants, Some(source)) => format!(" in version {}", source.version),
            _ => String::new(),
        }
    }
}

/// What to do about a definition that is not there.
pub(super) const NOT_SERVED: &str = "kubectl apply -f deploy/crd/tenants.platform.financecore.local.yaml; or name \
     the group, version and plural of the resource that describes your tenants; or switch tenant resources off";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use k8s_openapi::api::core::v1::ServiceAccount;
    use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding};

    use super::super::settings::PodSource;
    use super::*;

    fn allowed(role: &str) -> BTreeSet<(String, String, String)> {
        let role: ClusterRole = serde_saphyr::from_str(role).unwrap();
        let mut allowed = BTreeSet::new();
        for rule in role.rules.unwrap() {
            assert_eq!((rule.resource_names, rule.non_resource_urls), (None, None));
            for group in rule.api_groups.unwrap() {
                for plural in rule.resources.as_ref().unwrap() {
                    for verb in &rule.verbs {
                        allowed.insert((group.clone(), plural.clone(), verb.clone()));
                    }
                }
            }
        }
        allowed
    }

    /// The documents of a file that are of that kind.
    fn of_kind<T: serde::de::DeserializeOwned>(file: &str, kind: &str) -> Vec<T> {
        let of_kind = |one: &&str| one.lines().any(|line| line == format!("kind: {kind}"));
        let documents = file.split("\n---\n").filter(of_kind);
        documents.map(|one| serde_saphyr::from_str(one).unwrap()).collect()
    }

    #[test]
    fn every_role_in_deploy_is_bound_to_the_account_that_deploy_makes() {
        let all = include_str!("../../../deploy/rbac/clusterrolebinding.yaml");
        let account: ServiceAccount = of_kind(all, "ServiceAccount").remove(0);
        let account = (account.metadata.name, account.metadata.namespace);
        let roles = [
            include_str!("../../../deploy/rbac/clusterrole.yaml"),
            include_str!("../../../deploy/rbac/pods/clusterrole.yaml"),
        ];
        let bindings = [all, include_str!("../../../deploy/rbac/pods/clusterrolebinding.yaml")];
        for (role, binding) in roles.into_iter().zip(bindings) {
            let role: ClusterRole = serde_saphyr::from_str(role).unwrap();
            let bound: Vec<ClusterRoleBinding> = of_kind(binding, "ClusterRoleBinding");
            assert_eq!(bound.len(), 1);
            assert_eq!(Some(&bound[0].role_ref.name), role.metadata.name.as_ref());
            assert_eq!(bound[0].role_ref.kind, "ClusterRole");
            let subjects = bound[0].subjects.clone().unwrap();
            assert_eq!(subjects.len(), 1, "nobody else");
            assert_eq!(subjects[0].kind, "ServiceAccount");
            assert_eq!((Some(subjects[0].name.clone()), subjects[0].namespace.clone()), account);
        }
    }

    fn needed(settings: &Settings) -> BTreeSet<(String, String, String)> {
        let mut needed = BTreeSet::new();
        for kind in kinds(settings) {
            let Resource { group, plural } = resource(settings, kind);
            for verb in VERBS {
                needed.insert((group.clone(), plural.clone(), verb.to_string()));
            }
        }
        needed
    }

    #[test]
    fn who_says_on_a_tenant_that_it_cannot_be_read_may_do_that_alone_and_there_alone() {
        let file = include_str!("../../../deploy/rbac/events.yaml");
        let (roles, bindings): (Vec<Role>, Vec<RoleBinding>) =
            (of_kind(file, "Role"), of_kind(file, "RoleBinding"));
        let question = super::super::skipped::question();
        let rule = PolicyRule {
            api_groups: Some(vec![question.group.unwrap()]),
            resources: Some(vec![question.resource.unwrap()]),
            verbs: vec![question.verb.unwrap()],
            ..PolicyRule::default()
        };
        assert_eq!(roles[0].rules, Some(vec![rule]));
        assert_eq!(roles[0].metadata.namespace, question.namespace);
        assert_eq!(bindings[0].metadata.namespace, roles[0].metadata.namespace);
        assert_eq!(Some(&bindings[0].role_ref.name), roles[0].metadata.name.as_ref());
        let all = include_str!("../../../deploy/rbac/clusterrolebinding.yaml");
        let account: ServiceAccount = of_kind(all, "ServiceAccount").remove(0);
        let subject = &bindings[0].subjects.as_ref().unwrap()[0];
        assert_eq!(
            (Some(&subject.name), &subject.namespace),
            (account.metadata.name.as_ref(), &account.metadata.namespace)
        );
    }

    #[test]
    fn the_roles_in_deploy_allow_exactly_what_is_asked_for() {
        let role = allowed(include_str!("../../../deploy/rbac/clusterrole.yaml"));
        let pods = allowed(include_str!("../../../deploy/rbac/pods/clusterrole.yaml"));
        let settings = Settings::default();
        assert_eq!(role, needed(&settings));
        let with_pods = Settings { pods: Some(PodSource::default()), ..settings };
        assert_eq!(role.union(&pods).cloned().collect::<BTreeSet<_>>(), needed(&with_pods));
    }
}
