//! Where a cluster's objects are, and what their fields and labels mean.

use std::collections::BTreeSet;
use std::time::Duration;

use defray_pricing::names::Uid;
use defray_pricing::problem::Refused;
use defray_pricing::yaml::Value;

use super::page::{self, Page};
use super::place::Place;
use crate::collect::kubernetes::{Access, FieldPath, KeepLabels, PodSource, Settings, TenantSource};
use crate::collect::node_labels::NodeLabels;

pub(super) fn read(value: &Value<'_>, place: &Place<'_>) -> Result<Settings, Refused> {
    let default = Settings::default();
    let mut keys = value.mapping()?;
    let one = keys.at_most_one(&["in_cluster", "kubeconfig"]);
    let contradiction = keys.at_most_one(&["in_cluster", "context"]);
    let in_cluster = keys.with_default("in_cluster", false, Value::boolean);
    let kubeconfig = keys.optional("kubeconfig", |value| Ok(place.path(&value.string()?)));
    let context = keys.optional("context", Value::string);
    let cluster_uid = keys.optional("cluster_uid", |value| Ok(Uid::from(value.string()?)));
    let tenants = keys.section("tenants", tenants);
    let nodes = keys.section("node_labels", nodes);
    let labels = keys.optional("namespace_labels", |value| value.list(Value::string));
    let events = keys.with_default("events", default.events, Value::boolean);
    let pods = keys.with_default("list_pods", false, Value::boolean);
    let request_timeout = keys.with_default("timeout", default.request_timeout, timeout);
    let list_every = keys.with_default("list_every", default.list_every, |value| {
        value.duration(Duration::from_mins(1)..=Duration::from_hours(24))
    });
    keys.finish();
    one?;
    contradiction?;
    let access = match (in_cluster?, kubeconfig?, context?) {
        (true, ..) => Access::InCluster,
        (false, None, None) => Access::Automatic,
        (false, path, context) => Access::Kubeconfig { path, context },
    };
    Ok(Settings {
        access,
        cluster_uid: cluster_uid?,
        tenants: tenants?,
        nodes: nodes?,
        namespace_labels: labels?
            .map_or(KeepLabels::All, |keys| KeepLabels::Only(keys.into_iter().collect())),
        events: events?,
        pods: pods?.then(PodSource::default),
        request_timeout: request_timeout?,
        list_every: list_every?,
        ..default
    })
}

fn timeout(value: &Value<'_>) -> Result<Duration, Refused> {
    value.duration(Duration::from_secs(1)..=Duration::from_mins(10))
}

fn tenants(value: &Value<'_>) -> Result<Option<TenantSource>, Refused> {
    let default = TenantSource::default();
    let mut keys = value.mapping()?;
    let enabled = keys.with_default("enabled", true, Value::boolean);
    let group = keys.with_default("group", default.group, Value::string);
    let version = keys.with_default("version", default.version, Value::string);
    let kind = keys.with_default("kind", default.kind, Value::string);
    let plural = keys.with_default("plural", default.plural, Value::string);
    let team = keys.with_default("team", default.team, Value::parsed);
    let cost_center = keys.with_default("cost_center", default.cost_center, Value::parsed);
    let owner_email = keys.with_default("owner_email", default.owner_email, path);
    let ad_group = keys.with_default("ad_group", default.ad_group, path);
    let services = keys.with_default("services", default.services, path);
    let size = keys.with_default("node_pool_size", default.node_pool_size, path);
    let instance_type = keys.with_default("node_pool_instance_type", default.node_pool_instance_type, path);
    let quota = keys.with_default("resource_quota", default.resource_quota, path);
    keys.finish();
    let source = TenantSource {
        group: group?,
        version: version?,
        kind: kind?,
        plural: plural?,
        team: team?,
        cost_center: cost_center?,
        owner_email: owner_email?,
        ad_group: ad_group?,
        services: services?,
        node_pool_size: size?,
        node_pool_instance_type: instance_type?,
        resource_quota: quota?,
    };
    Ok(enabled?.then_some(source))
}

/// A path, or empty text for a field the resource does not have.
fn path(value: &Value<'_>) -> Result<Option<FieldPath>, Refused> {
    if value.text()?.is_empty() { Ok(None) } else { value.parsed().map(Some) }
}

fn nodes(value: &Value<'_>) -> Result<NodeLabels, Refused> {
    let default = NodeLabels::default();
    let words = |value: &Value<'_>| value.list(Value::string);
    let mut keys = value.mapping()?;
    let pool = keys.with_default("pool", default.pool, words);
    let instance_type = keys.with_default("instance_type", default.instance_type, words);
    let capacity_type = keys.with_default("capacity_type", default.capacity_type, words);
    let dedicated_labels = keys.with_default("dedicated", default.dedicated_labels, words);
    let dedicated_taints = keys.with_default("dedicated_taints", default.dedicated_taints, words);
    keys.finish();
    Ok(NodeLabels {
        pool: pool?,
        instance_type: instance_type?,
        capacity_type: capacity_type?,
        dedicated_labels: dedicated_labels?,
        dedicated_taints: dedicated_taints?,
    })
}

