//! From API objects to facts. Pure: what cannot be read is said, never guessed.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use defray_pricing::names::{CostCenter, Namespace, Service, TenantName};
use defray_pricing::ownership::{NamespaceFact, NodeFact, TenantFact};
use defray_pricing::printable::printable;
use k8s_openapi::api::core::v1::{NodeSpec, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use serde_json::Value;

use super::settings::{Asked, FieldPath, KeepLabels, TenantSource};
use crate::collect::node_labels::NodeLabels;

/// Reads a tenant field by field, so that one that is malformed is one that is skipped.
pub(super) fn tenant(source: &TenantSource, object: &DynamicObject) -> Result<TenantFact, String> {
    let name = object.metadata.name.clone().ok_or("it has no name")?;
    let metadata = serde_json::to_value(&object.metadata).map_err(|error| error.to_string())?;
    let fields = Fields { metadata: &metadata, data: &object.data };
    let team = TenantName::from(fields.text(&source.team)?);
    if team.is_reserved() {
        return Err(format!("{} is `{team}`, a reserved name; give the team another", source.team));
    }
    let optional = |path: &Option<FieldPath>| match path {
        Some(path) => fields.optional_text(path),
        None => Ok(None),
    };
    let owner_email = match &source.owner_email {
        Some(path) => fields.text(path)?,
        None => String::new(),
    };
    Ok(TenantFact {
        name,
        team,
        cost_center: CostCenter::from(fields.text(&source.cost_center)?),
        owner_email,
        ad_group: optional(&source.ad_group)?,
        services: match &source.services {
            Some(path) => fields.services(path)?,
            None => BTreeSet::new(),
        },
        node_pool_size: match &source.node_pool_size {
            Some(path) => fields.size(path)?,
            None => None,
        },
        node_pool_instance_type: optional(&source.node_pool_instance_type)?,
        malformed: None,
    })
}

/// What a namespace is.
pub(super) fn namespace(
    keep: &KeepLabels,
    asked: &Asked,
    metadata: &ObjectMeta,
) -> Result<NamespaceFact, String> {
    let labels = metadata.labels.iter().flatten();
    Ok(NamespaceFact {
        name: Namespace::from(metadata.name.clone().ok_or("it has no name")?),
        labels: labels
            .filter(|(key, _)| keep.keeps(key) || asked.label(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        annotations: annotations(asked, metadata)
            .map(|(key, value)| match printable(value) {
                Ok(()) => Ok((key.clone(), value.clone())),
                Err(reason) => Err(format!("metadata.annotations.{key} {reason}")),
            })
            .collect::<Result<_, _>>()?,
    })
}

/// The annotations that are asked for. An empty one says nothing.
pub(super) fn annotations<'m>(
    asked: &Asked,
    metadata: &'m ObjectMeta,
) -> impl Iterator<Item = (&'m String, &'m String)> {
    let all = metadata.annotations.iter().flatten();
    all.filter(|(key, value)| asked.annotations.contains(*key) && !value.is_empty())
}

/// What a node is.
pub(super) fn node(labels: &NodeLabels, metadata: &ObjectMeta, spec: &NodeSpec) -> Result<NodeFact, String> {
    let name = metadata.name.as_deref().ok_or("it has no name")?;
    let taints = spec.taints.as_deref().unwrap_or_default();
    Ok(labels.read(
        name,
        |key| metadata.labels.as_ref()?.get(key).map(String::as_str),
        |key| taints.iter().find(|taint| taint.key == key && keeps_away(taint))?.value.as_deref(),
    ))
}

/// Whether a taint keeps others' pods away; one that only asks the scheduler to prefer other nodes does not.
fn keeps_away(taint: &Taint) -> bool {
    taint.effect != "PreferNoSchedule"
}

/// When an object was made, in the one time library that is seen outside this folder.
pub(super) fn created(metadata: &ObjectMeta) -> Option<DateTime<Utc>> {
    let at = metadata.creation_timestamp.as_ref()?.0;
    DateTime::from_timestamp(at.as_second(), u32::try_from(at.subsec_nanosecond()).ok()?)
}

/// An object by field path.
struct Fields<'a> {
    metadata: &'a Value,
    data: &'a Value,
}

impl<'a> Fields<'a> {
    fn find(&self, path: &FieldPath) -> Option<&'a Value> {
        let (root, rest) = match path.segments() {
            [first, rest @ ..] if first == "metadata" => (self.metadata, rest),
            all => (self.data, all),
        };
        rest.iter().try_fold(root, |value, segment| value.get(segment)).filter(|found| !found.is_null())
    }

    fn text(&self, path: &FieldPath) -> Result<String, String> {
        self.optional_text(path)?.ok_or_else(|| format!("{path} is missing"))
    }

    fn optional_text(&self, path: &FieldPath) -> Result<Option<String>, String> {
        match self.find(path) {
            None => Ok(None),
            Some(Value::String(text)) => {
                printable(text).map_err(|reason| format!("{path} {reason}"))?;
                Ok(Some(text.clone()))
            }
            Some(other) => Err(format!("{path} is {}, not text", kind(other))),
        }
    }

    fn services(&self, path: &FieldPath) -> Result<BTreeSet<Service>, String> {
        let services = match self.find(path) {
            None => return Ok(BTreeSet::new()),
            Some(Value::Object(services)) => services,
            Some(other) => return Err(format!("{path} is {}, not an object", kind(other))),
        };
        let mut on = BTreeSet::new();
        for (name, switched) in services {
            printable(name).map_err(|reason| format!("a name in {path} {reason}"))?;
            match switched {
                Value::Bool(true) => drop(on.insert(Service::from(name.as_str()))),
                Value::Bool(false) | Value::Null => {}
                other => return Err(format!("{path}.{name} is {}, not true or false", kind(other))),
            }
        }
        Ok(on)
    }

    fn size(&self, path: &FieldPath) -> Result<Option<u32>, String> {
        self.find(path)
            .map(|size| {
                size.as_u64()
                    .and_then(|size| u32::try_from(size).ok())
                    .ok_or_else(|| format!("{path} is {size}, not a number of nodes"))
            })
            .transpose()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    fn read(spec: &Value) -> Result<TenantFact, String> {
        let object = object(json!({
            "apiVersion": "platform.financecore.local/v1alpha1", "kind": "Tenant",
            "metadata": {"name": "t", "uid": "u", "labels": {"example.com/team": "by-label"}},
            "spec": spec,
        }));
        tenant(&TenantSource::default(), &object)
    }

    #[test]
    fn the_three_required_fields_are_enough_and_services_are_then_off() {
        let fact = read(&json!({
            "teamName": "devteam-a", "ownerEmail": "lead@example.com", "costCenter": "CC-1",
        }));
        assert_eq!(
            fact,
            Ok(TenantFact {
                name: "t".to_string(),
                team: TenantName::from("devteam-a"),
                cost_center: CostCenter::from("CC-1"),
                owner_email: "lead@example.com".to_string(),
                ad_group: None,
                services: BTreeSet::new(),
                node_pool_size: None,
                node_pool_instance_type: None,
                malformed: None,
            })
        );
    }

    #[test]
    fn everything_else_is_read_where_it_is_there_and_any_service_name_counts() {
        let fact = read(&json!({
            "teamName": "devteam-a", "ownerEmail": "lead@example.com", "costCenter": "CC-1",
            "adGroup": "g", "nodePool": {"size": 3, "instanceType": "compute-optimized"},
            "services": {"argocd": true, "vault": false, "kafka": true, "istio": null},
        }))
        .unwrap();
        assert_eq!(fact.ad_group.as_deref(), Some("g"));
        assert_eq!(fact.node_pool_size, Some(3));
        assert_eq!(fact.node_pool_instance_type.as_deref(), Some("compute-optimized"));
        let on: Vec<_> = fact.services.iter().map(Service::as_str).collect();
        assert_eq!(on, ["argocd", "kafka"]);
    }

    #[test]
    fn a_malformed_tenant_says_which_field_and_why() {
        let good = json!({"teamName": "a", "ownerEmail": "l@example.com", "costCenter": "CC-1"});
        for (field, value, said) in [
            ("teamName", Value::Null, "spec.teamName is missing"),
            ("teamName", json!(7), "spec.teamName is a number, not text"),
            ("teamName", json!(""), "spec.teamName is empty"),
            ("teamName", json!("a\nb"), "U+000A"),
            ("teamName", json!("a\u{202e}b"), "U+202E"),
            ("teamName", json!("=1+1"), "formula"),
            ("teamName", json!("-team"), "formula"),
            ("teamName", json!(" a"), "blanks"),
            ("teamName", json!("x".repeat(254)), "254 bytes"),
            ("teamName", json!("__platform__"), "reserved"),
            ("teamName", json!("__unassigned__"), "reserved"),
            ("costCenter", Value::Null, "spec.costCenter is missing"),
            ("costCenter", json!("@SUM(A1)"), "formula"),
            ("costCenter", json!({"code": 1}), "spec.costCenter is an object"),
            ("ownerEmail", json!([1]), "spec.ownerEmail is a list"),
            ("nodePool", json!({"size": -1}), "spec.nodePool.size is -1"),
            ("nodePool", json!({"size": "3"}), "spec.nodePool.size is \"3\""),
            ("nodePool", json!({"size": 1.5}), "spec.nodePool.size is 1.5"),
            ("services", json!("all"), "spec.services is text, not an object"),
            ("services", json!({"vault": "yes"}), "spec.services.vault is text, not true or false"),
        ] {
            let mut spec = good.clone();
            spec[field] = value;
            let reason = read(&spec).expect_err(&format!("{spec} must be refused"));
            assert!(reason.contains(said), "{spec}: {reason}");
        }
        assert!(read(&json!("not an object")).unwrap_err().contains("spec.teamName is missing"));
    }

    #[test]
    fn field_paths_reach_into_labels_and_other_specs() {
        let source = TenantSource {
            team: r"metadata.labels.example\.com/team".parse().unwrap(),
            cost_center: "spec.finance.code".parse().unwrap(),
            owner_email: None,
            services: None,
            ..TenantSource::default()
        };
        let object = object(json!({
            "metadata": {"name": "t", "labels": {"example.com/team": "by-label"}},
            "spec": {"finance": {"code": "42"}, "services": "whatever this means there"},
        }));
        let fact = tenant(&source, &object).unwrap();
        assert_eq!(fact.team.as_str(), "by-label");
        assert_eq!(fact.cost_center.as_str(), "42");
        assert_eq!(fact.owner_email, "");
        assert_eq!(fact.services, BTreeSet::new());
    }

    #[test]
    fn a_namespace_keeps_the_labels_that_are_asked_for() {
        let metadata: ObjectMeta = serde_json::from_value(json!({
            "name": "vcluster-devteam-a",
            "labels": {"kubernetes.io/metadata.name": "vcluster-devteam-a", "team": "a", "x": "y"},
        }))
        .unwrap();
        let nothing = Asked::default();
        let all = namespace(&KeepLabels::All, &nothing, &metadata).unwrap();
        assert_eq!(all.labels.keys().collect::<Vec<_>>(), ["team", "x"]);
        let only = KeepLabels::Only(BTreeSet::from(["team".to_string()]));
        assert_eq!(namespace(&only, &nothing, &metadata).unwrap().labels.len(), 1);
    }

    #[test]
    fn what_rules_ask_for_is_kept_whatever_else_is_and_no_other_annotation() {
        let metadata: ObjectMeta = serde_json::from_value(json!({
            "name": "shop",
            "labels": {"team": "a", "x": "y", "shop.tree.hnc.x-k8s.io/depth": "0"},
            "annotations": {"field.cattle.io/projectId": "c-1:p-2", "note": "private", "empty": ""},
        }))
        .unwrap();
        let keys = |keys: &[&str]| keys.iter().map(ToString::to_string).collect();
        let mut asked = Asked {
            labels: keys(&["team"]),
            label_suffixes: keys(&[".tree.hnc.x-k8s.io/depth"]),
            annotations: keys(&["field.cattle.io/projectId", "absent", "empty"]),
        };
        let only = KeepLabels::Only(BTreeSet::new());
        let fact = namespace(&only, &asked, &metadata).unwrap();
        assert_eq!(fact.labels.keys().collect::<Vec<_>>(), ["shop.tree.hnc.x-k8s.io/depth", "team"]);
        assert_eq!(fact.annotations.keys().collect::<Vec<_>>(), ["field.cattle.io/projectId"]);

        asked.annotations = keys(&["note"]);
        let mut metadata = metadata;
        metadata.annotations = Some([("note".to_owned(), "=1+1".to_owned())].into());
        let reason = namespace(&only, &asked, &metadata).unwrap_err();
        assert!(reason.starts_with("metadata.annotations.note is `=1+1`, which a spreadsheet"), "{reason}");
    }

    #[test]
    fn a_taint_dedicates_a_node_unless_it_is_only_a_preference() {
        let metadata = ObjectMeta { name: Some("n1".to_string()), ..ObjectMeta::default() };
        let tainted = |effect: &str| -> NodeSpec {
            serde_json::from_value(json!({
                "taints": [{"key": "tenant", "value": "devteam-a", "effect": effect}],
            }))
            .unwrap()
        };
        let dedicated =
            |effect| node(&NodeLabels::default(), &metadata, &tainted(effect)).unwrap().dedicated_to;
        assert_eq!(dedicated("NoSchedule").as_deref(), Some("devteam-a"));
        assert_eq!(dedicated("NoExecute").as_deref(), Some("devteam-a"));
        assert_eq!(dedicated("PreferNoSchedule"), None);
    }

    #[test]
    fn the_time_of_creation_is_taken_to_the_second() {
        let metadata: ObjectMeta =
            serde_json::from_value(json!({"creationTimestamp": "2026-10-15T14:20:07Z"})).unwrap();
        assert_eq!(created(&metadata).unwrap().to_rfc3339(), "2026-10-15T14:20:07+00:00");
        assert_eq!(created(&ObjectMeta::default()), None);
    }
}
