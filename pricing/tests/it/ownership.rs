//! Who owned what in an hour.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use defray_pricing::ownership::{
    Conflict, NamePattern, NamespaceFact, NodeFact, Origin, Owners, OwnershipIndex, Span, StaticClaim,
    TenancyRules, TenantFact, Timeline, resolve,
};

use crate::fixture::*;

mod named;

const LABEL: &str = "platform.financecore.local/tenant";

fn instant(text: &str) -> DateTime<Utc> {
    format!("2026-10-{text}:00Z").parse().unwrap()
}

/// The day the cluster was first seen.
const FIRST: &str = "01T00:00";

/// A timeline of one cluster, built up by object.
struct Story(Timeline);

impl Story {
    fn new() -> Self {
        let mut timeline = Timeline::default();
        timeline.observed_since.insert(CLUSTER.into(), instant(FIRST));
        Self(timeline)
    }

    fn span<T>(uid: &str, from: &str, until: Option<&str>, fact: T) -> Span<T> {
        let until = until.map(instant);
        Span {
            cluster: CLUSTER.into(),
            uid: uid.into(),
            from: instant(from),
            until,
            origin: Origin::Observed,
            fact,
        }
    }

    fn tenant(mut self, uid: &str, team: &str, cost_center: &str, from: &str, until: Option<&str>) -> Self {
        let fact = TenantFact {
            name: format!("tenant-{uid}"),
            team: team.into(),
            cost_center: cost_center.into(),
            owner_email: "owner@example.com".to_owned(),
            ad_group: None,
            services: [].into(),
            node_pool_size: None,
            node_pool_instance_type: None,
            malformed: None,
        };
        self.0.tenants.push(Self::span(uid, from, until, fact));
        self
    }

    fn namespace(self, uid: &str, name: &str, label: &str, from: &str, until: Option<&str>) -> Self {
        let labels = if label.is_empty() { vec![] } else { vec![(LABEL, label)] };
        self.labelled(uid, name, &labels, (from, until))
    }

    fn labelled(
        mut self,
        uid: &str,
        name: &str,
        labels: &[(&str, &str)],
        (from, until): (&str, Option<&str>),
    ) -> Self {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let fact = NamespaceFact { name: name.into(), labels, annotations: [].into() };
        self.0.namespaces.push(Self::span(uid, from, until, fact));
        self
    }

    fn node(
        mut self,
        uid: &str,
        pool: &str,
        dedicated_to: Option<&str>,
        from: &str,
        until: Option<&str>,
    ) -> Self {
        let fact = NodeFact {
            name: uid.to_owned(),
            pool: pool.into(),
            instance_type: "m5".into(),
            capacity_type: "".into(),
            dedicated_to: dedicated_to.map(str::to_owned),
        };
        self.0.nodes.push(Self::span(uid, from, until, fact));
        self
    }

    /// Everything so far becomes assumed.
    fn assumed(mut self) -> Self {
        self.0.tenants.iter_mut().for_each(|span| span.origin = Origin::Assumed);
        self.0.namespaces.iter_mut().for_each(|span| span.origin = Origin::Assumed);
        self.0.nodes.iter_mut().for_each(|span| span.origin = Origin::Assumed);
        self
    }

    fn at(&self, hour: &str) -> Owners {
        self.by(&rules(), hour)
    }

    fn by(&self, rules: &TenancyRules, at: &str) -> Owners {
        resolve(&self.0, rules, hour(&format!("2026-10-{at}:00Z")))
    }
}

fn rules() -> TenancyRules {
    TenancyRules {
        namespace_pattern: Some(NamePattern { prefix: "vcluster-".to_owned(), suffix: String::new() }),
        namespace_labels: vec![LABEL.to_owned(), "team".to_owned()],
        ..TenancyRules::default()
    }
}

fn owner(owners: &Owners, namespace: &str) -> Option<String> {
    let state = owners.namespaces.get(&(CLUSTER.into(), namespace.into()));
    state.and_then(|state| state.tenant.as_ref()).map(ToString::to_string)
}

fn cost_center(owners: &Owners, tenant: &str) -> Option<String> {
    owners.tenants.get(&(CLUSTER.into(), tenant.into())).map(|state| state.cost_center.to_string())
}

fn dedicated(owners: &Owners, pool: &str) -> Option<String> {
    owners.dedicated.get(&(CLUSTER.into(), pool.into())).map(ToString::to_string)
}

