//! Rules by which namespaces name tenants, and where the cost centres of such tenants come from.

use std::collections::BTreeMap;

use defray_pricing::book::Pattern;
use defray_pricing::names::{CostCenter, TenantName};
use defray_pricing::ownership::{Ancestor, CostCenterSource, NamedBy, NamespaceRule};
use defray_pricing::problem::Refused;
use defray_pricing::yaml::{Mapping, Value};

use super::super::page::Page;
use super::{PLACEHOLDER, name_pattern, tenant};

/// How the hierarchical namespace controller tells how far above a namespace another is.
const HNC: &str = ".tree.hnc.x-k8s.io/depth";

/// What is meant by a word, written in full.
#[derive(Debug, Clone, Copy)]
enum Preset {
    /// Both names that the label has had.
    Capsule,
    /// The project, without the cluster that it is in.
    Rancher,
    Hnc,
}

const PRESETS: [(&str, Preset); 3] =
    [("capsule", Preset::Capsule), ("rancher", Preset::Rancher), ("hnc", Preset::Hnc)];
const KINDS: [&str; 5] = ["preset", "label", "annotation", "name", "ancestor"];

/// What a preset writes.
fn written(preset: Preset) -> Vec<NamespaceRule> {
    let label = |key: &str| NamespaceRule::by(NamedBy::Label(key.to_owned()));
    match preset {
        Preset::Capsule => vec![label("capsule.clastix.io/tenant"), label("projectcapsule.dev/tenant")],
        Preset::Rancher => {
            let annotation = NamedBy::Annotation("field.cattle.io/projectId".to_owned());
            vec![NamespaceRule { after: Some(":".to_owned()), ..NamespaceRule::by(annotation) }]
        }
        Preset::Hnc => {
            vec![NamespaceRule::by(NamedBy::Ancestor { suffix: HNC.to_owned(), which: Ancestor::Level(0) })]
        }
    }
}

/// A list of rules; a preset is as many as it stands for.
pub(super) fn rules<'d>(value: &Value<'d>) -> Result<Vec<(NamespaceRule, Value<'d>)>, Refused> {
    let read =
        value.list(|value| Ok(rule(value)?.into_iter().map(|rule| (rule, value.clone())).collect()))?;
    Ok(read.into_iter().flat_map(|rules: Vec<_>| rules).collect())
}

fn rule(value: &Value<'_>) -> Result<Vec<NamespaceRule>, Refused> {
    let mut keys = value.mapping()?;
    let kind = keys.exactly_one(&KINDS);
    let preset = keys.optional("preset", |value| value.word(&PRESETS));
    let label = keys.optional("label", Value::string);
    let annotation = keys.optional("annotation", Value::string);
    let name = keys.optional("name", |value| name_pattern(value, value.text()?));
    let suffix = keys.optional("ancestor", Value::string);
    let which = ancestor(&mut keys);
    let cluster = keys.with_default("cluster", Pattern::any(), Value::parsed);
    let after = keys.optional("after", Value::string);
    let names = keys
        .with_default("names", BTreeMap::new(), |value| value.map(|key| Ok(key.text().to_owned()), tenant));
    let fallback = keys.with_default("fallback", false, Value::boolean);
    keys.finish();
    kind?;
    let (preset, which) = (preset?, which?);
    let by = label?.map(NamedBy::Label).or(annotation?.map(NamedBy::Annotation)).or(name?.map(NamedBy::Name));
    let tree = suffix?.map(|suffix| NamedBy::Ancestor { suffix, which: Ancestor::Level(0) });
    let mut rules = preset.map(written).unwrap_or_default();
    rules.extend(by.or(tree).map(NamespaceRule::by));
    let (cluster, after, names, fallback) = (cluster?, after?, names?, fallback?);
    for rule in &mut rules {
        match (&mut rule.by, which) {
            (NamedBy::Ancestor { which: of, .. }, Some(which)) => *of = which,
            (_, None) => {}
            (_, Some(_)) => {
                return Err(value.refuse(
                    "`level` and `depth` are of a tree of namespaces",
                    "use them with `ancestor` or `preset: hnc`",
                ));
            }
        }
        rule.cluster = cluster.clone();
        rule.after = after.clone().or_else(|| rule.after.take());
        rule.names.clone_from(&names);
        rule.fallback = fallback;
    }
    Ok(rules)
}