pub(super) fn print(settings: &Settings, page: &mut Page) {
    page.section("kubernetes", "Where the cluster's objects are, and what their fields and labels mean.", |page| {
        print_access(&settings.access, page);
        page.maybe(
            "cluster_uid",
            settings.cluster_uid.as_ref().map(Uid::as_str),
            "6f1d…",
            "The uid of its kube-system namespace. Another cluster is then refused instead of ending everything \
             that is known of this one.",
        );
        print_tenants(settings.tenants.as_ref(), page);
        print_nodes(&settings.nodes, page);
        let about = "Namespace labels to remember. Without it all: a later price book may ask for any of them.";
        match &settings.namespace_labels {
            KeepLabels::All => page.unset("namespace_labels", "[team]", about),
            KeepLabels::Only(keys) => page.words("namespace_labels", words(keys), about),
        }
        page.raw(
            "events",
            if settings.events { "true" } else { "false" },
            "Whether a Kubernetes Event on a Tenant says that it cannot be read. Needs deploy/rbac/events.yaml; \
             where that is missing, the log and a metric say so alone.",
        );
        page.raw(
            "list_pods",
            if settings.pods.is_some() { "true" } else { "false" },
            "Watch and list pods of virtual clusters, where kube-state-metrics does not publish their labels. Needs \
             deploy/rbac/pods/.",
        );
        page.raw("timeout", &page::duration(settings.request_timeout), "How long the server may be silent.");
        page.raw("list_every", &page::duration(settings.list_every), "How often everything is listed at least.");
    });
}

fn words(keys: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    keys.iter().map(String::as_str)
}

fn print_access(access: &Access, page: &mut Page) {
    let (path, context) = match access {
        Access::Kubeconfig { path, context } => (path.as_ref(), context.as_deref()),
        Access::Automatic | Access::InCluster => (None, None),
    };
    let about = "Reach the API as a pod, by its service account. Without this and kubeconfig: by kubeconfig if there \
                 is one, else as a pod.";
    if *access == Access::InCluster {
        page.raw("in_cluster", "true", about);
    } else {
        page.unset("in_cluster", "true", about);
    }
    let path = path.map(|path| path.display().to_string());
    page.maybe(
        "kubeconfig",
        path.as_deref(),
        "/etc/defray/kubeconfig",
        "The kubeconfig to reach the API by.",
    );
    page.maybe("context", context, "my-cluster", "Its context. Without it the current one.");
}

fn print_tenants(source: Option<&TenantSource>, page: &mut Page) {
    let default = TenantSource::default();
    let enabled = source.is_some();
    let source = source.unwrap_or(&default);
    let text = |path: &Option<FieldPath>| path.as_ref().map(ToString::to_string).unwrap_or_default();
    page.section(
        "tenants",
        "The resource that describes tenants. Fields that may be absent: \"\" for none.",
        |page| {
            page.raw("enabled", if enabled { "true" } else { "false" }, "Whether there is one.");
            page.key("group", &source.group, "");
            page.key("version", &source.version, "");
            page.key("kind", &source.kind, "");
            page.key("plural", &source.plural, "");
            page.key("team", &source.team.to_string(), "The field that names the tenant.");
            page.key("cost_center", &source.cost_center.to_string(), "The field that names its cost centre.");
            page.key("owner_email", &text(&source.owner_email), "Who answers for it.");
            page.key("ad_group", &text(&source.ad_group), "The directory group.");
            page.key("services", &text(&source.services), "An object of service names, each true or false.");
            page.key("node_pool_size", &text(&source.node_pool_size), "How many nodes it asked for.");
            page.key(
                "node_pool_instance_type",
                &text(&source.node_pool_instance_type),
                "Which kind of nodes.",
            );
            page.key(
                "resource_quota",
                &text(&source.resource_quota),
                "For `defray estimate`: an object with its cpu, memory and storage.",
            );
        },
    );
}

fn print_nodes(labels: &NodeLabels, page: &mut Page) {
    let list = |keys: &[String], page: &mut Page, key: &str, about: &str| {
        page.words(key, keys.iter().map(String::as_str), about);
    };
    page.section(
        "node_labels",
        "Labels of nodes; of several the first that a node carries counts.",
        |page| {
            list(&labels.pool, page, "pool", "The pool.");
            list(&labels.instance_type, page, "instance_type", "The instance type.");
            list(&labels.capacity_type, page, "capacity_type", "How the node is bought.");
            list(&labels.dedicated_labels, page, "dedicated", "The tenant the node is dedicated to.");
            list(
                &labels.dedicated_taints,
                page,
                "dedicated_taints",
                "Taints that say the same; a label goes first.",
            );
        },
    );
}