#[test]
fn the_article_ties_namespaces_to_tenants_by_name_and_by_label() {
    let story = Story::new()
        .tenant("1", "a", "CC-1", FIRST, None)
        .namespace("n1", "vcluster-a", "", FIRST, None)
        .namespace("n2", "extra", "a", FIRST, None)
        .namespace("n3", "vcluster-a-2", "true", FIRST, None)
        .namespace("n4", "both", "", FIRST, None)
        .namespace("n5", "vcluster-nobody", "", FIRST, None);
    let owners = story.at("05T10:00");
    assert_eq!(owner(&owners, "vcluster-a").as_deref(), Some("a"));
    assert_eq!(owner(&owners, "extra").as_deref(), Some("a"));
    for nobodys in ["vcluster-a-2", "both", "vcluster-nobody"] {
        assert_eq!(owner(&owners, nobodys), None, "{nobodys}");
        assert!(owners.namespaces.contains_key(&(CLUSTER.into(), nobodys.into())));
    }
    assert_eq!(owners.conflicts, [].into());
    assert_eq!(owners.assumed, [].into());
}

#[test]
fn an_hour_is_attributed_by_what_held_at_its_end_or_at_the_last_moment() {
    let story = Story::new()
        .tenant("1", "a", "CC-OLD", FIRST, Some("15T10:20"))
        .tenant("1", "a", "CC-NEW", "15T10:20", Some("20T12:30"))
        .namespace("n1", "vcluster-a", "", FIRST, Some("20T12:10"));
    for (hour, expected) in [
        ("15T09:00", Some("CC-OLD")),
        ("15T10:00", Some("CC-NEW")),
        ("20T12:00", Some("CC-NEW")),
        ("20T13:00", None),
    ] {
        let owners = story.at(hour);
        assert_eq!(cost_center(&owners, "a").as_deref(), expected, "{hour}");
        assert_eq!(owner(&owners, "vcluster-a").is_some(), expected.is_some(), "{hour}");
    }
}

#[test]
fn a_span_that_ends_with_the_hour_is_not_in_the_next() {
    let story = Story::new().tenant("1", "a", "CC", FIRST, Some("12T10:00"));
    assert!(cost_center(&story.at("12T09:00"), "a").is_some());
    assert_eq!(cost_center(&story.at("12T10:00"), "a"), None);
}

#[test]
fn two_resources_of_one_team_are_a_conflict_and_what_they_claim_is_nobodys() {
    let story = Story::new()
        .tenant("1", "a", "CC-1", FIRST, None)
        .tenant("2", "a", "CC-2", "10T00:00", Some("12T00:00"))
        .namespace("n1", "vcluster-a", "", FIRST, None)
        .node("w1", "pool-a", Some("a"), FIRST, None);
    assert_eq!(owner(&story.at("09T00:00"), "vcluster-a").as_deref(), Some("a"));
    let contested = story.at("10T00:00");
    let conflict = Conflict::TwoTenantsOneTeam {
        cluster: CLUSTER.into(),
        team: "a".into(),
        resources: vec!["tenant-1".to_owned(), "tenant-2".to_owned()],
    };
    assert_eq!(contested.conflicts, [conflict].into());
    assert_eq!(owner(&contested, "vcluster-a"), None);
    assert_eq!(dedicated(&contested, "pool-a").as_deref(), Some("__unassigned__"));
    assert_eq!(owner(&story.at("12T00:00"), "vcluster-a").as_deref(), Some("a"));
}

#[test]
fn a_resource_replaced_within_the_hour_is_no_conflict() {
    let story = Story::new()
        .tenant("1", "a", "CC-1", FIRST, Some("10T00:30"))
        .tenant("2", "a", "CC-2", "10T00:30", None);
    let owners = story.at("10T00:00");
    assert_eq!(cost_center(&owners, "a").as_deref(), Some("CC-2"));
    assert_eq!(owners.conflicts, [].into());
}

#[test]
fn two_rules_for_two_tenants_are_a_conflict_that_names_both() {
    let story = Story::new()
        .tenant("1", "a", "CC-1", FIRST, None)
        .tenant("2", "b", "CC-2", FIRST, None)
        .namespace("n1", "vcluster-a", "b", FIRST, None)
        .labelled("n2", "agreed", &[(LABEL, "b"), ("team", "b")], (FIRST, None))
        .labelled("n3", "quarrel", &[(LABEL, "a"), ("team", "b")], (FIRST, None));
    let owners = story.at("05T00:00");
    assert_eq!(owner(&owners, "vcluster-a"), None);
    assert_eq!(owner(&owners, "quarrel"), None);
    assert_eq!(owner(&owners, "agreed").as_deref(), Some("b"), "a later rule that agrees is no conflict");
    let claims =
        vec![("a".into(), "name `vcluster-{tenant}`".to_owned()), ("b".into(), format!("label `{LABEL}`"))];
    let namespace = "vcluster-a".into();
    let conflict = Conflict::TwoOwnersOneNamespace { cluster: CLUSTER.into(), namespace, claims };
    assert!(owners.conflicts.contains(&conflict), "{:#?}", owners.conflicts);
    assert_eq!(owners.conflicts.len(), 2);
}

