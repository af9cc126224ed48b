//! Tenants that only their namespaces know: who they are, and on which cost centre.

use defray_pricing::ownership::{Ancestor, CostCenterSource, NamedBy, NamespaceRule};

use super::*;

const CAPSULE: &str = "capsule.clastix.io/tenant";
const PROJECT: &str = "field.cattle.io/projectId";
const TREE: &str = ".tree.hnc.x-k8s.io/depth";
const CENTER: &str = "finance.bank.example/cost-center";

/// Rules of a cluster without any resource for tenants.
fn by(rules: Vec<NamespaceRule>) -> TenancyRules {
    TenancyRules {
        namespace_rules: rules,
        cost_centers: CostCenterSource { labels: vec![CENTER.to_owned()], ..CostCenterSource::default() },
        ..TenancyRules::default()
    }
}

fn label(key: &str) -> NamespaceRule {
    NamespaceRule::by(NamedBy::Label(key.to_owned()))
}

fn annotation(key: &str) -> NamespaceRule {
    NamespaceRule::by(NamedBy::Annotation(key.to_owned()))
}

fn ancestor(which: Ancestor) -> TenancyRules {
    by(vec![NamespaceRule::by(NamedBy::Ancestor { suffix: TREE.to_owned(), which })])
}

impl Story {
    /// A namespace that is there all the time.
    fn with(self, name: &str, labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Self {
        let mut story = self.labelled(name, name, labels, (FIRST, None));
        let last = story.0.namespaces.last_mut().unwrap();
        last.fact.annotations =
            annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        story
    }
}

fn no_cost_center(tenant: &str) -> Conflict {
    Conflict::NoCostCenter { cluster: CLUSTER.into(), tenant: tenant.into() }
}

const NOON: &str = "05T12:00";

#[test]
fn a_tenant_that_only_a_label_names_exists_and_its_cost_centre_stands_beside_it() {
    let rules = by(vec![label(CAPSULE)]);
    let story = Story::new()
        .with("oil-dev", &[(CAPSULE, "oil"), (CENTER, "CC-OIL")], &[])
        .with("oil-prod", &[(CAPSULE, "oil")], &[])
        .with("nobodys", &[(CENTER, "CC-OIL")], &[])
        .node("w1", "pool-oil", Some("oil"), FIRST, None);
    let owners = story.by(&rules, NOON);
    assert_eq!(owner(&owners, "oil-dev").as_deref(), Some("oil"));
    assert_eq!(owner(&owners, "oil-prod").as_deref(), Some("oil"));
    assert_eq!(owner(&owners, "nobodys"), None);
    assert_eq!(cost_center(&owners, "oil").as_deref(), Some("CC-OIL"), "one of its namespaces says so");
    assert_eq!(dedicated(&owners, "pool-oil").as_deref(), Some("oil"));
    assert_eq!(owners.conflicts, [].into());
}

#[test]
fn an_annotation_names_a_tenant_by_a_part_of_it_or_by_a_name_given_to_it() {
    let project = NamespaceRule {
        after: Some(":".to_owned()),
        names: [("p-7".to_owned(), "payments".into()), ("c-9:p-8".to_owned(), "loans".into())].into(),
        ..annotation(PROJECT)
    };
    let story = Story::new()
        .with("a", &[], &[(PROJECT, "c-1:p-7")])
        .with("b", &[], &[(PROJECT, "c-9:p-8")])
        .with("c", &[], &[(PROJECT, "c-1:p-8")])
        .with("d", &[], &[(PROJECT, "p-9")])
        .with("e", &[], &[(PROJECT, "c-1:=cmd")])
        .with("f", &[(PROJECT, "c-1:p-7")], &[]);
    let owners = story.by(&by(vec![project]), NOON);
    let all: Vec<_> = ["a", "b", "c", "d", "e", "f"].iter().map(|name| owner(&owners, name)).collect();
    let expected = [Some("payments"), Some("loans"), Some("p-8"), Some("p-9"), None, None];
    assert_eq!(all, expected.map(|name| name.map(str::to_owned)));
}

#[test]
fn a_tree_of_namespaces_belongs_to_the_ancestor_that_the_rule_names() {
    // bank > retail > cards > cards-dev, and a namespace that is in no tree.
    let depth = |above: &[&str]| -> Vec<(String, String)> {
        let named = |(n, name): (usize, &&str)| (format!("{name}{TREE}"), n.to_string());
        above.iter().enumerate().map(named).collect()
    };
    let mut story = Story::new();
    for (name, above) in [
        ("bank", &["bank"][..]),
        ("retail", &["retail", "bank"]),
        ("cards", &["cards", "retail", "bank"]),
        ("cards-dev", &["cards-dev", "cards", "retail", "bank"]),
        ("alone", &[]),
    ] {
        let labels = depth(above);
        let labels: Vec<_> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        story = story.with(name, &labels, &[]);
    }
    let all = ["bank", "retail", "cards", "cards-dev", "alone"];
    for (which, expected) in [
        (Ancestor::Level(0), [Some("bank"), Some("bank"), Some("bank"), Some("bank"), None]),
        (Ancestor::Level(1), [None, Some("retail"), Some("retail"), Some("retail"), None]),
        (Ancestor::Level(2), [None, None, Some("cards"), Some("cards"), None]),
        (Ancestor::Depth(0), [Some("bank"), Some("retail"), Some("cards"), Some("cards-dev"), None]),
        (Ancestor::Depth(1), [None, Some("bank"), Some("retail"), Some("cards"), None]),
    ] {
        let owners = story.by(&ancestor(which), NOON);
        let found = all.map(|name| owner(&owners, name));
        assert_eq!(found, expected.map(|name| name.map(str::to_owned)), "{which:?}");
    }
}

#[test]
fn a_tree_that_names_two_ancestors_at_one_depth_is_a_conflict() {
    let story = Story::new().with(
        "torn",
        &[(&format!("a{TREE}"), "1"), (&format!("b{TREE}"), "1"), (&format!("c{TREE}"), "x")],
        &[],
    );
    let owners = story.by(&ancestor(Ancestor::Level(0)), NOON);
    assert_eq!(owner(&owners, "torn"), None);
    assert!(matches!(owners.conflicts.first(), Some(Conflict::TwoOwnersOneNamespace { .. })), "{owners:#?}");
}

#[test]
fn two_rules_for_two_tenants_are_a_conflict_and_neither_comes_to_exist_by_it() {
    let rules = by(vec![label(CAPSULE), annotation(PROJECT)]);
    let story = Story::new()
        .with("torn", &[(CAPSULE, "a")], &[(PROJECT, "b")])
        .with("agreed", &[(CAPSULE, "c")], &[(PROJECT, "c")])
        .node("w1", "pool-a", Some("a"), FIRST, None);
    let owners = story.by(&rules, NOON);
    assert_eq!(owner(&owners, "torn"), None);
    assert_eq!(owner(&owners, "agreed").as_deref(), Some("c"));
    assert_eq!(dedicated(&owners, "pool-a").as_deref(), Some("__unassigned__"));
    let conflict = Conflict::TwoOwnersOneNamespace {
        cluster: CLUSTER.into(),
        namespace: "torn".into(),
        claims: vec![
            ("a".into(), format!("label `{CAPSULE}`")),
            ("b".into(), format!("annotation `{PROJECT}`")),
        ],
    };
    assert_eq!(owners.conflicts, [conflict, no_cost_center("c")].into());
}

#[test]
fn a_fallback_speaks_only_where_nothing_before_it_does() {
    let requester = NamespaceRule { fallback: true, ..annotation("openshift.io/requester") };
    let rules = TenancyRules {
        namespace_pattern: Some(NamePattern { prefix: "vcluster-".to_owned(), suffix: String::new() }),
        ..by(vec![label(CAPSULE), requester])
    };
    let alice = &[("openshift.io/requester", "alice")];
    let story = Story::new()
        .tenant("1", "known", "CC-1", FIRST, None)
        .with("ours", &[(CAPSULE, "oil")], alice)
        .with("vcluster-known", &[], alice)
        .with("vcluster-unknown", &[], alice);
    let owners = story.by(&rules, NOON);
    assert_eq!(owner(&owners, "ours").as_deref(), Some("oil"));
    assert_eq!(owner(&owners, "vcluster-known").as_deref(), Some("known"));
    assert_eq!(owner(&owners, "vcluster-unknown").as_deref(), Some("alice"));
}

#[test]
fn a_rule_holds_in_the_clusters_it_names_and_names_by_a_part_of_the_name() {
    let pattern_of =
        |prefix: &str, suffix: &str| NamePattern { prefix: prefix.to_owned(), suffix: suffix.to_owned() };
    let here = NamespaceRule::by(NamedBy::Name(pattern_of("", "-prod")));
    let elsewhere = NamespaceRule { cluster: pattern("other"), ..label(CAPSULE) };
    let story = Story::new().with("pay-prod", &[(CAPSULE, "oil")], &[]).with("pay-dev", &[], &[]);
    let owners = story.by(&by(vec![here, elsewhere]), NOON);
    assert_eq!(owner(&owners, "pay-prod").as_deref(), Some("pay"));
    assert_eq!(owner(&owners, "pay-dev"), None);
}

#[test]
fn a_resource_goes_before_what_namespaces_say_of_a_tenant() {
    let story = Story::new().tenant("1", "oil", "CC-1", FIRST, None).with(
        "oil-dev",
        &[(CAPSULE, "oil"), (CENTER, "CC-OTHER")],
        &[],
    );
    let owners = story.by(&by(vec![label(CAPSULE)]), NOON);
    assert_eq!(owner(&owners, "oil-dev").as_deref(), Some("oil"));
    assert_eq!(cost_center(&owners, "oil").as_deref(), Some("CC-1"));
    assert_eq!(owners.conflicts, [].into());
}

#[test]
fn the_cost_centre_of_a_named_tenant_is_its_namespaces_then_the_configurations_then_nobodys() {
    let tenants = ["said", "noted", "claimed", "mapped", "other"];
    let mut story = Story::new();
    for tenant in tenants {
        let labels: &[_] =
            if tenant == "said" { &[(CAPSULE, tenant), (CENTER, "CC-SAID")] } else { &[(CAPSULE, tenant)] };
        let notes: &[_] = if tenant == "noted" { &[("cc", "CC-NOTED")] } else { &[] };
        story = story.with(tenant, labels, notes);
    }
    let written = ["said", "noted", "claimed", "mapped"].map(|tenant| (tenant.into(), "CC-MAP".into()));
    let claim = StaticClaim {
        tenant: "claimed".into(),
        cost_center: Some("CC-CLAIM".into()),
        cluster: pattern("*"),
        namespaces: vec![pattern("elsewhere")],
    };
    let mut rules = by(vec![label(CAPSULE)]);
    rules.static_claims = vec![claim];
    rules.cost_centers.annotations = vec!["cc".to_owned()];
    rules.cost_centers.by_tenant = written.into();
    rules.cost_centers.default = Some("CC-REST".into());
    let owners = story.by(&rules, NOON);
    let found = tenants.map(|tenant| cost_center(&owners, tenant).unwrap());
    assert_eq!(found, ["CC-SAID", "CC-NOTED", "CC-CLAIM", "CC-MAP", "CC-REST"]);
    assert_eq!(owners.conflicts, [].into());

    rules.cost_centers.default = None;
    let owners = story.by(&rules, NOON);
    assert_eq!(owner(&owners, "other").as_deref(), Some("other"), "it keeps its namespace");
    assert_eq!(cost_center(&owners, "other").as_deref(), Some("__unassigned__"));
    assert_eq!(owners.conflicts, [no_cost_center("other")].into());
}

#[test]
fn namespaces_of_one_tenant_that_name_two_cost_centres_are_a_conflict_until_one_gives_way() {
    let labels = |center| [(CAPSULE, "oil"), (CENTER, center)];
    let story = Story::new().labelled("n1", "oil-a", &labels("CC-1"), (FIRST, Some("10T12:20"))).labelled(
        "n2",
        "oil-b",
        &labels("CC-2"),
        (FIRST, None),
    );
    let rules = by(vec![label(CAPSULE)]);
    let torn = story.by(&rules, "09T12:00");
    assert_eq!(owner(&torn, "oil-a").as_deref(), Some("oil"), "whose it is, nobody doubts");
    assert_eq!(cost_center(&torn, "oil").as_deref(), Some("__unassigned__"));
    let conflict = Conflict::TwoCostCenters {
        cluster: CLUSTER.into(),
        tenant: "oil".into(),
        claims: vec![("CC-1".into(), "oil-a".into()), ("CC-2".into(), "oil-b".into())],
    };
    assert_eq!(torn.conflicts, [conflict].into());
    let mended = story.by(&rules, "10T12:00");
    assert_eq!(cost_center(&mended, "oil").as_deref(), Some("CC-2"), "what holds at the end of the hour");
    assert_eq!(mended.conflicts, [].into());
}

#[test]
fn each_cluster_speaks_for_itself_and_where_it_is_silent_another_does() {
    let mut story = Story::new().with("oil", &[(CAPSULE, "oil"), (CENTER, "CC-1")], &[]);
    for (cluster, labels) in
        [("silent", vec![(CAPSULE, "oil")]), ("test", vec![(CAPSULE, "oil"), (CENTER, "CC-2")])]
    {
        story = story.with("oil", &labels, &[]);
        story.0.namespaces.last_mut().unwrap().cluster = cluster.into();
        story.0.observed_since.insert(cluster.into(), instant(FIRST));
    }
    let owners = story.by(&by(vec![label(CAPSULE)]), NOON);
    let center = |cluster: &str| owners.tenants[&(cluster.into(), "oil".into())].cost_center.to_string();
    assert_eq!([center(CLUSTER), center("silent"), center("test")], ["CC-1", "CC-1", "CC-2"]);
    assert_eq!(owners.conflicts, [].into());
}

#[test]
fn a_reserved_name_makes_nobody() {
    let story = Story::new().with("sly", &[(CAPSULE, "__platform__")], &[]);
    let owners = story.by(&by(vec![label(CAPSULE)]), NOON);
    assert_eq!(owner(&owners, "sly"), None);
    assert!(owners.tenants.is_empty());
    assert!(matches!(owners.conflicts.first(), Some(Conflict::ReservedName { .. })));
}