/// Which ancestor, if it is said.
fn ancestor(keys: &mut Mapping<'_>) -> Result<Option<Ancestor>, Refused> {
    let one = keys.at_most_one(&["level", "depth"]);
    let steps = |value: &Value<'_>| value.whole_number(0..=100);
    let level = keys.optional("level", |value| Ok(Ancestor::Level(steps(value)?)));
    let depth = keys.optional("depth", |value| Ok(Ancestor::Depth(steps(value)?)));
    one?;
    Ok(level?.or(depth?))
}

pub(super) fn cost_centers(value: &Value<'_>) -> Result<CostCenterSource, Refused> {
    let mut keys = value.mapping()?;
    let words = |value: &Value<'_>| value.list(Value::string);
    let labels = keys.with_default("labels", Vec::new(), words);
    let annotations = keys.with_default("annotations", Vec::new(), words);
    let by_tenant = keys.with_default("by_tenant", BTreeMap::new(), |value| {
        value.map(
            |key| {
                let tenant = TenantName::from(key.text());
                if tenant.is_reserved() {
                    return Err(key.refuse(format!("`{tenant}` is reserved"), "no tenant may have this name"));
                }
                Ok(tenant)
            },
            cost_center,
        )
    });
    let default = keys.optional("default", cost_center);
    keys.finish();
    Ok(CostCenterSource {
        labels: labels?,
        annotations: annotations?,
        by_tenant: by_tenant?,
        default: default?,
    })
}

fn cost_center(value: &Value<'_>) -> Result<CostCenter, Refused> {
    Ok(CostCenter::from(value.string()?))
}

pub(super) fn print_rules(rules: &[NamespaceRule], page: &mut Page) {
    let about = "Rules by which namespaces name their tenants, whether a Tenant resource describes these or not: by \
                 label, annotation, name (`team-{tenant}`) or ancestor in a tree of namespaces (how its labels end; \
                 level: steps down from the root, or depth: steps up from the namespace). preset: capsule, rancher or \
                 hnc stands for the usual ones. Two rules that name two tenants for one namespace contradict each \
                 other: its usage is nobody's, and a metric and the log say so.";
    page.list("rules", about, rules, |rule, page| {
        match &rule.by {
            NamedBy::Label(label) => page.key("label", label, "The label whose value names the tenant."),
            NamedBy::Annotation(key) => page.key("annotation", key, "The annotation whose value names it."),
            NamedBy::Name(name) => {
                page.key(
                    "name",
                    &format!("{}{PLACEHOLDER}{}", name.prefix, name.suffix),
                    "The name with it inside.",
                );
            }
            NamedBy::Ancestor { suffix, which } => {
                page.key(
                    "ancestor",
                    suffix,
                    "How labels end that begin with the name of a namespace above it.",
                );
                match which {
                    Ancestor::Level(level) => {
                        page.raw("level", &level.to_string(), "How far below the root it is.");
                    }
                    Ancestor::Depth(depth) => {
                        page.raw("depth", &depth.to_string(), "How far above the namespace.");
                    }
                }
            }
        }
        page.key("cluster", rule.cluster.as_str(), "Clusters it holds in.");
        let about = "The tenant is what stands after the last of these.";
        page.maybe("after", rule.after.as_deref(), "\":\"", about);
        let names = rule.names.iter().map(|(found, tenant)| (found.as_str(), tenant.as_str()));
        page.pairs("names", names, "What tenants are called, by what is found.");
        let about = "Whether it speaks only for namespaces that nothing before it claims.";
        page.raw("fallback", if rule.fallback { "true" } else { "false" }, about);
    });
}

pub(super) fn print_cost_centers(source: &CostCenterSource, page: &mut Page) {
    let about = "The cost centres of tenants that no Tenant resource describes, in this order. A tenant that none is \
                 found of is on `__unassigned__`, and a metric and the log say so.";
    page.section("cost_centers", about, |page| {
        let about =
            "Labels of their namespaces. Namespaces of one tenant that name two contradict each other.";
        page.words("labels", source.labels.iter().map(String::as_str), about);
        page.words(
            "annotations",
            source.annotations.iter().map(String::as_str),
            "Annotations of their namespaces.",
        );
        let pairs = source.by_tenant.iter().map(|(tenant, center)| (tenant.as_str(), center.as_str()));
        page.pairs("by_tenant", pairs, "By tenant. A tenant named here exists.");
        page.maybe("default", source.default.as_ref().map(CostCenter::as_str), "CC-1234", "Of all others.");
    });
}