#[test]
fn a_label_that_names_no_tenant_is_nobodys_and_reserved_names_are_refused() {
    let story = Story::new()
        .tenant("1", "__platform__", "CC-1", FIRST, None)
        .namespace("n1", "lost", "ghost", FIRST, None)
        .namespace("n2", "sly", "__unassigned__", FIRST, None);
    let owners = story.at("05T00:00");
    assert_eq!(owner(&owners, "lost"), None);
    assert_eq!(owner(&owners, "sly"), None);
    assert!(owners.tenants.is_empty());
    assert_eq!(owners.conflicts.len(), 2);
    assert!(owners.conflicts.iter().all(|conflict| matches!(conflict, Conflict::ReservedName { .. })));
}

#[test]
fn static_claims_give_namespaces_to_tenants_with_and_without_a_resource() {
    let claim = |tenant: &str, cost_center: Option<&str>, cluster: &str, namespaces: &str| StaticClaim {
        tenant: tenant.into(),
        cost_center: cost_center.map(Into::into),
        cluster: pattern(cluster),
        namespaces: vec![pattern(namespaces)],
    };
    let rules = TenancyRules {
        static_claims: vec![
            claim("a", None, "*", "legacy-*"),
            claim("data", Some("CC-DATA"), CLUSTER, "spark-*"),
            claim("elsewhere", Some("CC-E"), "other", "spark-*"),
            claim("ghost", None, "*", "ghost-*"),
        ],
        ..rules()
    };
    let story = Story::new()
        .tenant("1", "a", "CC-1", FIRST, None)
        .namespace("n1", "legacy-erp", "", FIRST, None)
        .namespace("n2", "spark-1", "", FIRST, None)
        .namespace("n3", "ghost-1", "", FIRST, None);
    let owners = story.by(&rules, "05T00:00");
    assert_eq!(owner(&owners, "legacy-erp").as_deref(), Some("a"));
    assert_eq!(owner(&owners, "spark-1").as_deref(), Some("data"));
    assert_eq!(cost_center(&owners, "data").as_deref(), Some("CC-DATA"));
    assert_eq!(owner(&owners, "ghost-1"), None);
    assert_eq!(owners.conflicts, [].into());
}

#[test]
fn a_namespace_made_again_in_the_hour_is_another_and_the_last_takes_it() {
    let story = Story::new()
        .tenant("1", "a", "CC-1", FIRST, None)
        .tenant("2", "b", "CC-2", FIRST, None)
        .namespace("old", "shop", "a", FIRST, Some("10T00:20"))
        .namespace("new", "shop", "b", "10T00:40", None);
    assert_eq!(owner(&story.at("09T23:00"), "shop").as_deref(), Some("a"));
    assert_eq!(owner(&story.at("10T00:00"), "shop").as_deref(), Some("b"));
}

#[test]
fn a_pool_is_dedicated_if_all_its_nodes_say_so() {
    let story = Story::new()
        .tenant("1", "a", "CC-1", FIRST, None)
        .node("w1", "own", Some("a"), FIRST, None)
        .node("w2", "own", Some("a"), FIRST, None)
        .node("w3", "ghost", Some("nobody"), FIRST, None)
        .node("w4", "mixed", Some("a"), FIRST, None)
        .node("w5", "mixed", None, FIRST, None)
        .node("w6", "changed", None, FIRST, Some("05T00:10"))
        .node("w7", "changed", Some("a"), "05T00:10", None)
        .node("w8", "shared", None, FIRST, None);
    let owners = story.at("05T00:00");
    assert_eq!(dedicated(&owners, "own").as_deref(), Some("a"));
    assert_eq!(dedicated(&owners, "ghost").as_deref(), Some("__unassigned__"));
    assert_eq!(dedicated(&owners, "changed").as_deref(), Some("a"), "what holds at the end");
    assert_eq!(dedicated(&owners, "mixed"), None);
    assert_eq!(dedicated(&owners, "shared"), None);
    let conflict = Conflict::TwoOwnersOnePool {
        cluster: CLUSTER.into(),
        pool: "mixed".into(),
        claims: vec![String::new(), "a".to_owned()],
    };
    assert_eq!(owners.conflicts, [conflict].into());
}

