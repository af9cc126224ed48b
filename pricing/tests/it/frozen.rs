//! The part of a timeline that a month is recomputed from.

use chrono::{DateTime, TimeDelta, Utc};
use defray_pricing::ownership::{
    CostCenterSource, NamePattern, NamedBy, NamespaceFact, NamespaceRule, NodeFact, Origin, OwnershipIndex,
    Span, TenancyRules, TenantFact, Timeline,
};
use defray_pricing::time::{Hour, HourRange};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::properties::config;

/// The first hour that is asked for, and how many.
const FIRST: i64 = 500_000;
const HOURS: i64 = 6;

fn instant(minutes: i64) -> DateTime<Utc> {
    Hour::from_index(FIRST).start() + TimeDelta::minutes(minutes)
}

fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    // Edges of hours matter most.
    prop_oneof![(-20..30_i64).prop_map(|hours| instant(hours * 60)), (-1200..1800_i64).prop_map(instant)]
}

fn span<T: std::fmt::Debug>(fact: impl Strategy<Value = T>) -> impl Strategy<Value = Span<T>> {
    let cluster = prop_oneof![Just("east"), Just("west")];
    let origin = prop_oneof![3 => Just(Origin::Observed), 1 => Just(Origin::Assumed)];
    (cluster, "[a-d]", moment(), option::of(1..900_i64), origin, fact).prop_map(
        |(cluster, uid, from, lasts, origin, fact)| Span {
            cluster: cluster.into(),
            uid: uid.as_str().into(),
            from,
            until: lasts.map(|minutes| from + TimeDelta::minutes(minutes)),
            origin,
            fact,
        },
    )
}

fn tenant() -> impl Strategy<Value = TenantFact> {
    ("[xy]", "[12]").prop_map(|(team, cost_center)| TenantFact {
        name: team.clone(),
        team: team.as_str().into(),
        cost_center: cost_center.as_str().into(),
        owner_email: String::new(),
        ad_group: None,
        services: [].into(),
        node_pool_size: None,
        node_pool_instance_type: None,
        malformed: None,
    })
}

fn timeline() -> impl Strategy<Value = Timeline> {
    let namespace =
        ("[xyz]", option::of("[yz]"), option::of("[12]")).prop_map(|(name, team, cost_center)| {
            let labels = [("team", team), ("cc", cost_center)];
            NamespaceFact {
                name: format!("vcluster-{name}").as_str().into(),
                labels: labels
                    .into_iter()
                    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
                    .collect(),
                annotations: [].into(),
            }
        });
    let node = ("[pq]", option::of("[xy]")).prop_map(|(pool, dedicated_to)| NodeFact {
        name: "n".to_owned(),
        pool: pool.as_str().into(),
        instance_type: "m5".into(),
        capacity_type: "".into(),
        dedicated_to,
    });
    let since = btree_map(prop_oneof![Just("east".into()), Just("west".into())], moment(), 0..3);
    (vec(span(tenant()), 0..8), vec(span(namespace), 0..8), vec(span(node), 0..8), since).prop_map(
        |(tenants, namespaces, nodes, observed_since)| Timeline {
            tenants,
            namespaces,
            nodes,
            observed_since,
        },
    )
}

proptest! {
    #![proptest_config(config(2000))]

    /// Whatever came before, after, or is only assumed.
    #[test]
    fn every_hour_is_resolved_alike_from_the_part_of_a_timeline_that_touches_it(whole in timeline()) {
        let until = Hour::from_index(FIRST + HOURS);
        let hours = HourRange { from: Hour::from_index(FIRST), until };
        let part = whole.within(hours);
        let rules = TenancyRules {
            namespace_pattern: Some(NamePattern { prefix: "vcluster-".to_owned(), suffix: String::new() }),
            namespace_rules: vec![NamespaceRule::by(NamedBy::Label("team".to_owned()))],
            cost_centers: CostCenterSource { labels: vec!["cc".to_owned()], ..CostCenterSource::default() },
            ..TenancyRules::default()
        };
        let (all, few) = (OwnershipIndex::new(&whole, &rules), OwnershipIndex::new(&part, &rules));
        for hour in hours.iter() {
            prop_assert_eq!(few.at(hour), all.at(hour));
        }
        prop_assert_eq!(part.within(hours), part);
    }
}
