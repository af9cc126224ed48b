//! Rules by which namespaces name tenants: read, refused, printed.

use defray_pricing::names::CostCenter;
use defray_pricing::ownership::{Ancestor, NamedBy, NamespaceRule};

use super::*;

fn config(tenancy: &str) -> Result<Config, Vec<String>> {
    let text = format!(
        "price_book: [b]\nclusters: [{{name: a, prometheus: {{url: \"http://a\"}}, kubernetes: {{namespace_labels: \
         [x]}}}}]\ntenancy:\n{tenancy}"
    );
    parse(&text, Path::new(""))
}

fn rules(list: &str) -> Result<Vec<NamespaceRule>, String> {
    let read = config(&format!("  rules: [{list}]"));
    read.map(|config| config.tenancy.namespace_rules).map_err(|told| told.join("\n"))
}

#[test]
fn a_preset_is_what_it_would_be_written_in_full() {
    for (preset, full) in [
        ("{preset: capsule}", "{label: capsule.clastix.io/tenant}, {label: projectcapsule.dev/tenant}"),
        ("{preset: rancher}", "{annotation: field.cattle.io/projectId, after: \":\"}"),
        ("{preset: hnc}", "{ancestor: .tree.hnc.x-k8s.io/depth, level: 0}"),
        (
            "{preset: hnc, level: 1, cluster: eu}",
            "{ancestor: .tree.hnc.x-k8s.io/depth, level: 1, cluster: eu}",
        ),
        ("{preset: hnc, depth: 2}", "{ancestor: .tree.hnc.x-k8s.io/depth, depth: 2}"),
        (
            "{preset: capsule, fallback: true}",
            "{label: capsule.clastix.io/tenant, fallback: true}, {label: projectcapsule.dev/tenant, fallback: true}",
        ),
    ] {
        assert_eq!(rules(preset).unwrap(), rules(full).unwrap(), "{preset}");
    }
}

#[test]
fn every_wrong_rule_is_told_with_the_way_to_mend_it() {
    for (list, said) in [
        ("{}", "one of `preset`, `label`, `annotation`, `name` and `ancestor`"),
        ("{label: a, annotation: b}", "only one of `label` and `annotation` can be given"),
        ("{preset: openshift}", "capsule"),
        ("{label: a, level: 1}", "`level` and `depth` are of a tree of namespaces"),
        ("{ancestor: x, level: 1, depth: 1}", "only one of `level` and `depth` can be given"),
        ("{ancestor: x, level: -1}", "level"),
        ("{name: team}", "does not hold `{tenant}` exactly once"),
        ("{label: a, names: {x: __platform__}}", "`__platform__` is reserved"),
        ("{labl: a}", "did you mean `label`?"),
    ] {
        let told = rules(list).unwrap_err();
        assert!(told.contains(said), "{list}: {told}");
    }
    let two = rules("{labl: a}, {name: team}").unwrap_err();
    assert!(two.contains("labl") && two.contains("exactly once"), "all at once: {two}");
    let told = config("  cost_centers: {by_tenant: {__unassigned__: CC-1}}").unwrap_err().join("\n");
    assert!(told.contains("`__unassigned__` is reserved"), "{told}");
}

#[test]
fn a_glob_that_reaches_into_a_rule_by_name_is_refused() {
    let both = |name: &str, glob: &str| {
        let text = format!(
            "  namespace_pattern: \"\"\n  rules: [{name}]\n  static: [{{tenant: x, cluster: eu, namespaces: [\"{glob}\"]}}]"
        );
        config(&text).map(|_| ()).map_err(|told| told.join("\n"))
    };
    let told = both("{name: \"{tenant}-prod\"}", "shop-*").unwrap_err();
    assert!(told.contains("`shop-*` for tenant `x` also matches namespaces that `name` gives"), "{told}");
    assert_eq!(both("{name: \"{tenant}-prod\"}", "*-dev"), Ok(()));
    assert_eq!(both("{name: \"{tenant}-prod\", cluster: us}", "shop-*"), Ok(()), "elsewhere");
    assert_eq!(both("{name: \"{tenant}-prod\", fallback: true}", "shop-*"), Ok(()), "it gives way");
    assert_eq!(both("{name: \"{tenant}-prod\"}", "shop-prod"), Ok(()), "an exception");
}

#[test]
fn what_rules_ask_for_is_remembered_and_asked_of_the_metrics_store() {
    let config = config(
        "  namespace_labels: [a]\n  rules: [{label: b}, {annotation: c}, {preset: hnc}]\n  cost_centers: {labels: [d], \
         annotations: [e], by_tenant: {t: CC-1}, default: CC-2}",
    )
    .unwrap();
    let asked = &config.clusters[0].kubernetes.asked;
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(asked.labels, words(&["a", "b", "d"]));
    assert_eq!(asked.label_suffixes, words(&[".tree.hnc.x-k8s.io/depth"]));
    assert_eq!(asked.annotations, words(&["c", "e"]));
    let names = &config.clusters[0].prometheus.settings.names;
    assert_eq!(names.namespace_labels, ["a", "b", "d"]);
    assert_eq!(names.namespace_annotations, ["c", "e"]);
    assert_eq!(names.namespace_label_suffixes, [".tree.hnc.x-k8s.io/depth"]);
    assert_eq!(config.tenancy.cost_centers.default, Some(CostCenter::from("CC-2")));
}

#[test]
fn rules_of_every_kind_are_printed_as_they_were_read() {
    let all = config(
        "  rules:\n  - {label: a, names: {x: y, \"c:p\": z}}\n  - {annotation: b, after: \":\", cluster: eu-*}\n  \
         - {name: \"{tenant}-prod\"}\n  - {preset: hnc, depth: 3}\n  - {ancestor: /depth}\n  \
         - {annotation: openshift.io/requester, fallback: true}\n  \
         cost_centers: {labels: [l], annotations: [n], by_tenant: {t: CC-1}, default: CC-2}",
    )
    .unwrap();
    let kinds: Vec<_> = all.tenancy.namespace_rules.iter().map(|rule| rule.by.clone()).collect();
    let ancestor = |suffix: &str, which| NamedBy::Ancestor { suffix: suffix.to_owned(), which };
    assert_eq!(kinds[3], ancestor(".tree.hnc.x-k8s.io/depth", Ancestor::Depth(3)));
    assert_eq!(kinds[4], ancestor("/depth", Ancestor::Level(0)));
    let printed = all.print();
    let again = parse(&printed, Path::new("")).unwrap_or_else(|told| panic!("{told:#?}\n{printed}"));
    assert_eq!(again.tenancy, all.tenancy, "{printed}");
}