#[test]
fn hours_before_the_first_observation_take_what_was_assumed_else_the_earliest_known() {
    let assumed = Story::new()
        .namespace("name:shop", "shop", "a", "02T00:00", None)
        .namespace("name:gone", "gone", "a", "02T00:00", Some("03T00:00"))
        .assumed();
    let mut story = Story(assumed.0)
        .tenant("1", "a", "CC-1", "10T00:30", None)
        .tenant("1b", "later", "CC-3", "11T00:00", None)
        .namespace("uid", "shop", "a", "10T00:30", None);
    story.0.observed_since.insert(CLUSTER.into(), instant("10T00:30"));
    let early = story.at("02T10:00");
    assert_eq!(owner(&early, "shop").as_deref(), Some("a"));
    assert_eq!(owner(&early, "gone").as_deref(), Some("a"));
    assert_eq!(cost_center(&early, "a").as_deref(), Some("CC-1"), "the earliest known");
    assert_eq!(cost_center(&early, "later"), None, "it was not there when the cluster was first seen");
    assert_eq!(early.assumed, [CLUSTER.into()].into());
    assert_eq!(owner(&story.at("05T00:00"), "gone"), None, "the metrics store says it was gone");
    let before_all = story.at("01T00:00");
    assert_eq!(owner(&before_all, "gone").as_deref(), Some("a"), "nothing is known of earlier hours");
    let observed = story.at("10T00:00");
    assert_eq!(observed.assumed, [].into(), "the hour of the first observation is seen at its end");
    assert_eq!(observed.conflicts, [].into());
    assert_eq!(owner(&observed, "shop").as_deref(), Some("a"));
}

#[test]
fn a_tenant_lives_in_every_cluster_that_names_it() {
    let mut story = Story::new().tenant("1", "a", "CC-1", FIRST, None);
    story = story.namespace("n1", "vcluster-a", "", FIRST, None);
    let other = story.0.namespaces[0].clone();
    story.0.namespaces.push(Span { cluster: "test".into(), ..other });
    story.0.observed_since.insert("test".into(), instant(FIRST));
    let owners = story.at("05T00:00");
    let state = &owners.namespaces[&("test".into(), "vcluster-a".into())];
    assert_eq!(state.tenant, Some("a".into()));
    assert_eq!(owners.tenants[&("test".into(), "a".into())].cost_center.as_str(), "CC-1");
}

#[test]
fn the_index_answers_like_a_look_at_every_span_and_in_any_order_of_spans() {
    let mut story = Story::new();
    for n in 0..40_u32 {
        let (from, until) = (n % 13 + 1, n % 13 + 1 + n % 7);
        // Some edges on full hours, which is where an hour ends and the next begins.
        let (begin, end) = if n % 2 == 0 { ("00", "00") } else { ("15", "45") };
        let team = format!("t{}", n % 9);
        let (from, until) = (format!("{from:02}T{:02}:{begin}", n % 24), format!("{until:02}T23:{end}"));
        story = story.tenant(&format!("u{n}"), &team, "CC", &from, Some(&until));
        let name = format!("vcluster-t{}", n % 11);
        story = story.namespace(&format!("n{n}"), &name, "", &from, Some(&until));
    }
    let mut reversed = story.0.clone();
    reversed.tenants.reverse();
    reversed.namespaces.reverse();
    let rules = rules();
    let (one, other) = (OwnershipIndex::new(&story.0, &rules), OwnershipIndex::new(&reversed, &rules));
    let first = hour("2026-10-01T00:00:00Z").index();
    let mut seen = 0;
    for hour in (first..first + 24 * 25).map(defray_pricing::time::Hour::from_index) {
        let owners = one.at(hour);
        assert_eq!(owners, other.at(hour), "{hour}");
        let touching = |span: &&Span<NamespaceFact>| {
            span.from < hour.end() && span.until.is_none_or(|until| until > hour.start())
        };
        let slow: BTreeSet<_> =
            story.0.namespaces.iter().filter(touching).map(|span| &span.fact.name).collect();
        let quick: BTreeSet<_> = owners.namespaces.keys().map(|(_, name)| name).collect();
        assert_eq!(quick, slow, "{hour}");
        seen += slow.len();
    }
    assert!(seen > 1000, "the story is about something: {seen}");
}
